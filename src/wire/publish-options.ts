/** Everything about one PUBLISH to a client but its message and its packet identifier. */

import type { QoS } from '../core/message.ts'

export interface PublishOptions {
  qos: QoS
  retain: boolean
  dup: boolean
  /** Subscription identifiers; null: none. MQTT 5.0 only. */
  identifiers: readonly number[] | null
  /** Further properties as bytes; null: none. MQTT 5.0 only. */
  properties: Buffer | null
}
