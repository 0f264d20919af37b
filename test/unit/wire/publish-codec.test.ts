/** PUBLISH in and out, byte by byte; test/property/publish-codec.test.ts has every combination. */

import { type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { Counters } from '../../../src/core/counters.ts'
import { Message, type MessageFields } from '../../../src/core/message.ts'
import { PublishDecoder } from '../../../src/wire/publish-decoder.ts'
import { writePublish } from '../../../src/wire/publish-encoder.ts'
import type { PublishOptions } from '../../../src/wire/publish-options.ts'
import { OutgoingAliases } from '../../../src/wire/topic-aliases.ts'
import { WriteBuffer, WriteScheduler } from '../../../src/wire/write-buffer.ts'
import { bytes } from '../../helpers/packets.ts'
import { SlowSink, turn } from '../../helpers/slow-sink.ts'
import { outcome } from './support.ts'

const NOW = 1_000_000

/** The body of a PUBLISH, decoded; `first`: its first byte. */
function decode(first: number, body: Buffer, version = 4, decoder = new PublishDecoder(version, 'me', 10)) {
  const packet = bytes(first, body.length, body)
  return { message: decoder.decode(packet, 0, 2, packet.length, NOW), packetId: decoder.packetId }
}

const PLAIN: PublishOptions = { qos: 0, retain: false, dup: false, identifiers: null, properties: null }

/** What is written for the message, as bytes. */
async function encode(
  message: Message,
  version: number,
  options: Partial<PublishOptions>,
  packetId = 0,
  maxBytes = 0,
  aliases: OutgoingAliases | null = null,
) {
  const sink = new SlowSink()
  const out = new WriteBuffer(sink, new WriteScheduler(), 1_000_000)
  const size = writePublish(out, version, message, packetId, { ...PLAIN, ...options }, maxBytes, NOW, aliases)
  await turn()
  expect(size).toBe(sink.bytes.length)
  return sink.bytes
}

/** Topic and alias, as another implementation reads them. */
function parse(packet: Buffer): [topic: string, alias: number | undefined] {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion: 5 })
  reader.on('packet', (one) => packets.push(one))
  expect(reader.parse(packet)).toBe(0)
  const { topic, properties } = packets[0] as IPublishPacket
  return [topic, properties?.topicAlias]
}

