/** PUBLISH: section 3.3 of both specifications, but for retained messages, which have a file of their own. */

import { describe, expect, it } from 'vitest'
import { definePlugin } from '../../src/plugin.ts'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, properties, rawText } from '../helpers/packets.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import {
  arrived,
  expectRefused,
  fresh,
  LEVELS,
  nextMessage,
  noProperties,
  payloads,
  publish,
  subscribe,
  VERSIONS,
} from './support.ts'

/** A part of the topic space whose messages cannot be kept, as when a disk is full. */
const failing = definePlugin({
  name: 'failing',
  setup: ({ namespace }) => {
    const accept = () => Promise.reject(new Error('no space left on device'))
    namespace('failing/', { accept, subscribe: () => undefined, unsubscribe() {} })
    return undefined
  },
})

const broker = sharedBroker({}, { plugins: [failing] })

describe.each(VERSIONS)('PUBLISH on MQTT $name', ({ version }) => {
  const none = noProperties(version)

  it('[MQTT-3.3.1-2] [3.1.1: MQTT-3.3.1-2] with DUP at QoS 0 is malformed', async () => {
    await expectRefused(broker, version, packet(0x38, 'a', none, 1), 0x81)
    await expectRefused(broker, version, packet(0x39, 'a', none, 1), 0x81)
  })

  it.each(LEVELS)(
    '[MQTT-3.3.1-3, MQTT-3.3.1-2] [3.1.1: MQTT-3.3.1-3, MQTT-3.3.1-2] DUP of a message at QoS %i is not passed on',
    async (qos) => {
      const reader = await connectRaw(broker.port, { protocolVersion: version })
      const writer = await connectRaw(broker.port, { protocolVersion: version })
      const topic = fresh('t')
      await subscribe(reader, topic, { qos })
      await publish(writer, topic, 'x', { qos: 1, dup: true })
      await publish(writer, topic, 'y', { qos: 2, dup: true })
      const level = (published: number) => Math.min(published, qos)
      expect(await nextMessage(reader)).toBe(`x at ${level(1)}`)
      expect(await nextMessage(reader)).toBe(`y at ${level(2)}`)
    },
  )

  it('[MQTT-3.3.1-4] [3.1.1: MQTT-3.3.1-4] at QoS 3 is malformed', async () => {
    for (const first of [0x36, 0x37, 0x3e, 0x3f]) {
      await expectRefused(broker, version, packet(first, 'a', 0, 1, none, 1), 0x81)
    }
  })

  it.each([
    ['is empty', packet(0x30)],
    ['has half a length', packet(0x30, 0)],
    ['has a topic cut short', packet(0x30, 0, 9, 0x61)],
    ['has no packet identifier at QoS 1', packet(0x32, 'a')],
    ['has half a packet identifier at QoS 2', packet(0x34, 'a', 0)],
  ])('[MQTT-3.3.2-1] [3.1.1: MQTT-3.3.2-1] that %s is malformed', async (_, sent) => {
    await expectRefused(broker, version, sent, 0x81)
  })

  it('[MQTT-3.3.2-1] [3.1.1: MQTT-3.3.2-1] on a topic that is not UTF-8 is malformed', async () => {
    await expectRefused(broker, version, packet(0x30, rawText(0x61, 0xff), none, 1), 0x81)
  })

  it.each(['#', '+', 'a/#', '+/a', 'a/+/b', 'a#', 'a+b'])(
    '[MQTT-3.3.2-2, MQTT-4.7.0-1] [3.1.1: MQTT-3.3.2-2, MQTT-4.7.1-1] on %j is refused: a topic has no wildcards',
    async (topic) => {
      await expectRefused(broker, version, packet(0x30, topic, none, 1), 0x90)
      await expectRefused(broker, version, packet(0x32, topic, 0, 1, none, 1), 0x90)
      await expectRefused(broker, version, packet(0x35, topic, 0, 1, none, 1), 0x90)
    },
  )

  it('[MQTT-3.3.2-3] [3.1.1: MQTT-3.3.2-3] to a subscriber has the topic that it was published on', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = `${fresh('t')}/b/c`
    for (const filter of [topic, topic.replace('/b/', '/+/'), topic.replace('/b/c', '/#')])
      await subscribe(client, filter)
    await publish(client, topic, 'x')
    expect(await arrived(client)).toMatchObject([{ topic }])
  })

  it('[MQTT-3.3.4-1] [3.1.1: MQTT-3.3.4-1] is answered with nothing, PUBACK or PUBREC, as its QoS wants', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    await subscribe(await connectRaw(broker.port), topic, { qos: 0 })
    client.sendBytes(packet(0x30, topic, none, 1))
    client.sendBytes(packet(0x32, topic, 0, 1, none, 1))
    client.sendBytes(packet(0x34, topic, 0, 2, none, 1))
    await client.settled()
    expect(client.frames.slice(1, 3)).toEqual([packet(0x40, 0, 1), packet(0x50, 0, 2)])
    expect(client.frames).toHaveLength(4)
  })

  it.each([
    [[0, 1], 1],
    [[2, 1, 0], 2],
    [[1, 1], 1],
    [[0, 0], 0],
  ] as const)(
    '[MQTT-3.3.4-2] [3.1.1: MQTT-3.3.5-1] with subscriptions at QoS %j that overlap is delivered at QoS %i',
    async (granted, expected) => {
      const client = await connectRaw(broker.port, { protocolVersion: version })
      const prefix = fresh('t')
      const filters = [`${prefix}/a`, `${prefix}/+`, `${prefix}/#`]
      for (const [i, qos] of granted.entries()) await subscribe(client, filters[i]!, { qos })
      await publish(await connectRaw(broker.port), `${prefix}/a`, 'x', { qos: 2 })
      expect(await nextMessage(client)).toBe(`x at ${expected}`)
      expect(await payloads(client)).toEqual([])
    },
  )

  it('any bytes are a payload, none too', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    await subscribe(client, topic)
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    for (const payload of [Buffer.alloc(0), every]) {
      client.sendBytes(packet(0x30, topic, none, payload))
      expect((await client.next('publish')).payload).toEqual(payload)
    }
  })
})

