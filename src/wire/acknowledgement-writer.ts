/** PUBACK, PUBREC, PUBREL and PUBCOMP as they go to a client: two to five bytes each, written in place. */

import type { WriteBuffer } from './write-buffer.ts'

export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7

export type AcknowledgementType = typeof PUBACK | typeof PUBREC | typeof PUBREL | typeof PUBCOMP

/** A reason code other than 0 needs MQTT 5.0; to earlier versions it is left out. */
export function writeAcknowledgement(
  out: WriteBuffer,
  version: number,
  type: AcknowledgementType,
  packetId: number,
  reasonCode: number,
): void {
  const withCode = version === 5 && reasonCode !== 0
  const at = out.reserve(withCode ? 5 : 4)
  const { chunk, counters } = out
  counters.packetsSent++
  chunk[at] = (type << 4) | (type === PUBREL ? 2 : 0) // [MQTT-3.6.1-1]
  chunk[at + 1] = withCode ? 3 : 2
  chunk[at + 2] = packetId >> 8
  chunk[at + 3] = packetId & 0xff
  if (withCode) chunk[at + 4] = reasonCode
}