describe('a PUBLISH from a client', () => {
  it('of MQTT 3.1.1 is topic, identifier and payload', () => {
    const { message, packetId } = decode(0x33, bytes('a/b', 1, 2, Buffer.from('hello')))
    const { topic, qos, retain, properties, from, receivedAt, expiresAt } = message
    expect([topic, qos, retain, properties, from, receivedAt, expiresAt]).toEqual(['a/b', 1, true, null, 'me', NOW, 0])
    expect([message.payload.toString(), packetId]).toEqual(['hello', 258])
  })

  it('at QoS 0 has no identifier, nor one of the message before it', () => {
    const decoder = new PublishDecoder(4, 'me', 10)
    decode(0x32, bytes('a', 0, 9), 4, decoder)
    expect(decode(0x30, bytes('a', Buffer.from('xy')), 4, decoder)).toMatchObject({ packetId: 0 })
  })

  it('of MQTT 5.0 has properties: expiry becomes a time, the rest travels on as it came', () => {
    const properties = bytes(0x02, 0, 0, 0, 10, 0x26, 'key', 'value')
    const { message } = decode(0x30, bytes('a', properties.length, properties, Buffer.from('p')), 5)
    expect([message.expiresAt, message.payload.toString()]).toEqual([NOW + 10_000, 'p'])
    expect(message.properties).toEqual(bytes(0x26, 'key', 'value'))
  })

  it('with an expiry of 0 expires now, which is not never', () => {
    const { message } = decode(0x30, bytes('a', 5, 0x02, 0, 0, 0, 0), 5)
    expect(message.expiresAt).toBe(NOW)
  })

  it('may have an empty payload', () => {
    expect(decode(0x30, bytes('a')).message.payloadLength).toBe(0)
    expect(decode(0x30, bytes('a', 0), 5).message.payloadLength).toBe(0)
  })

  it('has the topic that it says, also when the one before it was as long', () => {
    const decoder = new PublishDecoder(4, 'me', 10)
    const topics = ['a/b', 'a/c', 'a/c', 'ä/', 'a/b']
    expect(topics.map((topic) => decode(0x30, bytes(topic), 4, decoder).message.topic)).toEqual(topics)
  })

  it.each([
    ['QoS 3 [MQTT-3.3.1-4]', 0x36, bytes('a', 0, 1), 4, 0x81],
    ['DUP at QoS 0 [MQTT-3.3.1-2]', 0x38, bytes('a'), 4, 0x81],
    ['packet identifier 0 [MQTT-2.2.1-3]', 0x32, bytes('a', 0, 0), 4, 0x82],
    ['no packet identifier', 0x32, bytes('a', 0), 4, 0x81],
    ['no topic', 0x30, bytes(0), 4, 0x81],
    ['a topic cut short', 0x30, bytes(0, 5, 97), 4, 0x81],
    ['an empty topic [MQTT 5.0, 3.3.2.1]', 0x30, bytes(''), 4, 0x82],
    ['a wildcard in the topic [MQTT-3.3.2-2]', 0x30, bytes('a/#'), 4, 0x90],
    ['too many levels', 0x30, bytes('a/b/c/d/e/f/g/h/i/j/k'), 4, 0x90],
    ['a topic that is not UTF-8 [MQTT-1.5.4-1]', 0x30, bytes(0, 1, 0xff), 4, 0x81],
    ['U+0000 in the topic [MQTT-1.5.4-2]', 0x30, bytes('\0'), 4, 0x81],
    ['no properties length', 0x30, bytes('a'), 5, 0x81],
    ['properties cut short', 0x30, bytes('a', 9, 0x26), 5, 0x81],
    ['a topic alias where none was offered [MQTT-3.2.2-18]', 0x30, bytes('a', 3, 0x23, 0, 1), 5, 0x94],
    ['a subscription identifier [MQTT-3.3.4-6]', 0x30, bytes('a', 2, 0x0b, 1), 5, 0x82],
  ])('is refused with %s', (_what, first, body, version, code) => {
    expect(outcome(() => decode(first, body, version))).toBe(code)
  })

  it('that was refused leaves the decoder as it was', () => {
    const decoder = new PublishDecoder(4, 'me', 10)
    decode(0x30, bytes('abc'), 4, decoder)
    expect(outcome(() => decode(0x30, bytes('a/#'), 4, decoder))).toBe(0x90)
    expect(outcome(() => decode(0x30, bytes('a/#'), 4, decoder))).toBe(0x90)
    expect(decode(0x30, bytes('abc'), 4, decoder).message.topic).toBe('abc')
  })
})

