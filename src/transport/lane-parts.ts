/** What the connections of one broker share. */

import type { Clock } from '../core/clock.ts'
import type { Events } from '../core/events.ts'
import type { Clients } from '../kernel/clients.ts'
import type { Intake } from '../kernel/intake.ts'
import type { Logger } from '../kernel/plugin-contract.ts'
import type { Subscriptions } from '../kernel/subscriptions.ts'
import type { Store } from '../store/store.ts'
import type { TopicTable } from '../wire/topic-table.ts'
import type { WriteScheduler } from '../wire/write-buffer.ts'
import type { ThrottleLimits } from './throttle.ts'

export interface TransportLimits extends ThrottleLimits {
  /** Bytes of the largest packet that is taken. */
  maxPacketSize: number
  /** Bytes of the largest CONNECT: nobody knows yet who sends it. */
  maxConnectSize: number
  maxTopicLevels: number
  /** Bytes of the longest topic, or filter. */
  maxTopicBytes: number
  /** QoS 1 and 2 messages that a client of MQTT 5.0 may have under way to us. */
  receiveMaximum: number
  /** Topic aliases that a connection of MQTT 5.0 may have in each direction; 0: none. */
  topicAliasMaximum: number
  /** Whether a payload that is declared as UTF-8 must be. */
  checkPayloadFormat: boolean
  /** The longest keep alive of a client of MQTT 5.0, in seconds; 0: any, and none. */
  maxKeepAliveSeconds: number
  /** Milliseconds that a client has to send CONNECT. */
  connectTimeoutMs: number
  /** Connections that may be there without being let in. */
  maxHalfOpen: number
  /** Bytes that may have come of large packets that are not whole, of all clients; never less than one packet. */
  maxUnfinishedBytes: number
  /** Bytes that may wait in a client's socket before its QoS 0 messages are dropped. */
  maxSocketBuffer: number
  /** Whether a publish that is not allowed, and cannot be answered, ends the connection. */
  publishDenied: 'close' | 'ignore'
  /** Whether who sends too fast is read more slowly, or sent away. */
  overRate: 'pause' | 'close'
}

/** Of listeners, by name, whose clients have limits of their own: what is not as for all. */
export type OwnLimits = ReadonlyMap<string, Partial<TransportLimits>>

export interface LaneParts {
  clients: Clients
  intake: Intake
  subscriptions: Subscriptions
  store: Store
  scheduler: WriteScheduler
  /** Topics that clients publish on. */
  topics: TopicTable
  limits: TransportLimits
  clock: Clock
  events: Events
  log: Logger
}
