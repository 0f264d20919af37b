/** Data representation and the form of packets: chapters 1 and 2 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { bytes, packet, properties, rawText } from '../helpers/packets.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import {
  arrived,
  connectPacket,
  expectRefused,
  expectTurnedAway,
  fresh,
  noProperties,
  publish,
  subscribe,
  VERSIONS,
  type Version,
} from './support.ts'

const broker = sharedBroker()

const ILL_FORMED: Record<string, number[]> = {
  'a stray continuation byte': [0x61, 0x80],
  'a sequence cut short': [0x61, 0xe2, 0x82],
  'an overlong encoding': [0xc0, 0xaf],
  'the surrogate U+D800': [0xed, 0xa0, 0x80],
  'the surrogate U+DFFF': [0xed, 0xbf, 0xbf],
  'what lies beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a byte that is never UTF-8': [0xff],
}

/** Where a client's packets have text, once it is connected. */
const TEXTS: Record<string, (text: Buffer, none: Buffer) => Buffer> = {
  'a topic': (text, none) => packet(0x30, text, none, 1),
  'the filter of SUBSCRIBE': (text, none) => packet(0x82, 0, 1, none, text, 0),
  'the filter of UNSUBSCRIBE': (text, none) => packet(0xa2, 0, 1, none, text),
}

const TEXTS_OF_5: Record<string, (text: Buffer) => Buffer> = {
  'a content type': (text) => packet(0x30, 'a', properties(0x03, text), 1),
  'a response topic': (text) => packet(0x30, 'a', properties(0x08, text), 1),
  'the reason string of PUBACK': (text) => packet(0x40, 0, 1, 0, properties(0x1f, text)),
  'the reason string of PUBREC': (text) => packet(0x50, 0, 1, 0, properties(0x1f, text)),
  'the reason string of PUBREL': (text) => packet(0x62, 0, 1, 0, properties(0x1f, text)),
  'the reason string of PUBCOMP': (text) => packet(0x70, 0, 1, 0, properties(0x1f, text)),
  'the reason string of DISCONNECT': (text) => packet(0xe0, 0, properties(0x1f, text)),
}

/** Where CONNECT has text. */
const CONNECT_TEXTS: Record<string, (text: Buffer, version: Version) => Buffer> = {
  'the client identifier': (text, version) => connectPacket(version, 0x02, text),
  'the will topic': (text, version) => connectPacket(version, 0x06, 'c', noProperties(version), text, 'w'),
  'the user name': (text, version) => connectPacket(version, 0x82, 'c', text),
}