describe('PUBLISH on MQTT 3.1.1', () => {
  it.each(LEVELS)(
    '[3.1.1: MQTT-3.3.5-2] that is not allowed ends the connection: it is not acknowledged at QoS %i',
    async (qos) => {
      const identifier = qos === 0 ? [] : [0, 1]
      await expectRefused(broker, 4, packet(0x30 | (qos << 1), '$SYS/forged', ...identifier, 1), 0x87)
    },
  )

  it.each(LEVELS)(
    '[3.1.1: MQTT-4.8.0-2] that the broker cannot keep ends the connection: it is not acknowledged at QoS %i',
    async (qos) => {
      const client = await connectRaw(broker.port)
      client.sendBytes(packet(0x30 | (qos << 1), 'failing/t', ...(qos === 0 ? [] : [0, 1]), 1))
      await client.end()
      expect(client.frames).toHaveLength(1)
    },
  )

  it('on a topic of no characters closes the connection', async () => {
    await expectRefused(broker, 4, packet(0x30, '', 1), 0x82)
  })
})

describe('PUBLISH on MQTT 5.0', () => {
  /** What a subscriber gets of a message with these properties: the bytes between topic and payload. */
  async function passedOn(...sent: Array<number | string | Buffer>): Promise<Buffer> {
    const reader = await connectRaw(broker.port, { protocolVersion: 5 })
    const writer = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    await subscribe(reader, topic, { qos: 0 })
    writer.sendBytes(packet(0x30, topic, properties(...sent), Buffer.from('payload')))
    await reader.next('publish')
    const [frame] = reader.framesOf(3)
    return frame!.subarray(4 + topic.length, -'payload'.length)
  }

  it.each([
    ['the payload format', [0x01, 1]],
    ['a payload format of 0', [0x01, 0]],
    ['the response topic', [0x08, 'answers/here']],
    ['the correlation data', [0x09, Buffer.from([0, 4, 0, 0xff, 0x80, 1])]],
    ['correlation data of no bytes', [0x09, '']],
    ['a user property', [0x26, 'name', 'välue']],
    ['an empty user property', [0x26, '', '']],
    ['the content type', [0x03, 'text/plain']],
    ['an empty content type', [0x03, '']],
    ['all of them', [0x03, 'a/b', 0x26, 'b', '1', 0x09, 'data', 0x26, 'a', '2', 0x08, 'answers', 0x01, 1]],
  ])(
    '[MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-20] passes on %s as it came',
    async (_, sent) => {
      expect(await passedOn(...sent)).toEqual(properties(...sent))
    },
  )

  it('[MQTT-3.3.2-17, MQTT-3.3.2-18] passes on every user property, in order', async () => {
    const sent = [0x26, 'b', '1', 0x26, 'a', '2', 0x26, 'b', '1', 0x26, '', '', 0x26, 'a', '3']
    expect(await passedOn(...sent)).toEqual(properties(...sent))
  })

  it('[MQTT-3.3.2-6] passes on the message expiry, less the time that the message has waited', async () => {
    const sent = await passedOn(0x02, 0, 0, 1, 0)
    expect([...sent.subarray(0, 2)]).toEqual([5, 0x02])
    expect(sent.readUInt32BE(2)).toBeGreaterThan(250)
    expect(sent.readUInt32BE(2)).toBeLessThanOrEqual(256)
  })

  it('[MQTT-3.3.2-5] a message whose time is up before it is sent is not sent', async () => {
    const writer = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    const expired = properties(0x02, 0, 0, 0, 0)
    const reader = await connectRaw(broker.port, { protocolVersion: 5, properties: { receiveMaximum: 1 } })
    await subscribe(reader, topic, { qos: 1 })
    await publish(writer, topic, 'blocks the window', { qos: 1 })
    writer.sendBytes(packet(0x32, topic, 0, 7, expired, 0x78))
    await writer.next('puback')
    await publish(writer, topic, 'lasts', { qos: 1 })
    const { messageId } = await reader.next('publish')
    reader.send({ cmd: 'puback', messageId: messageId! })
    expect(await nextMessage(reader)).toBe('lasts at 1')
  })

  it('[MQTT-3.3.2-8] with the topic alias 0 is refused with 0x94', async () => {
    await expectRefused(broker, 5, packet(0x30, 'a', properties(0x23, 0, 0), 1), 0x94)
  })

  // Branch mqtt5: aliases are not offered yet.
  it('[MQTT-3.3.2-12] every alias up to the announced maximum is accepted, and stands for its topic', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const maximum = client.connack.properties?.topicAliasMaximum ?? 0
    expect(maximum).toBeGreaterThan(0)
    const prefix = fresh('t')
    await subscribe(client, `${prefix}/#`)
    for (const alias of [1, maximum]) {
      const all = properties(0x23, alias >> 8, alias & 0xff)
      client.sendBytes(packet(0x30, `${prefix}/${alias}`, all, 0x31))
      client.sendBytes(packet(0x30, '', all, 0x32))
    }
    const topics = (await arrived(client)).map(({ topic }) => topic)
    expect(topics).toEqual([1, 1, maximum, maximum].map((alias) => `${prefix}/${alias}`))
  })

  it('[MQTT-3.3.2-7] an alias of another connection, or of none, stands for nothing', async () => {
    const clientId = fresh('aliases')
    const before = await connectRaw(broker.port, { protocolVersion: 5, clientId })
    if ((before.connack.properties?.topicAliasMaximum ?? 0) > 0) {
      before.sendBytes(packet(0x30, fresh('t'), properties(0x23, 0, 1), 0x31))
      await before.settled()
    }
    const after = await connectRaw(broker.port, { protocolVersion: 5, clientId })
    after.sendBytes(packet(0x30, '', properties(0x23, 0, 1), 0x32))
    const { reasonCode } = await after.next('disconnect')
    expect([0x82, 0x94]).toContain(reasonCode)
    await after.end()
  })

  it.each([1, 2] as const)(
    'that the broker cannot keep is answered at QoS %i with 0x80, and the connection goes on',
    async (qos) => {
      const client = await connectRaw(broker.port, { protocolVersion: 5 })
      client.sendBytes(packet(0x30 | (qos << 1), 'failing/t', 0, 1, 0, 1))
      expect(await client.next(qos === 1 ? 'puback' : 'pubrec')).toMatchObject({ messageId: 1, reasonCode: 0x80 })
      await client.settled()
    },
  )

  it('without a topic and without an alias is a protocol error', async () => {
    await expectRefused(broker, 5, packet(0x30, '', 0, 1), 0x82)
  })

  it('[MQTT-3.3.2-13] with a response topic that is not UTF-8 is malformed', async () => {
    await expectRefused(broker, 5, packet(0x30, 'a', properties(0x08, rawText(0xff)), 1), 0x81)
  })

  it.each(['#', '+', 'a/#', 'a/+', ''])(
    '[MQTT-3.3.2-14] with the response topic %j is a protocol error',
    async (topic) => {
      await expectRefused(broker, 5, packet(0x30, 'a', properties(0x08, topic), 1), 0x82)
    },
  )

  it('[MQTT-3.3.2-19] with a content type that is not UTF-8 is malformed', async () => {
    await expectRefused(broker, 5, packet(0x30, 'a', properties(0x03, rawText(0xc3)), 1), 0x81)
  })

  it('[MQTT-3.3.4-3, MQTT-3.3.4-4] has the identifiers of all subscriptions that match', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const prefix = fresh('t')
    await subscribe(client, `${prefix}/a`, { qos: 0 }, 1)
    await subscribe(client, `${prefix}/+`, { qos: 1 }, 268_435_455)
    await subscribe(client, `${prefix}/#`, { qos: 2 })
    await subscribe(client, `${prefix}/b`, { qos: 2 }, 7)
    await publish(client, `${prefix}/a`, 'x', { qos: 2 })
    const { properties: received, qos } = await client.next('publish')
    expect([received!.subscriptionIdentifier].flat().toSorted()).toEqual([1, 268_435_455])
    expect(qos).toBe(2)
    expect(await payloads(client)).toEqual([])
  })

  it('[MQTT-3.3.4-3] has the identifier that the subscription has now', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    await subscribe(client, topic, { qos: 0 }, 1)
    await subscribe(client, topic, { qos: 0 }, 2)
    await publish(client, topic, 'x')
    expect((await client.next('publish')).properties).toMatchObject({ subscriptionIdentifier: 2 })
    await subscribe(client, topic, { qos: 0 })
    await publish(client, topic, 'x')
    expect((await client.next('publish')).properties ?? {}).not.toHaveProperty('subscriptionIdentifier')
  })

  it('[MQTT-3.3.4-6] with a subscription identifier is a protocol error: that is for the broker to send', async () => {
    await expectRefused(broker, 5, packet(0x30, 'a', properties(0x0b, 1), 1), 0x82)
  })

  // Branch mqtt5: the broker announces no Receive Maximum yet.
  it('[MQTT-3.3.4-7] above the Receive Maximum of the broker ends the connection with 0x93', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const maximum = client.connack.properties?.receiveMaximum ?? 65_535
    expect(maximum).toBeLessThan(65_535)
    const message = (i: number) => packet(0x34, 'window', i >> 8, i & 0xff, 0, 1)
    client.sendBytes(Buffer.concat(Array.from({ length: maximum + 1 }, (_, i) => message(i + 1))))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x93 })
    expect(client.framesOf(5)).toHaveLength(maximum)
  })

  it('[MQTT-3.3.4-9, MQTT-4.9.0-1, MQTT-4.9.0-2] is sent at QoS 1 and 2 no more often than the Receive Maximum without an answer', async () => {
    const reader = await connectRaw(broker.port, { protocolVersion: 5, properties: { receiveMaximum: 2 } })
    const writer = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    await subscribe(reader, topic)
    for (const [i, qos] of [1, 2, 1, 2, 1].entries()) await publish(writer, topic, String(i), { qos: qos as 1 | 2 })
    const [first, second] = await arrived(reader)
    expect([first, second].map((message) => message!.payload.toString())).toEqual(['0', '1'])
    reader.send({ cmd: 'pubrec', messageId: second!.messageId! })
    await reader.next('pubrel')
    expect(await payloads(reader)).toEqual([])
    reader.send({ cmd: 'pubcomp', messageId: second!.messageId! })
    expect(await payloads(reader)).toEqual(['2'])
    reader.send({ cmd: 'puback', messageId: first!.messageId! })
    const [next] = await arrived(reader)
    expect(next!.payload.toString()).toBe('3')
    reader.send({ cmd: 'pubrec', messageId: next!.messageId!, reasonCode: 0x80 })
    expect(await payloads(reader)).toEqual(['4'])
  })

  it('[MQTT-3.3.4-10, MQTT-4.9.0-3] everything else goes on while the Receive Maximum is used up', async () => {
    const reader = await connectRaw(broker.port, { protocolVersion: 5, properties: { receiveMaximum: 1 } })
    const topic = fresh('t')
    await subscribe(reader, topic, { qos: 1 })
    await publish(reader, topic, 'fills it', { qos: 1 })
    await publish(reader, topic, 'waits', { qos: 1 })
    await publish(reader, topic, 'passes at QoS 0')
    await publish(reader, fresh('t'), 'x', { qos: 2 })
    expect(await subscribe(reader, fresh('t'), { qos: 1 })).toBe(1)
    expect(await payloads(reader)).toEqual(['fills it', 'passes at QoS 0'])
    reader.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [topic] })
    await reader.next('unsuback')
  })

  it.each([
    ['an unknown property', 0x81, properties(0x7e, 0)],
    ['a property of SUBSCRIBE and CONNECT', 0x81, properties(0x11, 0, 0, 0, 1)],
    ['the will delay', 0x81, properties(0x18, 0, 0, 0, 1)],
    ['a reason string', 0x81, properties(0x1f, 'why')],
    ['a property cut short', 0x81, properties(0x02, 0, 0)],
    ['a string that runs beyond the properties', 0x81, properties(0x03, 0, 9, 0x61)],
    ['properties that run beyond the packet', 0x81, Buffer.from([50, 0x01, 1])],
    ['the payload format 2', 0x82, properties(0x01, 2)],
    ['the payload format twice', 0x82, properties(0x01, 1, 0x01, 1)],
    ['the message expiry twice', 0x82, properties(0x02, 0, 0, 0, 9, 0x02, 0, 0, 0, 9)],
    ['the content type twice', 0x82, properties(0x03, 'a', 0x03, 'a')],
    ['the response topic twice', 0x82, properties(0x08, 'a', 0x08, 'a')],
    ['the correlation data twice', 0x82, properties(0x09, 'a', 0x09, 'a')],
    ['the topic alias twice', 0x82, properties(0x23, 0, 1, 0x23, 0, 1)],
  ])('[MQTT-4.13.1-1] with %s is refused, at every QoS', async (_, code, all) => {
    await expectRefused(broker, 5, packet(0x30, 'a', all), code)
    await expectRefused(broker, 5, packet(0x32, 'a', 0, 1, all), code)
    await expectRefused(broker, 5, packet(0x35, 'a', 0, 1, all), code)
  })
})
