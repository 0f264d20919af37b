/** The will: what a client leaves to be published when its connection ends without a proper goodbye. */

import type { QoS } from './message.ts'

export interface Will {
  topic: string
  /** A copy. */
  payload: Buffer
  qos: QoS
  retain: boolean
  /** Seconds from the end of the connection to the will; 0: at once. */
  delaySeconds: number
  /** The message expiry interval, counted from when the will is published; -1: none. */
  expirySeconds: number
  /** A copy of the properties that travel on with the message; null: none. */
  properties: Buffer | null
}
