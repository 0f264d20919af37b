/**
 * PUBLISH as it goes to a client.
 *
 * Three ways, the cheapest that fits: a message that leaves at the QoS and protocol it came with is copied as it arrived;
 * one for many subscribers is encoded once a kind (protocol, QoS 0 or not) and kept on the message; only what differs
 * from client to client (subscription identifiers, remaining expiry, added properties) is encoded for each.
 * In all three, flags and packet identifier are set in the bytes after they were copied.
 */

import type { Message, QoS } from '../core/message.ts'
import { varintBytes } from './reader.ts'
import type { WriteBuffer } from './write-buffer.ts'

/** Everything about one PUBLISH but its message and packet identifier. */
export interface PublishOptions {
  qos: QoS
  retain: boolean
  dup: boolean
  /** Subscription identifiers; null: none. MQTT 5.0 only. */
  identifiers: readonly number[] | null
  /** Further properties as bytes; null: none. MQTT 5.0 only. */
  properties: Buffer | null
}

/** Write the PUBLISH. Returns its size; 0, and nothing written, when it has more than `maxBytes` (0: no limit). */
export function writePublish(
  out: WriteBuffer,
  version: number,
  message: Message,
  packetId: number,
  options: PublishOptions,
  maxBytes: number,
  now: number,
): number {
  const v5 = version === 5
  const { qos } = options
  const own = v5 && (options.identifiers !== null || options.properties !== null || message.expiresAt !== 0)
  let bytes = message.bytes
  let start = message.start
  let end = message.end
  if (own || message.wireVersion !== (v5 ? 5 : 4) || message.qos > 0 !== qos > 0) {
    bytes = own ? encode(message, v5, qos > 0, options, now) : frameOf(message, v5, qos > 0)
    start = 0
    end = bytes.length
  }
  const size = end - start
  if (maxBytes > 0 && size > maxBytes) return 0
  const { counters } = out
  counters.packetsSent++
  counters.publishSent++
  counters.publishBytesSent += message.payloadLength
  const first = 0x30 | (options.dup ? 8 : 0) | (qos << 1) | (options.retain ? 1 : 0)
  if (size > LARGE) {
    appendLarge(out, bytes, start, end, first, packetId)
    return size
  }
  const at = out.reserve(size)
  const { chunk } = out
  bytes.copy(chunk, at, start, end)
  chunk[at] = first
  if (qos > 0) setPacketId(chunk, at, packetId)
  return size
}

/** Copied no more than once: above this a packet goes to the socket in pieces, its payload untouched. */
const LARGE = 8_192

/** Head and payload apart: the head is copied, since flags and identifier must not be set in shared bytes. */
function appendLarge(
  out: WriteBuffer,
  bytes: Buffer,
  start: number,
  end: number,
  first: number,
  packetId: number,
): void {
  const head = idOffset(bytes, start) + 2
  const at = out.reserve(head <= LARGE ? head : 1)
  const { chunk } = out
  if (head > LARGE) {
    // A topic of more than 8 KiB: too rare for anything but a plain copy.
    const copy = Buffer.from(bytes.subarray(start, end))
    copy[0] = first
    if (first & 6) setPacketId(copy, 0, packetId)
    chunk[at] = first
    out.append(copy, 1, copy.length)
    return
  }
  const headEnd = Math.min(start + head, end)
  bytes.copy(chunk, at, start, headEnd)
  chunk[at] = first
  if (first & 6) setPacketId(chunk, at, packetId)
  out.append(bytes, headEnd, end)
}

/** The frame of this kind, made once a message. */
function frameOf(message: Message, v5: boolean, withId: boolean): Buffer {
  message.frames ??= []
  const frames = message.frames as Array<Buffer | undefined>
  const kind = (v5 ? 2 : 0) + (withId ? 1 : 0)
  frames[kind] ??= encode(message, v5, withId, null, 0)
  return frames[kind]
}

function encode(message: Message, v5: boolean, withId: boolean, options: PublishOptions | null, now: number): Buffer {
  const topicLength = Buffer.byteLength(message.topic)
  const own = message.properties?.length ?? 0
  let propertiesLength = 0
  if (v5) {
    propertiesLength = own + (options?.properties?.length ?? 0) + (message.expiresAt !== 0 ? 5 : 0)
    for (const identifier of options?.identifiers ?? []) propertiesLength += 1 + varintBytes(identifier)
  }
  const payloadLength = message.payloadLength
  const length =
    2 + topicLength + (withId ? 2 : 0) + (v5 ? varintBytes(propertiesLength) + propertiesLength : 0) + payloadLength
  const frame = Buffer.allocUnsafe(1 + varintBytes(length) + length)
  frame[0] = 0x30
  let at = putVarint(frame, 1, length)
  at = frame.writeUInt16BE(topicLength, at)
  at += frame.write(message.topic, at)
  if (withId) at += 2
  if (v5) at = putProperties(frame, putVarint(frame, at, propertiesLength), message, options, now)
  message.bytes.copy(frame, at, message.payloadStart, message.end)
  return frame
}

function putProperties(
  frame: Buffer,
  at: number,
  message: Message,
  options: PublishOptions | null,
  now: number,
): number {
  if (message.expiresAt !== 0) {
    frame[at++] = 0x02
    // The remaining interval [MQTT-3.3.2-6], rounded up: 0 would say that it has already expired.
    at = frame.writeUInt32BE(Math.min(Math.max(Math.ceil((message.expiresAt - now) / 1000), 0), 0xffffffff), at)
  }
  for (const identifier of options?.identifiers ?? []) {
    frame[at++] = 0x0b
    at = putVarint(frame, at, identifier)
  }
  if (message.properties !== null) at += message.properties.copy(frame, at)
  if (options?.properties) at += options.properties.copy(frame, at)
  return at
}

/** Offset from `start` of the packet identifier (which follows the topic) of a PUBLISH. */
function idOffset(bytes: Buffer, start: number): number {
  let at = start + 1
  while (bytes[at++]! >= 0x80);
  return at - start + 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
}

function setPacketId(bytes: Buffer, start: number, packetId: number): void {
  const at = start + idOffset(bytes, start)
  bytes[at] = packetId >> 8
  bytes[at + 1] = packetId & 0xff
}

function putVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}