describe('a topic alias from a client', () => {
  const aliasing = () => new PublishDecoder(5, 'me', 10, 5)
  const ALIAS = (alias: number) => bytes(3, 0x23, 0, alias)
  const topicOf = (decoder: PublishDecoder, topic: string, alias: number) =>
    decode(0x30, bytes(topic, ALIAS(alias), Buffer.from('p')), 5, decoder).message.topic

  it('stands for the topic that it came with, until it comes with another', () => {
    const decoder = aliasing()
    const topics = [topicOf(decoder, 'a/b', 5), topicOf(decoder, '', 5), topicOf(decoder, 'a/c', 5)]
    expect([...topics, topicOf(decoder, '', 5)]).toEqual(['a/b', 'a/b', 'a/c', 'a/c'])
  })

  it('is apart from the others, and from topics without', () => {
    const decoder = aliasing()
    for (const alias of [1, 2, 3]) topicOf(decoder, `t/${alias}`, alias)
    decode(0x30, bytes('t/x', 0), 5, decoder)
    expect([3, 1, 2].map((alias) => topicOf(decoder, '', alias))).toEqual(['t/3', 't/1', 't/2'])
  })

  it('may stand between other properties, which travel on without it', () => {
    const decoder = aliasing()
    const properties = bytes(0x26, 'k', 'v', 0x23, 0, 1, 0x01, 1)
    const { message } = decode(0x32, bytes('a', 0, 9, properties.length, properties, Buffer.from('p')), 5, decoder)
    expect([message.topic, message.payload.toString(), message.properties]).toEqual([
      'a',
      'p',
      bytes(0x26, 'k', 'v', 0x01, 1),
    ])
  })

  it.each([0, 1] as const)('is not sent on: a subscriber at QoS %i gets the topic', async (qos) => {
    const decoder = aliasing()
    topicOf(decoder, 'a/b', 1)
    const { message } = decode(
      qos === 0 ? 0x30 : 0x32,
      bytes('', ...(qos === 0 ? [] : [0, 7]), ALIAS(1), 0x70),
      5,
      decoder,
    )
    expect(await encode(message, 5, {})).toEqual(bytes(0x30, 7, 'a/b', 0, 0x70))
    expect(await encode(message, 4, { qos: 1 }, 9)).toEqual(bytes(0x32, 8, 'a/b', 0, 9, 0x70))
    message.keep()
    expect(await encode(message, 5, { qos: 2 }, 9)).toEqual(bytes(0x34, 9, 'a/b', 0, 9, 0, 0x70))
  })

  it('is refused with 0x94 when it is 0 or above the maximum [MQTT-3.3.2-8, MQTT-3.3.2-9], with or without a topic', () => {
    const decoder = aliasing()
    for (const [topic, alias] of [
      ['a', 0],
      ['', 0],
      ['a', 6],
      ['', 6],
    ] as const) {
      expect(outcome(() => topicOf(decoder, topic, alias))).toBe(0x94)
    }
  })

  it('is refused with 0x82 when it stands for nothing yet (section 3.3.4), on this connection', () => {
    topicOf(aliasing(), 'a', 1)
    expect(outcome(() => topicOf(aliasing(), '', 1))).toBe(0x82)
  })

  it('is checked once, when it is defined: a topic that is none defines nothing', () => {
    const decoder = aliasing()
    expect(outcome(() => topicOf(decoder, 'a/#', 1))).toBe(0x90)
    expect(outcome(() => topicOf(decoder, '', 1))).toBe(0x82)
  })
})