describe.each(VERSIONS)('text on MQTT $name', ({ version }) => {
  const places = Object.keys({ ...TEXTS, ...(version === 5 ? TEXTS_OF_5 : {}) })
  const make = (place: string, ...content: number[]): Buffer =>
    ({ ...TEXTS, ...TEXTS_OF_5 })[place]!(rawText(...content), noProperties(version))

  it.each(Object.keys(ILL_FORMED))(
    '[MQTT-1.5.4-1] [3.1.1: MQTT-1.5.3-1] that is not UTF-8, with %s, is malformed wherever it stands',
    async (what) => {
      for (const place of places) await expectRefused(broker, version, make(place, ...ILL_FORMED[what]!), 0x81)
    },
  )

  it('[MQTT-1.5.4-2] [3.1.1: MQTT-1.5.3-2] with U+0000 is malformed wherever it stands', async () => {
    for (const place of places) await expectRefused(broker, version, make(place, 0x61, 0, 0x62), 0x81)
  })

  it.each(Object.keys(CONNECT_TEXTS))(
    '[MQTT-1.5.4-1, MQTT-1.5.4-2] [3.1.1: MQTT-1.5.3-1, MQTT-1.5.3-2] of CONNECT is as strict: %s',
    async (place) => {
      const code = version === 5 ? 0x81 : undefined
      for (const content of [...Object.values(ILL_FORMED), [0x61, 0]]) {
        await expectTurnedAway(broker, version, CONNECT_TEXTS[place]!(rawText(...content), version), code)
      }
    },
  )

  it.each([0x01, 0x0a, 0x1f, 0x7f, 0x9f])('does not name anything with the control character %i', async (code) => {
    const content = [...Buffer.from(`a${String.fromCharCode(code)}`)]
    for (const place of Object.keys(TEXTS)) await expectRefused(broker, version, make(place, ...content), 0x81)
    for (const make of Object.values(CONNECT_TEXTS)) {
      await expectTurnedAway(broker, version, make(rawText(...content), version), version === 5 ? 0x81 : undefined)
    }
  })

  it.runIf(version === 5)('has control characters where it names nothing', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('lines')
    await subscribe(client, topic)
    const lines = { contentType: 'text/\u009f', userProperties: { trace: 'one\ntwo\tthree' } }
    client.send({ cmd: 'publish', topic, payload: 'x', qos: 0, dup: false, retain: false, properties: lines })
    const [message] = await arrived(client)
    expect(message?.properties).toMatchObject(lines)
  })

  it('[MQTT-1.5.4-3] [3.1.1: MQTT-1.5.3-3] keeps U+FEFF wherever it stands', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const plain = fresh('feff')
    const marked = `\u{feff}${plain}/\u{feff}`
    await subscribe(client, plain)
    await publish(client, marked, 'not for the topic without it')
    expect(await arrived(client)).toEqual([])
    await subscribe(client, marked)
    await publish(client, marked, 'x')
    const [frame] = client.framesOf(3)
    expect(frame!.subarray(2, 4 + Buffer.byteLength(marked))).toEqual(bytes(marked))
  })
})

describe('on MQTT 5.0', () => {
  it('[MQTT-1.5.4-3] U+FEFF is kept in properties too', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('feff')
    await subscribe(client, topic)
    const text = '\u{feff}text'
    client.send({
      cmd: 'publish',
      topic,
      payload: 'x',
      qos: 0,
      dup: false,
      retain: false,
      properties: { contentType: text, responseTopic: text, userProperties: { [text]: text } },
    })
    const { properties: received } = await client.next('publish')
    expect(received).toMatchObject({ contentType: text, responseTopic: text })
    expect({ ...received!.userProperties }).toEqual({ [text]: text })
  })

  it.each([
    ['the remaining length', () => bytes(0x30, 0x85, 0x00, 'a', 0, 1)],
    ['the length of properties', () => packet(0x30, 'a', 0x80, 0x00, 1)],
    ['the length of the properties of SUBSCRIBE', () => packet(0x82, 0, 1, 0x80, 0x00, 'a', 0)],
    ['a subscription identifier', () => packet(0x82, 0, 1, properties(0x0b, 0x81, 0x00), 'a', 0)],
    ['the remaining length, of five bytes', () => bytes(0x30, 0x80, 0x80, 0x80, 0x80, 0x01)],
    ['the length of properties, of five bytes', () => packet(0x30, 'a', 0x80, 0x80, 0x80, 0x80, 0x01)],
    [
      'a subscription identifier of five bytes',
      () => packet(0x82, 0, 1, properties(0x0b, 0xff, 0xff, 0xff, 0xff, 0x01), 'a', 0),
    ],
  ])('[MQTT-1.5.5-1] a variable byte integer in more bytes than it needs is malformed: %s', async (_, sent) => {
    await expectRefused(broker, 5, sent(), 0x81)
  })

  it.each([
    ['name', (text: Buffer) => [0x26, text, 'value']],
    ['value', (text: Buffer) => [0x26, 'name', text]],
  ] as const)('[MQTT-1.5.7-1] the %s of a user property is as strict as other text', async (_, pair) => {
    for (const content of [...Object.values(ILL_FORMED), [0x61, 0]]) {
      const all = properties(...pair(rawText(...content)))
      await expectRefused(broker, 5, packet(0x30, 'a', all, 1), 0x81)
      await expectRefused(broker, 5, packet(0x82, 0, 1, all, 'a', 0), 0x81)
      await expectRefused(broker, 5, packet(0xa2, 0, 1, all, 'a'), 0x81)
      await expectRefused(broker, 5, packet(0x40, 0, 1, 0, all), 0x81)
      await expectRefused(broker, 5, packet(0xe0, 0, all), 0x81)
      await expectTurnedAway(broker, 5, packet(0x10, 'MQTT', 5, 2, 0, 0, all, 'c'), 0x81)
      await expectTurnedAway(broker, 5, packet(0x10, 'MQTT', 5, 6, 0, 0, 0, 'c', all, 'w', 'w'), 0x81)
    }
  })

  it('[MQTT-2.2.2-1] what the broker sends without properties says so with a length of 0', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('bare')
    client.sendBytes(packet(0x82, 0, 7, 0, topic, 0))
    await client.next('suback')
    client.sendBytes(packet(0x30, topic, 0, 0x31))
    await client.next('publish')
    client.sendBytes(packet(0xa2, 0, 8, 0, topic))
    await client.next('unsuback')
    expect(client.frames.slice(1)).toEqual([
      packet(0x90, 0, 7, 0, 0),
      packet(0x30, topic, 0, 0x31),
      packet(0xb0, 0, 8, 0, 0),
    ])
  })

  it.each([
    ['PUBLISH', packet(0x30, 'a')],
    ['SUBSCRIBE', packet(0x82, 0, 1)],
    ['UNSUBSCRIBE', packet(0xa2, 0, 1)],
  ])('[MQTT-2.2.2-1] a %s without the length of its properties is malformed', async (_, sent) => {
    await expectRefused(broker, 5, sent, 0x81)
  })

  it('[MQTT-2.2.2-1] acknowledgements may leave the length out, or give it', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    for (const body of [[], [0], [0, 0]]) {
      client.sendBytes(packet(0x40, 0, 9, ...body))
      client.sendBytes(packet(0x62, 0, 9, ...body))
      expect(await client.next('pubcomp')).toMatchObject({ messageId: 9 })
    }
  })
})

