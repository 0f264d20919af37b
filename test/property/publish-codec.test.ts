/** Whatever is published, by any version, at any QoS and size, reaches a subscriber of any version as it was meant. */

import fc from 'fast-check'
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import type { QoS } from '../../src/core/message.ts'
import { Message } from '../../src/core/message.ts'
import { PacketCutter } from '../../src/wire/packet-cutter.ts'
import { PublishDecoder } from '../../src/wire/publish-decoder.ts'
import { writePublish } from '../../src/wire/publish-encoder.ts'
import { OutgoingAliases } from '../../src/wire/topic-aliases.ts'
import { WriteBuffer, WriteScheduler } from '../../src/wire/write-buffer.ts'
import { SlowSink, turn } from '../helpers/slow-sink.ts'

const NOW = 1_000_000_000
const RUNS = { numRuns: 400 }
const MAX_LEVELS = 70_000

const versions = fc.constantFrom(3 as const, 4 as const, 5 as const)
const qos = fc.constantFrom<QoS>(0, 1, 2)
const packetId = fc.integer({ min: 1, max: 65_535 })
const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !value.includes('\0'))
const topic = fc.oneof(
  { weight: 8, arbitrary: text.filter((value) => value !== '' && !/[+#]/.test(value)) },
  { weight: 1, arbitrary: fc.integer({ min: 8_100, max: 60_000 }).map((length) => 't'.repeat(length)) },
)
const payload = fc
  .record({
    size: fc.oneof(fc.nat(100), fc.integer({ min: 8_000, max: 8_400 }), fc.integer({ min: 16_000, max: 40_000 })),
    seed: fc.nat(255),
  })
  .map(({ size, seed }) => Buffer.alloc(size, Buffer.from([seed, 1, 2, 3, 4, 5, 6])))
const properties = fc.record(
  {
    payloadFormatIndicator: fc.boolean(),
    contentType: text,
    correlationData: fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value)),
    userProperties: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), text, { minKeys: 1, maxKeys: 3 }),
  },
  { requiredKeys: [] },
)
const expirySeconds = fc.option(fc.integer({ min: 0, max: 0xffff_ffff }), { nil: undefined })
const identifiers = fc.option(fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 3 }))

const published = fc.record({
  version: versions,
  topic,
  payload,
  qos,
  retain: fc.boolean(),
  dup: fc.boolean(),
  packetId,
  properties,
  expirySeconds,
})
type Published = typeof published extends fc.Arbitrary<infer T> ? T : never

const sending = fc.record({
  version: versions,
  qos,
  retain: fc.boolean(),
  dup: fc.boolean(),
  packetId,
  identifiers,
  waitedMs: fc.nat(100_000),
})
type Sending = typeof sending extends fc.Arbitrary<infer T> ? T : never

/** The PUBLISH as another implementation writes it, somewhere in a chunk. */
function chunkOf(given: Published, before: number): { chunk: Buffer; at: number } {
  const { version, topic, payload, qos, retain, dup, packetId, properties, expirySeconds } = given
  const all = expirySeconds === undefined ? properties : { ...properties, messageExpiryInterval: expirySeconds }
  const packet: IPublishPacket = {
    cmd: 'publish',
    topic,
    payload,
    qos,
    retain,
    dup: dup && qos > 0,
    ...(qos > 0 ? { messageId: packetId } : {}),
    ...(version === 5 ? { properties: all } : {}),
  }
  const encoded = generate(packet, { protocolVersion: version })
  return { chunk: Buffer.concat([Buffer.alloc(before), encoded, Buffer.alloc(50)]), at: before }
}

function decode(given: Published, chunk: Buffer, at: number): { message: Message; packetId: number } {
  const cutter = new PacketCutter(268_435_460)
  cutter.push(chunk.subarray(at))
  expect(cutter.next()).toBe(true)
  const decoder = new PublishDecoder(given.version, 'me', MAX_LEVELS)
  const message = decoder.decode(cutter.bytes, cutter.start, cutter.body, cutter.end, NOW)
  return { message, packetId: decoder.packetId }
}

async function encode(message: Message, to: Sending, aliases: OutgoingAliases | null = null): Promise<Buffer> {
  const sink = new SlowSink()
  const out = new WriteBuffer(sink, new WriteScheduler(), 1_000_000)
  const { version, qos, retain, dup, packetId, identifiers, waitedMs } = to
  const options = { qos, retain, dup: dup && qos > 0, identifiers, properties: null }
  const size = writePublish(out, version, message, qos > 0 ? packetId : 0, options, 0, NOW + waitedMs, aliases)
  await turn()
  expect(size).toBe(sink.bytes.length)
  return sink.bytes
}

/** As another implementation reads it. */
function parse(bytes: Buffer, version: number): IPublishPacket {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion: version })
  reader.on('packet', (packet) => packets.push(packet))
  reader.on('error', (error) => {
    throw error
  })
  expect(reader.parse(bytes)).toBe(0)
  expect(packets.length).toBe(1)
  return packets[0] as IPublishPacket
}