describe('a topic alias to a client', () => {
  const on = (topic: string, fields: Partial<MessageFields> = {}) =>
    Message.of({ topic, payload: Buffer.from('p'), ...fields })

  it('comes with the topic first, and in its place from then on', async () => {
    const aliases = new OutgoingAliases(5)
    const sent = [await encode(on('a/b'), 5, {}, 0, 0, aliases), await encode(on('a/b'), 5, { qos: 1 }, 9, 0, aliases)]
    expect(sent).toEqual([
      bytes(0x30, 10, 'a/b', 3, 0x23, 0, 1, Buffer.from('p')),
      bytes(0x32, 9, '', 0, 9, 3, 0x23, 0, 1, Buffer.from('p')),
    ])
  })

  it('stands beside expiry, identifiers and other properties', async () => {
    const aliases = new OutgoingAliases(5)
    const full = on('a', { properties: bytes(0x26, 'k', 'v'), expiresAt: NOW + 60_000 })
    const added = bytes(0x26, 'added', 'yes')
    const properties = bytes(0x02, 0, 0, 0, 60, 0x23, 0, 1, 0x0b, 7, 0x26, 'k', 'v', added)
    const sent = await encode(full, 5, { dup: true, qos: 1, identifiers: [7], properties: added }, 9, 0, aliases)
    const body = bytes('a', 0, 9, properties.length, properties, Buffer.from('p'))
    expect(sent).toEqual(bytes(0x3a, body.length, body))
  })

  it('is given to as many topics as the client takes; the others go as they are', async () => {
    const aliases = new OutgoingAliases(2)
    const topics = ['one', 'two', 'three', 'one', 'three', 'two']
    const sent: Buffer[] = []
    for (const topic of topics) sent.push(await encode(on(topic), 5, {}, 0, 0, aliases))
    const read = (packet: Buffer) => parse(packet)
    expect(sent.map(read)).toEqual([
      ['one', 1],
      ['two', 2],
      ['three', undefined],
      ['', 1],
      ['three', undefined],
      ['', 2],
    ])
  })

  it('is not taken for told when its message was too large to be sent [MQTT-3.1.2-24]', async () => {
    const aliases = new OutgoingAliases(5)
    expect((await encode(on('a/b', { payload: Buffer.alloc(100) }), 5, {}, 0, 100, aliases)).length).toBe(0)
    expect(await encode(on('a/b'), 5, {}, 0, 100, aliases)).toEqual(bytes(0x30, 10, 'a/b', 3, 0x23, 0, 1, 0x70))
  })

  it('is left out of a message that fits without it alone', async () => {
    const aliases = new OutgoingAliases(5)
    const small = bytes(0x30, 7, 'a/b', 0, 0x70)
    expect(await encode(on('a/b'), 5, {}, 0, 9, aliases)).toEqual(small)
    expect((await encode(on('a/b'), 5, {}, 0, 12, aliases)).length).toBe(12)
  })

  it('serves topics and payloads of any size', async () => {
    const aliases = new OutgoingAliases(5)
    const message = on('t'.repeat(10_000), { payload: Buffer.alloc(50_000, 'p') })
    for (const topic of [message.topic, '']) {
      const packet = await encode(message, 5, { qos: 1 }, 9, 0, aliases)
      expect(parse(packet)).toEqual([topic, 1])
      expect(packet.subarray(-50_000).equals(message.payload)).toBe(true)
    }
  })

  it('is not for MQTT 3.1.1', async () => {
    expect(await encode(on('a'), 4, {}, 0, 0, new OutgoingAliases(5))).toEqual(bytes(0x30, 4, 'a', Buffer.from('p')))
  })
})

