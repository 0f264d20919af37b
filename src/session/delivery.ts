/** One message on its way to one client, from the moment the outbox has it until the client has settled it. */

import type { Message, QoS } from '../core/message.ts'
import type { LogEntry } from '../store/store.ts'
import type { PublishOptions } from '../wire/publish-options.ts'
import type { Receiver, Settlement } from './outbox-contract.ts'

export const WAITING = 0
export const SENT = 1
/** QoS 2: PUBREC was received, PUBREL was sent; PUBCOMP is to come. */
export const RELEASED = 2
/** In a mark only: the client may have it, but its namespace does not count on that any more. */
const WITHDRAWN = 3

export class Delivery implements PublishOptions {
  /** Null once it will not be sent again. */
  message: Message | null
  readonly qos: QoS
  readonly retain: boolean
  dup = false
  readonly identifiers: readonly number[] | null
  properties: Buffer | null
  state: typeof WAITING | typeof SENT | typeof RELEASED = WAITING
  packetId = 0
  /**
   * Whether the store knows its state, so that the client may. At QoS 2 in a session that is kept the client must not see
   * an identifier that a restart would give to another message.
   */
  safe: boolean
  readonly topic: string
  /** Whether it is of publish/subscribe, whose messages the session itself is responsible for: its own and lent ones. */
  readonly own: boolean
  /** Who wants to hear how it ended; null: nobody (any more). */
  receiver: Receiver<unknown> | null
  /** For the receiver. In one that was found in the store: the shared subscription, if any, that it waits to hear from. */
  token: unknown
  /** Its entry in the session's log; 0: not stored. */
  logId: number
  /** How the namespace that it is of finds the message in its own store; 0: not at all, or it is of publish/subscribe. */
  reference = 0
  /** Bytes of payload. */
  readonly size: number
  /** Its message, as long as that is kept in memory for it and counted: see Sending. */
  holding: Message | null = null

  constructor(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[] | null,
    properties: Buffer | null,
    receiver: Receiver<unknown> | null,
    token: unknown,
    logId: number,
    own: boolean,
  ) {
    this.message = message
    this.qos = qos
    this.retain = retain
    this.identifiers = identifiers
    this.properties = properties
    this.topic = message.topic
    this.own = own
    this.receiver = receiver
    this.token = token
    this.logId = logId
    this.size = message.payloadLength
    this.safe = logId === 0 || qos < 2
  }

  /** Whether the client may have it as a QoS 2 message, so that nobody else must get it [MQTT-4.8.2-5]. */
  get inDoubt(): boolean {
    return this.qos === 2 && this.state !== WAITING && (this.safe || this.state === RELEASED)
  }
}

/** Tell whoever handed it over how it ended. A second end is told to nobody. */
export function settle(delivery: Delivery, settlement: Settlement, reasonCode: number): void {
  const { receiver } = delivery
  delivery.receiver = null
  receiver?.settled(delivery.token, settlement, reasonCode)
}

/** What a session's log keeps with an entry: packet identifier and state, so that both survive a restart. */
export function markOf(delivery: Delivery): number {
  return (delivery.packetId << 2) | delivery.state
}

export function withdrawnMarkOf(delivery: Delivery): number {
  return (delivery.packetId << 2) | WITHDRAWN
}

/** The packet identifier that a mark says; 0: the client never saw one. */
export function packetIdOf(mark: number): number {
  return (mark & 3) === WAITING ? 0 : mark >> 2
}

/**
 * A delivery as the store kept it. The message of one that has a reference is not here; and if the namespace had withdrawn it,
 * all that is left to do is to have its identifier back.
 */
export function restored(entry: LogEntry): Delivery {
  const { message, qos, retain, identifiers, share = null, reference = 0, id, mark } = entry
  const delivery = new Delivery(message, qos, retain, identifiers, null, null, share, id, reference === 0)
  delivery.reference = reference
  if (reference !== 0) delivery.message = null
  delivery.packetId = mark >> 2
  const state = mark & 3
  if (state === WAITING) return delivery
  delivery.state = state === SENT ? SENT : RELEASED
  delivery.safe = true
  return delivery
}
