/** What a session sees of the connection that carries it. */

import type { DisconnectReason } from '../core/events.ts'
import type { Refusal } from '../core/reason-codes.ts'
import type { OutgoingAliases } from '../wire/topic-aliases.ts'
import type { WriteBuffer } from '../wire/write-buffer.ts'

export interface Carrier {
  /** Protocol level: 3, 4 or 5. */
  readonly version: number
  readonly out: WriteBuffer
  /** How many unacknowledged QoS 1 and 2 messages the client takes at once (Receive Maximum). */
  readonly receiveMaximum: number
  /** The largest packet the client takes, in bytes; 0: any. */
  readonly maximumPacketSize: number
  /** The largest answer that may say why in words, in bytes; 0: the client wants none [MQTT-3.1.2-29]. */
  readonly maxExplainedBytes: number
  /** Topic aliases towards the client; null: it takes none. */
  readonly aliases: OutgoingAliases | null
  /** End the connection, for this reason ('kicked'); a client of MQTT 5.0 is told the code, why, and where to go instead. */
  close(refusal: Refusal, reason?: DisconnectReason): void
}
