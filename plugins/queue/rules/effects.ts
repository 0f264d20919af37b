/** What the rules of a queue are told, and what they want done. */

import type { Backoff } from './backoff.ts'
import type { Entry, Seat } from './consumer.ts'

export type ReturnReason = 'timeout' | 'consumer-gone' | 'refused'
export type DeadReason = 'max-deliveries' | 'rejected' | 'expired' | 'overflow'

export interface Rules {
  ackTimeoutMs: number
  backoff: Backoff
  /** Infinity: no limit; what is refused is tried again for ever, whatever its consumers say. */
  maxDeliveries: number
  /** Whether messages are in groups; if not, whatever they say of it is ignored. */
  grouped: boolean
  /** Whether one consumer at a time is served. */
  exclusiveConsumer: boolean
  /** Infinity: no limit. */
  maxLength: number
  /** Bytes of payload. Infinity: no limit. */
  maxBytes: number
  /** Whether the oldest messages give way to new ones beyond these limits; else nothing is said of it here. */
  dropsOldest: boolean
}

/** A limit of a queue, by the name of its option. */
export type Limit = 'maxLength' | 'maxBytes'

/** None of these may call the state machine back before it returns. */
export interface Effects {
  /** Hand the message to the seat's client. */
  deliver(entry: Entry, seat: Seat): void
  /** The message is no longer the seat's: take it back if it was not sent yet. */
  withdraw(entry: Entry, seat: Seat): void
  /** Acknowledged: remove it. */
  acknowledged(entry: Entry, seat: Seat): void
  /** It came back and will be delivered again: keep the count of its deliveries. */
  returned(entry: Entry, seat: Seat, reason: ReturnReason): void
  /** Given up: move it to the dead letter queue, or remove it. */
  dead(entry: Entry, reason: DeadReason): void
  /** The last message has left. */
  emptied(): void
  /** Read messages from `fromId` on, and answer with `loaded` or `loadFailed`. */
  load(fromId: number, limit: number): void
  /** A consumer waits, and memory is short: call `pump` when another queue has read. */
  starved(): void
  /** Call `tick` at this time. Replaces an earlier wish. */
  wake(at: number): void
}