describe('a PUBLISH to a client', () => {
  const message = Message.of({ topic: 'a/b', payload: Buffer.from('hello') })

  it('of MQTT 3.1.1', async () => {
    expect(await encode(message, 4, {})).toEqual(bytes(0x30, 10, 'a/b', Buffer.from('hello')))
    const acknowledged = await encode(message, 4, { qos: 2, retain: true, dup: true }, 258)
    expect(acknowledged).toEqual(bytes(0x3d, 12, 'a/b', 1, 2, Buffer.from('hello')))
  })

  it('of MQTT 5.0 has properties: expiry, identifiers, those of the publisher, those added', async () => {
    const full = Message.of({
      topic: 'a',
      payload: Buffer.from('p'),
      properties: bytes(0x26, 'k', 'v'),
      expiresAt: NOW + 60_000,
    })
    const added = bytes(0x26, 'added', 'yes')
    const properties = bytes(0x02, 0, 0, 0, 60, 0x0b, 7, 0x0b, 0x80, 1, 0x26, 'k', 'v', added)
    expect(await encode(full, 5, { qos: 1, identifiers: [7, 128], properties: added }, 9)).toEqual(
      bytes(0x32, 3 + 2 + 1 + properties.length + 1, 'a', 0, 9, properties.length, properties, Buffer.from('p')),
    )
  })

  it('of MQTT 3.1.1 has none of them', async () => {
    const full = Message.of({
      topic: 'a',
      payload: Buffer.from('p'),
      properties: bytes(0x26, 'k', 'v'),
      expiresAt: NOW,
    })
    expect(await encode(full, 4, { identifiers: [7] })).toEqual(bytes(0x30, 4, 'a', Buffer.from('p')))
  })

  it.each([
    [60_000, 60],
    [59_001, 60],
    [59_000, 59],
    [1, 1],
    [0, 0],
    [-5_000, 0],
  ])('has the remaining expiry [MQTT-3.3.2-6], rounded up: of %i ms %i s', async (remainingMs, seconds) => {
    const expiring = Message.of({ topic: 'a', payload: Buffer.alloc(0), expiresAt: NOW + remainingMs })
    expect(await encode(expiring, 5, {})).toEqual(bytes(0x30, 9, 'a', 5, 0x02, 0, 0, 0, seconds))
  })

  it('is counted in whichever way it is written, and not when it is not', async () => {
    const counters = new Counters()
    const out = new WriteBuffer(new SlowSink(), new WriteScheduler(counters), 1_000_000)
    const aliases = new OutgoingAliases(1)
    const ways = [
      [4, { identifiers: null }, null],
      [5, { identifiers: [1] }, null],
      [5, { identifiers: null }, aliases],
      [5, { identifiers: null }, aliases],
    ] as const
    for (const [version, options, known] of ways) {
      writePublish(out, version, message, 0, { ...PLAIN, ...options }, 0, NOW, known)
      writePublish(out, version, message, 0, { ...PLAIN, ...options }, 5, NOW, known)
    }
    await turn()
    expect([counters.packetsSent, counters.publishSent, counters.publishBytesSent]).toEqual([4, 4, 4 * 'hello'.length])
  })

  it('is made once for all subscribers of a kind', async () => {
    const shared = Message.of({ topic: 'a', payload: Buffer.from('p') })
    await encode(shared, 4, {})
    const frames = [...(shared.frames as Buffer[])]
    await encode(shared, 4, { retain: true })
    expect((shared.frames as Buffer[])[0]).toBe(frames[0])
    expect(await encode(shared, 4, {})).toEqual(bytes(0x30, 4, 'a', Buffer.from('p')))
  })

  it('is not sent when it has more bytes than the client takes [MQTT-3.1.2-24]', async () => {
    expect((await encode(message, 4, {}, 0, 12)).length).toBe(12)
    expect((await encode(message, 4, {}, 0, 11)).length).toBe(0)
    const large = Message.of({ topic: 'a', payload: Buffer.alloc(100_000) })
    expect((await encode(large, 5, { identifiers: [1] }, 0, 100_000)).length).toBe(0)
  })
})

describe('a PUBLISH that leaves as it came', () => {
  it('gets the flags and the identifier of its receiver, and the bytes that came are untouched', async () => {
    const { message } = decode(0x3b, bytes('a', 0, 7, Buffer.from('p')))
    const before = Buffer.from(message.bytes)
    expect(await encode(message, 4, { qos: 1 }, 1_000)).toEqual(bytes(0x32, 6, 'a', 3, 232, Buffer.from('p')))
    expect(message.bytes).toEqual(before)
  })

  it('large ones too, whose payload is not copied', async () => {
    const payload = Buffer.alloc(20_000, 'p')
    const packet = Buffer.concat([Buffer.from([0x32, 0xa5, 0x9c, 0x01]), bytes('a', 0, 7), payload])
    expect(packet.length - 4).toBe(0x25 + 0x1c * 128 + 16_384)
    const decoder = new PublishDecoder(4, 'me', 10)
    const message = decoder.decode(packet, 0, 4, packet.length, NOW)
    const before = Buffer.from(packet)
    const sent = await encode(message, 4, { qos: 2, dup: true }, 1_000)
    const expected = Buffer.from(before)
    expected[0] = 0x3c
    expected[7] = 3
    expected[8] = 232
    expect(sent.equals(expected)).toBe(true)
    expect(packet.equals(before)).toBe(true)
  })
})
