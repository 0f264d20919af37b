/**
 * PUBLISH as it goes to a client.
 *
 * Three ways, the cheapest that fits: a message that leaves at the QoS and protocol it came with is copied as it arrived;
 * one for many subscribers is encoded once a kind (protocol, QoS 0 or not) and kept on the message; only what differs
 * from client to client (subscription identifiers, remaining expiry, topic aliases …) is encoded for each: publish-head.ts.
 * In all three, flags and packet identifier are set in the bytes that leave, never in those that came.
 */

import type { Message } from '../core/message.ts'
import { writeOwnPublish } from './publish-head.ts'
import type { PublishOptions } from './publish-options.ts'
import { putVarint, varintBytes } from './reader.ts'
import type { OutgoingAliases } from './topic-aliases.ts'
import type { WriteBuffer } from './write-buffer.ts'

/**
 * Write the PUBLISH. Returns its size; 0, and nothing written, when it has more than `maxBytes` (0: no limit).
 * @param aliases topic aliases towards the client; null: it takes none
 */
export function writePublish(
  out: WriteBuffer,
  version: number,
  message: Message,
  packetId: number,
  options: PublishOptions,
  maxBytes: number,
  now: number,
  aliases: OutgoingAliases | null,
): number {
  const size =
    version === 5 && (aliases !== null || isOwn(message, options))
      ? writeOwnPublish(out, message, packetId, options, maxBytes, now, aliases)
      : writeAlike(out, version === 5, message, packetId, options, maxBytes)
  if (size === 0) return 0
  const { counters } = out
  counters.packetsSent++
  counters.publishSent++
  counters.publishBytesSent += message.payloadLength
  return size
}

/** Whether it has properties on its way to one client that it does not have on its way to another. */
function isOwn(message: Message, options: PublishOptions): boolean {
  return options.identifiers !== null || options.properties !== null || message.expiresAt !== 0
}

/** As it came, or as it goes to everyone of this kind. */
function writeAlike(
  out: WriteBuffer,
  v5: boolean,
  message: Message,
  packetId: number,
  options: PublishOptions,
  maxBytes: number,
): number {
  const { qos } = options
  let bytes = message.bytes
  let start = message.start
  let end = message.end
  if (message.wireVersion !== (v5 ? 5 : 4) || message.qos > 0 !== qos > 0) {
    bytes = frameOf(message, v5, qos > 0)
    start = 0
    end = bytes.length
  }
  const size = end - start
  if (maxBytes > 0 && size > maxBytes) return 0
  const first = 0x30 | (options.dup ? 8 : 0) | (qos << 1) | (options.retain ? 1 : 0)
  if (size > LARGE) {
    appendLarge(out, bytes, start, end, first, packetId)
    return size
  }
  if (qos === 0 && bytes[start] === first) {
    out.relay(bytes, start, end)
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

/** The frame of this kind, made once a message where the message keeps it. */
function frameOf(message: Message, v5: boolean, withId: boolean): Buffer {
  if (!message.keepsFrames) return encode(message, v5, withId)
  message.frames ??= []
  const frames = message.frames as Array<Buffer | undefined>
  const kind = (v5 ? 2 : 0) + (withId ? 1 : 0)
  frames[kind] ??= encode(message, v5, withId)
  return frames[kind]
}

function encode(message: Message, v5: boolean, withId: boolean): Buffer {
  const topicLength = Buffer.byteLength(message.topic)
  const propertiesLength = message.properties?.length ?? 0
  const propertiesBytes = v5 ? varintBytes(propertiesLength) + propertiesLength : 0
  const length = 2 + topicLength + (withId ? 2 : 0) + propertiesBytes + message.payloadLength
  const frame = Buffer.allocUnsafe(1 + varintBytes(length) + length)
  frame[0] = 0x30
  let at = putVarint(frame, 1, length)
  at = frame.writeUInt16BE(topicLength, at)
  at += frame.write(message.topic, at)
  if (withId) at += 2
  if (v5) at = putVarint(frame, at, propertiesLength)
  if (v5 && message.properties !== null) at += message.properties.copy(frame, at)
  message.bytes.copy(frame, at, message.payloadStart, message.end)
  return frame
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
