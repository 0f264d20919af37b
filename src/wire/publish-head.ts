/**
 * PUBLISH of MQTT 5.0 to a client that must have it in a way of its own: with its subscription identifiers, the remaining
 * expiry, properties that are added for it, or its topic aliases.
 *
 * What differs stands before the payload, so the head is written straight into the buffer and the payload follows it as it
 * is: a large one is not copied.
 */

import type { Message } from '../core/message.ts'
import type { PublishOptions } from './publish-options.ts'
import { putVarint, varintBytes } from './reader.ts'
import type { OutgoingAliases } from './topic-aliases.ts'
import type { WriteBuffer } from './write-buffer.ts'

/** Larger heads than this (a topic of thousands of bytes) do not fit the buffer's chunks. */
const LARGE = 8_192

const EXPIRY_BYTES = 5
const ALIAS_BYTES = 3

/**
 * Write the PUBLISH with a topic alias if there is one to use or to give, else with its topic. Returns its size; 0, and
 * nothing written, when it has more than `maxBytes` (0: no limit).
 */
export function writeOwnPublish(
  out: WriteBuffer,
  message: Message,
  packetId: number,
  options: PublishOptions,
  maxBytes: number,
  now: number,
  aliases: OutgoingAliases | null,
): number {
  const alias = aliases === null ? 0 : aliases.of(message.topic)
  if (alias === 0) return write(out, message, packetId, options, maxBytes, now, true, 0)
  const isNew = !aliases!.knows(alias)
  const size = write(out, message, packetId, options, maxBytes, now, isNew, alias)
  // The alias costs bytes as well as it saves some: what is too large with it may fit without.
  if (size === 0) return write(out, message, packetId, options, maxBytes, now, true, 0)
  if (isNew) aliases!.told(message.topic)
  return size
}

function write(
  out: WriteBuffer,
  message: Message,
  packetId: number,
  options: PublishOptions,
  maxBytes: number,
  now: number,
  withTopic: boolean,
  alias: number,
): number {
  const topicBytes = withTopic ? Buffer.byteLength(message.topic) : 0
  const propertiesBytes = propertiesLength(message, options, alias)
  const { payloadLength } = message
  const idBytes = options.qos > 0 ? 2 : 0
  const length = 2 + topicBytes + idBytes + varintBytes(propertiesBytes) + propertiesBytes + payloadLength
  const size = 1 + varintBytes(length) + length
  if (maxBytes > 0 && size > maxBytes) return 0
  const headBytes = size - payloadLength
  const inPlace = headBytes <= LARGE
  const start = inPlace ? out.reserve(headBytes) : 0
  const bytes = inPlace ? out.chunk : Buffer.allocUnsafe(headBytes)
  bytes[start] = 0x30 | (options.dup ? 8 : 0) | (options.qos << 1) | (options.retain ? 1 : 0)
  let at = putVarint(bytes, start + 1, length)
  at = bytes.writeUInt16BE(topicBytes, at)
  if (topicBytes > 0) at += bytes.write(message.topic, at)
  if (idBytes > 0) at = bytes.writeUInt16BE(packetId, at)
  putProperties(bytes, putVarint(bytes, at, propertiesBytes), message, options, now, alias)
  if (!inPlace) out.append(bytes, 0, headBytes)
  if (payloadLength > 0) out.append(message.bytes, message.payloadStart, message.end)
  return size
}

function propertiesLength(message: Message, options: PublishOptions, alias: number): number {
  let length = (message.properties?.length ?? 0) + (options.properties?.length ?? 0)
  if (message.expiresAt !== 0) length += EXPIRY_BYTES
  if (alias !== 0) length += ALIAS_BYTES
  if (options.identifiers !== null) {
    for (const identifier of options.identifiers) length += 1 + varintBytes(identifier)
  }
  return length
}

function putProperties(
  bytes: Buffer,
  start: number,
  message: Message,
  options: PublishOptions,
  now: number,
  alias: number,
): void {
  let at = start
  if (message.expiresAt !== 0) {
    bytes[at++] = 0x02
    // The remaining interval [MQTT-3.3.2-6], rounded up: 0 would say that it has already expired.
    at = bytes.writeUInt32BE(Math.min(Math.max(Math.ceil((message.expiresAt - now) / 1000), 0), 0xffffffff), at)
  }
  if (alias !== 0) {
    bytes[at++] = 0x23
    at = bytes.writeUInt16BE(alias, at)
  }
  if (options.identifiers !== null) {
    for (const identifier of options.identifiers) {
      bytes[at++] = 0x0b
      at = putVarint(bytes, at, identifier)
    }
  }
  if (message.properties !== null) at += message.properties.copy(bytes, at)
  if (options.properties !== null) options.properties.copy(bytes, at)
}
