/** PUBACK, PUBREC, PUBREL and PUBCOMP as they go to a client: four or five bytes each, written in place. */

import { putVarint, varintBytes } from './reader.ts'
import { reasonString } from './reason-string.ts'
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

/**
 * An acknowledgement of MQTT 5.0 that says no, and why, where that makes it no larger than `maxBytes` (0: without words)
 * [MQTT-3.4.2-2, MQTT-3.5.2-2].
 */
export function writeRefusal(
  out: WriteBuffer,
  type: AcknowledgementType,
  packetId: number,
  reasonCode: number,
  reason: string,
  maxBytes: number,
): void {
  const text = Buffer.from(reasonString(reason))
  const propertiesLength = 3 + text.length
  const length = 3 + varintBytes(propertiesLength) + propertiesLength
  const size = 1 + varintBytes(length) + length
  if (text.length === 0 || size > maxBytes) {
    writeAcknowledgement(out, 5, type, packetId, reasonCode)
    return
  }
  let at = out.reserve(size)
  const { chunk, counters } = out
  counters.packetsSent++
  chunk[at++] = type << 4
  at = putVarint(chunk, at, length)
  at = chunk.writeUInt16BE(packetId, at)
  chunk[at++] = reasonCode
  at = putVarint(chunk, at, propertiesLength)
  chunk[at++] = REASON_STRING
  at = chunk.writeUInt16BE(text.length, at)
  text.copy(chunk, at)
}

const REASON_STRING = 0x1f
