/**
 * A message as bytes in the store, and back. Encoded straight into the writer's buffer, at up to 200,000 a second;
 * decoded on other memory, so that one kept message does not hold the whole pack that it was read from.
 *
 *     flags u8 | present u8 | receivedAt f64? | expiresAt f64? | topic u16+utf8 | from u16+utf8?
 *     | properties u32+bytes? | identifiers u16+u32…? | share u16+utf8? | packetId u16? | reference f64?
 *     | payload (the rest)
 *
 * This format is part of FORMAT_VERSION (level/keys.ts): changing what it says of old records is a new version.
 */

import { EventflowError } from '../core/errors.ts'
import { Message, type QoS } from '../core/message.ts'
import type { StoredMessage } from './store.ts'

// flags: bits 0-1 the QoS to deliver at, bits 2-3 the QoS that it was published at
const RETAIN = 0x10
const PUBLISHED_RETAIN = 0x20

// present
const RECEIVED_AT = 0x01
const EXPIRES_AT = 0x02
const FROM = 0x04
const PROPERTIES = 0x08
const IDENTIFIERS = 0x10
const SHARE = 0x20
const PACKET_ID = 0x40 // since format 2
const REFERENCE = 0x80 // since format 2

const SHORT_TEXT = 48

/** How many bytes `encodeRecord` may need at most: cheap to tell, unlike the exact number. */
export function recordBound(entry: StoredMessage): number {
  const { message, identifiers, share } = entry
  const properties = message.properties === null ? 0 : message.properties.length
  const identifierCount = identifiers === null ? 0 : identifiers.length
  const text = message.topic.length + message.from.length + (share === undefined ? 0 : share.length)
  return 40 + 3 * text + properties + 4 * identifierCount + message.payloadLength
}

/** Write `entry` into `target` from `start` on, where `recordBound` has room, and return where it ends. */
export function encodeRecord(entry: StoredMessage, target: Buffer, start: number): number {
  const { message, identifiers, share, reference } = entry
  const { properties, from, receivedAt, expiresAt } = message
  let present = 0
  let at = start + 2
  if (receivedAt !== 0) {
    present |= RECEIVED_AT
    at = target.writeDoubleBE(receivedAt, at)
  }
  if (expiresAt !== 0) {
    present |= EXPIRES_AT
    at = target.writeDoubleBE(expiresAt, at)
  }
  at = writeText(target, message.topic, at)
  if (from !== '') {
    present |= FROM
    at = writeText(target, from, at)
  }
  if (properties !== null) {
    present |= PROPERTIES
    at = target.writeUInt32BE(properties.length, at)
    at += properties.copy(target, at)
  }
  if (identifiers !== null) {
    present |= IDENTIFIERS
    at = target.writeUInt16BE(identifiers.length, at)
    for (const identifier of identifiers) at = target.writeUInt32BE(identifier, at)
  }
  if (share !== undefined) {
    present |= SHARE
    at = writeText(target, share, at)
  }
  if (entry.packetId !== undefined && entry.packetId !== 0) {
    present |= PACKET_ID
    at = target.writeUInt16BE(entry.packetId, at)
  }
  if (reference !== undefined) {
    present |= REFERENCE
    at = target.writeDoubleBE(reference, at)
  }
  target[start] = entry.qos | (message.qos << 2) | (entry.retain ? RETAIN : 0) | (message.retain ? PUBLISHED_RETAIN : 0)
  target[start + 1] = present
  return at + message.bytes.copy(target, at, message.payloadStart, message.end)
}

/**
 * Read the record that stands in `bytes` from `start` to `end`.
 * @param alone the message is kept for very long: it gets memory of its own, which costs microseconds; else small ones
 *   share 8 KiB with others, as those do that clients have just sent
 * @throws EventflowError STORE_CORRUPT when these bytes are no record.
 */
export function decodeRecord(bytes: Buffer, start: number, end: number, alone: boolean): StoredMessage {
  try {
    return decode(otherMemory(bytes, start, end, alone))
  } catch (cause) {
    if (cause instanceof EventflowError) throw cause
    throw new EventflowError('STORE_CORRUPT', 'A stored message ends too early.', { cause })
  }
}