/** Compares large things as bytes: a failing toEqual would write a megabyte of differences. */
function expectArrived(packet: IPublishPacket, given: Published, to: Sending): void {
  expect((packet.payload as Buffer).equals(given.payload)).toBe(true)
  expect(packet.topic === given.topic).toBe(true)
  expect([packet.qos, packet.retain, packet.dup]).toEqual([to.qos, to.retain, to.dup && to.qos > 0])
  if (to.qos > 0) expect(packet.messageId).toBe(to.packetId)
  if (to.version !== 5) return
  const of5 = given.version === 5
  const { messageExpiryInterval, subscriptionIdentifier, ...rest } = packet.properties ?? {}
  const ownUserProperties = of5 ? given.properties : {}
  expect({ ...rest, userProperties: { ...rest.userProperties } }).toEqual({
    ...ownUserProperties,
    userProperties: { ...ownUserProperties.userProperties },
  })
  const remaining = (given.expirySeconds ?? 0) - to.waitedMs / 1000
  expect(messageExpiryInterval).toBe(
    of5 && given.expirySeconds !== undefined ? Math.max(Math.ceil(remaining), 0) : undefined,
  )
  expect([subscriptionIdentifier ?? []].flat()).toEqual(to.identifiers ?? [])
}

describe('a PUBLISH', () => {
  it('is decoded as it was meant', () => {
    fc.assert(
      fc.property(published, fc.nat(100), (given, before) => {
        const { chunk, at } = chunkOf(given, before)
        const { message, packetId } = decode(given, chunk, at)
        expect(message.topic === given.topic).toBe(true)
        expect(message.payload.equals(given.payload)).toBe(true)
        expect([message.qos, message.retain, message.from]).toEqual([given.qos, given.retain, 'me'])
        expect(packetId).toBe(given.qos > 0 ? given.packetId : 0)
        const expires = given.version === 5 && given.expirySeconds !== undefined
        expect(message.expiresAt).toBe(expires ? NOW + given.expirySeconds! * 1000 : 0)
      }),
      RUNS,
    )
  })

  it('reaches subscribers of every kind, one after the other; the bytes that came are never changed', async () => {
    await fc.assert(
      fc.asyncProperty(published, fc.array(sending, { minLength: 1, maxLength: 4 }), async (given, receivers) => {
        const { chunk, at } = chunkOf(given, 10)
        const before = Buffer.from(chunk)
        const { message } = decode(given, chunk, at)
        for (const to of receivers) expectArrived(parse(await encode(message, to), to.version), given, to)
        expect(chunk.equals(before)).toBe(true)
      }),
      RUNS,
    )
  })

  it('is decoded from what was encoded as the same message', async () => {
    await fc.assert(
      fc.asyncProperty(published, sending, async (given, to) => {
        const { chunk, at } = chunkOf(given, 0)
        const { message } = decode(given, chunk, at)
        const again = decode({ ...given, version: to.version }, await encode(message, { ...to, identifiers: null }), 0)
        expect(again.message.topic === message.topic).toBe(true)
        expect(again.message.payload.equals(message.payload)).toBe(true)
        expect(again.packetId).toBe(to.qos > 0 ? to.packetId : 0)
        if (to.version === 5) expect(again.message.properties).toEqual(message.properties)
      }),
      RUNS,
    )
  })

  it('that is kept survives the overwriting of its chunk, before and after it was sent to others', async () => {
    await fc.assert(
      fc.asyncProperty(published, sending, sending, async (given, first, second) => {
        const { chunk, at } = chunkOf(given, 200_000) // little of its chunk, so that keeping it is worth a copy
        const { message } = decode(given, chunk, at)
        await encode(message, first)
        message.keep()
        chunk.fill(0xee)
        expectArrived(parse(await encode(message, second), second.version), given, second)
      }),
      RUNS,
    )
  })

  it('arrives by topic aliases as it would without, whoever publishes on what in between', async () => {
    const alike = fc.array(fc.tuple(published, sending), { minLength: 1, maxLength: 6 })
    const few = fc.uniqueArray(topic, { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(alike, few, fc.integer({ min: 1, max: 3 }), async (messages, topics, maximum) => {
        const aliases = new OutgoingAliases(maximum)
        const known = new Map<number, string>()
        for (const [index, [one, to]] of messages.entries()) {
          const given = { ...one, topic: topics[index % topics.length]! }
          const { chunk, at } = chunkOf(given, 0)
          const sending = { ...to, version: 5 as const }
          const packet = parse(await encode(decode(given, chunk, at).message, sending, aliases), 5)
          const { topicAlias, ...properties } = packet.properties ?? {}
          if (topicAlias !== undefined && packet.topic !== '') known.set(topicAlias, packet.topic)
          expect(topicAlias ?? 1).toBeLessThanOrEqual(maximum)
          const read = packet.topic === '' ? known.get(topicAlias ?? 0)! : packet.topic
          expectArrived({ ...packet, topic: read, properties }, given, sending)
        }
      }),
      RUNS,
    )
  })

  it('of the broker itself reaches subscribers of every kind', async () => {
    await fc.assert(
      fc.asyncProperty(topic, payload, fc.array(sending, { maxLength: 4 }), async (topic, payload, receivers) => {
        const message = Message.of({ topic, payload })
        for (const to of receivers) {
          const given = { topic, payload, version: 4 as const, properties: {} } as Published
          expectArrived(parse(await encode(message, to), to.version), given, to)
        }
      }),
      RUNS,
    )
  })
})