/** A packet of every type, with reserved bits of its first byte to be set. */
const FLAGGED: Array<{ what: string; right: number; wrong: number[]; sent: (first: number, none: Buffer) => Buffer }> =
  [
    { what: 'PUBACK', right: 0x40, wrong: [0x41, 0x42, 0x44, 0x48], sent: (first) => packet(first, 0, 1) },
    { what: 'PUBREC', right: 0x50, wrong: [0x51, 0x52, 0x58], sent: (first) => packet(first, 0, 1) },
    { what: 'PUBREL', right: 0x62, wrong: [0x60, 0x63, 0x66, 0x6a], sent: (first) => packet(first, 0, 1) },
    { what: 'PUBCOMP', right: 0x70, wrong: [0x71, 0x72, 0x78], sent: (first) => packet(first, 0, 1) },
    {
      what: 'SUBSCRIBE',
      right: 0x82,
      wrong: [0x80, 0x83, 0x86, 0x8a],
      sent: (first, none) => packet(first, 0, 1, none, 'flags', 0),
    },
    {
      what: 'UNSUBSCRIBE',
      right: 0xa2,
      wrong: [0xa0, 0xa3, 0xa6, 0xaa],
      sent: (first, none) => packet(first, 0, 1, none, 'flags'),
    },
    { what: 'PINGREQ', right: 0xc0, wrong: [0xc1, 0xc2, 0xc8], sent: (first) => packet(first) },
    { what: 'DISCONNECT', right: 0xe0, wrong: [0xe1, 0xe2, 0xe8], sent: (first) => packet(first) },
  ]