function decode(bytes: Buffer): StoredMessage {
  // The read functions of Buffer throw when they would read beyond the end; text and subarray() do not: see take().
  const flags = bytes.readUInt8(0)
  const present = bytes.readUInt8(1)
  if (flags > 0x3f) throw corrupt('its flags are unknown')
  let at = 2
  let receivedAt = 0
  let expiresAt = 0
  if (present & RECEIVED_AT) {
    receivedAt = bytes.readDoubleBE(at)
    at += 8
  }
  if (present & EXPIRES_AT) {
    expiresAt = bytes.readDoubleBE(at)
    at += 8
  }
  const topicEnd = take(bytes, at + 2, bytes.readUInt16BE(at))
  const topic = bytes.toString('utf8', at + 2, topicEnd)
  at = topicEnd
  let from = ''
  if (present & FROM) {
    const fromEnd = take(bytes, at + 2, bytes.readUInt16BE(at))
    from = bytes.toString('utf8', at + 2, fromEnd)
    at = fromEnd
  }
  let properties: Buffer | null = null
  if (present & PROPERTIES) {
    const propertiesEnd = take(bytes, at + 4, bytes.readUInt32BE(at))
    properties = bytes.subarray(at + 4, propertiesEnd)
    at = propertiesEnd
  }
  let identifiers: number[] | null = null
  if (present & IDENTIFIERS) {
    const identifiersEnd = take(bytes, at + 2, 4 * bytes.readUInt16BE(at))
    identifiers = []
    for (at += 2; at < identifiersEnd; at += 4) identifiers.push(bytes.readUInt32BE(at))
  }
  let share: string | null = null
  if (present & SHARE) {
    const shareEnd = take(bytes, at + 2, bytes.readUInt16BE(at))
    share = bytes.toString('utf8', at + 2, shareEnd)
    at = shareEnd
  }
  let packetId = 0
  if (present & PACKET_ID) {
    packetId = bytes.readUInt16BE(at)
    at += 2
  }
  let reference = 0
  if (present & REFERENCE) {
    reference = bytes.readDoubleBE(at)
    if (!Number.isSafeInteger(reference) || reference < 1) throw corrupt('its reference is none')
    at += 8
  }
  const published = qosFrom(flags >> 2)
  const retain = (flags & PUBLISHED_RETAIN) !== 0
  const { length } = bytes
  const message = new Message(
    topic,
    published,
    retain,
    properties,
    from,
    receivedAt,
    expiresAt,
    bytes,
    0,
    at,
    length,
    0,
    null,
  )
  message.packetId = packetId
  // Assigned, not spread: that is what a million messages of a backlog are read through.
  const entry: StoredMessage = { message, qos: qosFrom(flags), retain: (flags & RETAIN) !== 0, identifiers }
  if (share !== null) entry.share = share
  if (packetId !== 0) entry.packetId = packetId
  if (reference !== 0) entry.reference = reference
  return entry
}

/**
 * Topics and client identifiers came as MQTT strings, so 65,535 bytes hold them. Short ones in ASCII are written here:
 * 60 ns for twelve characters, where Buffer.write takes 150.
 */
function writeText(target: Buffer, text: string, at: number): number {
  let length = 0
  if (text.length <= SHORT_TEXT) {
    while (length < text.length) {
      const unit = text.charCodeAt(length)
      if (unit > 0x7f) break
      target[at + 2 + length++] = unit
    }
  }
  if (length < text.length) length = target.write(text, at + 2)
  target[at] = length >> 8
  target[at + 1] = length
  return at + 2 + length
}

function take(bytes: Buffer, at: number, length: number): number {
  if (at + length > bytes.length) throw corrupt('it ends too early')
  return at + length
}

function qosFrom(bits: number): QoS {
  const qos = bits & 3
  if (qos === 3) throw corrupt('its QoS is 3')
  return qos as QoS
}

/** A view where the record is most of its memory, as a large message alone in its pack is; else a copy. */
function otherMemory(bytes: Buffer, start: number, end: number, alone: boolean): Buffer {
  const length = end - start
  if (bytes.buffer.byteLength <= 2 * length) return bytes.subarray(start, end)
  const copy = alone ? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafe(length)
  bytes.copy(copy, 0, start, end)
  return copy
}

function corrupt(why: string): EventflowError {
  return new EventflowError('STORE_CORRUPT', `A stored message cannot be read: ${why}.`)
}