describe.each(VERSIONS)('packets on MQTT $name', ({ version }) => {
  const none = noProperties(version)

  it.each(FLAGGED)(
    '[MQTT-2.1.3-1] [3.1.1: MQTT-2.2.2-1, MQTT-2.2.2-2] $what with other flags than its own is malformed',
    async ({ wrong, sent }) => {
      for (const first of wrong) await expectRefused(broker, version, sent(first, none), 0x81)
    },
  )

  it('[MQTT-2.1.3-1] [3.1.1: MQTT-2.2.2-1, MQTT-2.2.2-2] CONNECT with flags is malformed', async () => {
    for (const first of [0x11, 0x12, 0x18]) {
      const sent = packet(first, 'MQTT', version, 2, 0, 0, none, 'c')
      await expectTurnedAway(broker, version, sent, undefined)
    }
  })

  it('[MQTT-2.2.1-2] [3.1.1: MQTT-2.3.1-5] a PUBLISH at QoS 0 has no packet identifier', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('qos0')
    await subscribe(client, topic)
    client.sendBytes(packet(0x30, topic, none, 0x31))
    await client.next('publish')
    expect(client.framesOf(3)).toEqual([packet(0x30, topic, none, 0x31)])
  })

  it.each([
    ['PUBLISH at QoS 1', packet(0x32, 'a', 0, 0, none, 1)],
    ['PUBLISH at QoS 2', packet(0x34, 'a', 0, 0, none, 1)],
    ['SUBSCRIBE', packet(0x82, 0, 0, none, 'a', 0)],
    ['UNSUBSCRIBE', packet(0xa2, 0, 0, none, 'a')],
    ['PUBACK', packet(0x40, 0, 0)],
    ['PUBREC', packet(0x50, 0, 0)],
    ['PUBREL', packet(0x62, 0, 0)],
    ['PUBCOMP', packet(0x70, 0, 0)],
  ])('[MQTT-2.2.1-3] [3.1.1: MQTT-2.3.1-1] the packet identifier 0 is refused in %s', async (_, sent) => {
    await expectRefused(broker, version, sent, 0x82)
  })

  it('[MQTT-2.2.1-4] [3.1.1: MQTT-2.3.1-1, MQTT-2.3.1-4] what the broker sends at QoS 1 and 2 has an identifier that is free and not 0', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const writer = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('ids')
    await subscribe(client, topic)
    for (let i = 0; i < 20; i++) await publish(writer, topic, 'x', { qos: i % 2 === 0 ? 1 : 2 })
    const identifiers = (await arrived(client)).map(({ messageId }) => messageId!)
    expect(identifiers).toHaveLength(20)
    expect(new Set(identifiers).size).toBe(20)
    expect(Math.min(...identifiers)).toBeGreaterThan(0)
  })

  it('[MQTT-2.2.1-5] [3.1.1: MQTT-2.3.1-6] acknowledgements have the identifier of their PUBLISH', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    for (const [high, low] of [
      [0, 1],
      [0x12, 0x34],
      [0xff, 0xff],
    ] as const) {
      const messageId = high * 256 + low
      client.sendBytes(packet(0x32, 'ids', high, low, none, 1))
      expect(await client.next('puback')).toMatchObject({ messageId })
      client.sendBytes(packet(0x34, 'ids', high, low, none, 1))
      expect(await client.next('pubrec')).toMatchObject({ messageId })
      client.send({ cmd: 'pubrel', messageId })
      expect(await client.next('pubcomp')).toMatchObject({ messageId })
    }
  })

  it('[MQTT-2.2.1-6] [3.1.1: MQTT-2.3.1-7] SUBACK and UNSUBACK have the identifier of what they answer', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    for (const messageId of [1, 0x1234, 0xffff]) {
      client.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic: 'ids', qos: 0 }] })
      expect(await client.next('suback')).toMatchObject({ messageId })
      client.send({ cmd: 'unsubscribe', messageId, unsubscriptions: ['ids'] })
      expect(await client.next('unsuback')).toMatchObject({ messageId })
    }
  })
})
