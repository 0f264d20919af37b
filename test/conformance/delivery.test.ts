/** Sessions, the QoS flows, redelivery and order: sections 4.1 to 4.6 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, properties } from '../helpers/packets.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'
import {
  fresh,
  LEVELS,
  lasting,
  leave,
  nextMessage,
  noProperties,
  payloads,
  publish,
  subscribe,
  VERSIONS,
  type Version,
} from './support.ts'

const broker = sharedBroker()

/** A session with a subscription, its client connected, and somebody to publish. */
async function scene(version: Version, more = {}) {
  const options = lasting(version, fresh('session'), more)
  const client = await connectRaw(broker.port, options)
  const writer = await connectRaw(broker.port, { protocolVersion: version })
  const topic = fresh('t')
  await subscribe(client, topic)
  const back = async (): Promise<RawClient> => {
    client.socket.destroy()
    return connectRaw(broker.port, options)
  }
  return { options, client, writer, topic, back }
}

/** The next PUBLISH: payload, packet identifier, DUP. */
async function told(client: RawClient): Promise<string> {
  const { payload, messageId, dup } = await client.next('publish')
  return `${payload} ${messageId}${dup ? ' dup' : ''}`
}

describe.each(VERSIONS)('a session on MQTT $name', ({ version }) => {
  it('[MQTT-4.1.0-1] [3.1.1: MQTT-4.1.0-1, MQTT-4.1.0-2] lasts at least as long as its connection, with all that belongs to it', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version, clean: true })
    const topic = fresh('t')
    await subscribe(client, topic)
    client.sendBytes(packet(0x34, topic, 0, 5, noProperties(version), 0x78))
    await client.next('pubrec')
    const { messageId } = await client.next('publish')
    for (let i = 0; i < 20; i++) await client.settled()
    client.sendBytes(packet(0x3c, topic, 0, 5, noProperties(version), 0x78))
    await client.next('pubrec')
    expect(await payloads(client)).toEqual([])
    client.send({ cmd: 'pubrec', messageId: messageId! })
    expect(await client.next('pubrel')).toMatchObject({ messageId })
    await publish(client, topic, 'still subscribed')
    expect(await payloads(client)).toEqual(['still subscribed'])
  })

  it('[3.1.1: MQTT-4.1.0-1, MQTT-3.1.2-5] keeps everything while its client is away', async () => {
    const { client, writer, topic, options } = await scene(version)
    await leave(client)
    await publish(writer, topic, 'one', { qos: 1 })
    await publish(writer, topic, 'at 0')
    await publish(writer, topic, 'two', { qos: 2 })
    const back = await connectRaw(broker.port, options)
    expect(await nextMessage(back)).toBe('one at 1')
    expect(await nextMessage(back)).toBe('two at 2')
    expect(await payloads(back)).toEqual([])
  })

  it.each(LEVELS)(
    '[MQTT-4.5.0-1] [3.1.1: MQTT-4.5.0-1] every session that matches gets a message at QoS %i, each once',
    async (qos) => {
      const prefix = fresh('t')
      const readers: RawClient[] = []
      for (const filter of [`${prefix}/a`, `${prefix}/+`, `${prefix}/#`, '#', `${prefix}/b`]) {
        const reader = await connectRaw(broker.port, { protocolVersion: version })
        await subscribe(reader, filter)
        readers.push(reader)
      }
      const writer = await connectRaw(broker.port, { protocolVersion: version })
      await publish(writer, `${prefix}/a`, 'x', { qos })
      const received = await Promise.all(readers.map(payloads))
      expect(received).toEqual([['x'], ['x'], ['x'], ['x'], []])
    },
  )
})

describe.each(VERSIONS)('what the broker sends on MQTT $name', ({ version }) => {
  const none = noProperties(version)

  it('[MQTT-4.3.1-1] [3.1.1: MQTT-4.3.1-1] at QoS 0 goes once, without DUP', async () => {
    const { client, writer, topic, back } = await scene(version)
    await publish(writer, topic, 'x')
    await client.next('publish')
    expect(client.framesOf(3)).toEqual([packet(0x30, topic, none, Buffer.from('x'))])
    expect(await payloads(await back())).toEqual([])
  })

  it.each([1, 2] as const)(
    '[MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.3-1, MQTT-4.3.3-2] [3.1.1: MQTT-4.3.2-1, MQTT-4.3.3-1] at QoS %i has an identifier that is free, and no DUP',
    async (qos) => {
      const { client, writer, topic } = await scene(version)
      const used = new Set<number>()
      for (let i = 0; i < 10; i++) {
        await publish(writer, topic, 'x', { qos })
        const { messageId, dup } = await client.next('publish')
        expect([used.has(messageId!), dup]).toEqual([false, false])
        used.add(messageId!)
      }
      expect(client.framesOf(3)[0]![0]).toBe(0x30 | (qos << 1))
    },
  )

  it('[MQTT-3.3.1-1, MQTT-4.3.2-3, MQTT-4.4.0-1] [3.1.1: MQTT-3.3.1-1, MQTT-4.3.2-1, MQTT-4.4.0-1] at QoS 1 is sent again after a new connection, with DUP, until PUBACK has come', async () => {
    const { client, writer, topic, options, back } = await scene(version)
    await publish(writer, topic, 'x', { qos: 1 })
    const first = await told(client)
    const second = await back()
    expect(await told(second)).toBe(`${first} dup`)
    second.socket.destroy()
    const third = await connectRaw(broker.port, options)
    expect(await told(third)).toBe(`${first} dup`)
    third.send({ cmd: 'puback', messageId: Number(first.split(' ')[1]) })
    await third.settled()
    third.socket.destroy()
    expect(await payloads(await connectRaw(broker.port, options))).toEqual([])
  })

  it('[MQTT-3.3.1-1, MQTT-4.3.3-3, MQTT-4.4.0-1] [3.1.1: MQTT-3.3.1-1, MQTT-4.3.3-1, MQTT-4.4.0-1] at QoS 2 is sent again after a new connection, with DUP, until PUBREC has come', async () => {
    const { client, writer, topic, back } = await scene(version)
    await publish(writer, topic, 'x', { qos: 2 })
    const first = await told(client)
    expect(await told(await back())).toBe(`${first} dup`)
  })

  it('[MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-4.3.3-6, MQTT-4.4.0-1] [3.1.1: MQTT-4.3.3-1, MQTT-4.4.0-1] at QoS 2 is released by PUBREL, which is sent again until PUBCOMP has come, and PUBLISH is not', async () => {
    const { client, writer, topic, options, back } = await scene(version)
    await publish(writer, topic, 'x', { qos: 2 })
    const { messageId } = await client.next('publish')
    client.send({ cmd: 'pubrec', messageId: messageId! })
    expect(await client.next('pubrel')).toMatchObject({ messageId })
    const second = await back()
    await second.settled()
    expect(second.received).toMatchObject([{ cmd: 'pubrel', messageId }])
    second.send({ cmd: 'pubcomp', messageId: messageId! })
    await second.settled()
    second.socket.destroy()
    const third = await connectRaw(broker.port, options)
    await third.settled()
    expect(third.received).toEqual([])
  })

  it('[MQTT-4.3.3-4] [3.1.1: MQTT-4.3.3-1] PUBREC that comes again is answered with PUBREL again', async () => {
    const { client, writer, topic } = await scene(version)
    await publish(writer, topic, 'x', { qos: 2 })
    const { messageId } = await client.next('publish')
    for (let i = 0; i < 2; i++) {
      client.send({ cmd: 'pubrec', messageId: messageId! })
      expect(await client.next('pubrel')).toMatchObject({ messageId })
    }
  })

  it('[MQTT-4.4.0-1] [3.1.1: MQTT-4.4.0-1] is not sent a second time while the connection lasts', async () => {
    const { client, writer, topic } = await scene(version)
    await publish(writer, topic, 'unanswered', { qos: 1 })
    await publish(writer, topic, 'unanswered', { qos: 2 })
    for (let i = 0; i < 10; i++) await publish(writer, topic, 'others')
    await subscribe(client, topic)
    expect((await payloads(client)).filter((payload) => payload === 'unanswered')).toHaveLength(2)
  })

  it('[MQTT-4.6.0-1] [3.1.1: MQTT-4.6.0-1, MQTT-4.6.0-6] is sent again in the order in which it was sent, before anything new', async () => {
    const { client, writer, topic, back } = await scene(version)
    for (let i = 0; i < 6; i++) await publish(writer, topic, String(i), { qos: i % 2 === 0 ? 1 : 2 })
    const sent: string[] = []
    for (let i = 0; i < 6; i++) sent.push(await told(client))
    client.send({ cmd: 'puback', messageId: Number(sent[2]!.split(' ')[1]) })
    await client.settled()
    const again = await back()
    await publish(writer, topic, 'new', { qos: 1 })
    const expected = sent.filter((_, i) => i !== 2).map((text) => `${text} dup`)
    for (const text of expected) expect(await told(again)).toBe(text)
    expect((await again.next('publish')).payload.toString()).toBe('new')
  })

  it('[MQTT-4.6.0-6] [3.1.1: MQTT-4.6.0-6] comes in the order in which it was published, also where QoS 1 and 2 take turns', async () => {
    const { client, writer, topic, back } = await scene(version)
    const all = Array.from({ length: 12 }, (_, i) => String(i))
    const sendAll = (): void => {
      for (const [i, payload] of all.entries()) {
        writer.sendBytes(packet(i % 2 === 0 ? 0x34 : 0x32, topic, 0, i + 1, none, Buffer.from(payload)))
      }
    }
    sendAll()
    for (const payload of all) expect((await client.next('publish')).payload.toString()).toBe(payload)
    await leave(client)
    for (let id = 1; id <= 12; id += 2) writer.send({ cmd: 'pubrel', messageId: id })
    sendAll()
    await writer.settled()
    const again = await back()
    for (const payload of [...all, ...all]) expect((await again.next('publish')).payload.toString()).toBe(payload)
  })

  it('[MQTT-4.6.0-4] [3.1.1: MQTT-4.6.0-4, MQTT-4.6.0-6] PUBREL goes out in the order of PUBREC', async () => {
    const { client, writer, topic } = await scene(version)
    const identifiers: number[] = []
    for (let i = 0; i < 5; i++) {
      await publish(writer, topic, String(i), { qos: 2 })
      identifiers.push((await client.next('publish')).messageId!)
    }
    const order = [3, 0, 4, 2, 1].map((i) => identifiers[i]!)
    client.sendTogether(...order.map((messageId) => ({ cmd: 'pubrec', messageId }) as const))
    for (const messageId of order) expect(await client.next('pubrel')).toMatchObject({ messageId })
  })

  it.each(LEVELS)(
    '[MQTT-4.6.0-5, MQTT-4.6.0-6] [3.1.1: MQTT-4.6.0-5, MQTT-4.6.0-6] at QoS %i comes in the order in which each client published it',
    async (qos) => {
      const { client, topic } = await scene(version)
      const writers = [
        await connectRaw(broker.port, { protocolVersion: version }),
        await connectRaw(broker.port, { protocolVersion: version }),
      ]
      const count = 40
      for (let i = 0; i < count; i++) {
        for (const [who, writer] of writers.entries()) {
          const identifier = qos === 0 ? [] : [0, i + 1]
          writer.sendBytes(packet(0x30 | (qos << 1), topic, ...identifier, none, who, i))
        }
      }
      const seen: number[][] = [[], []]
      for (let i = 0; i < 2 * count; i++) {
        const { payload } = await client.next('publish')
        const [who, index] = payload as Buffer
        seen[who!]!.push(index!)
      }
      const inOrder = Array.from({ length: count }, (_, i) => i)
      expect(seen).toEqual([inOrder, inOrder])
    },
  )
})

describe.each(VERSIONS)('what the broker receives on MQTT $name', ({ version }) => {
  const none = noProperties(version)
  const message = (first: number, topic: string, identifier: number, payload: number) =>
    packet(first, topic, 0, identifier, none, payload)

  it('[MQTT-4.3.2-4] [3.1.1: MQTT-4.3.2-2] at QoS 1 is acknowledged with PUBACK, once it is passed on', async () => {
    const { client, writer, topic } = await scene(version)
    writer.sendBytes(message(0x32, topic, 9, 0x31))
    expect(await writer.next('puback')).toMatchObject({ messageId: 9 })
    expect(await payloads(client)).toEqual(['1'])
  })

  it('[MQTT-4.3.2-5] [3.1.1: MQTT-4.3.2-2] at QoS 1 is a new message once PUBACK was sent, with or without DUP', async () => {
    const { client, writer, topic } = await scene(version)
    for (const first of [0x32, 0x3a, 0x32]) {
      writer.sendBytes(message(first, topic, 9, 0x31))
      await writer.next('puback')
    }
    expect(await payloads(client)).toEqual(['1', '1', '1'])
  })

  it('[MQTT-4.3.3-8, MQTT-4.3.3-10] [3.1.1: MQTT-4.3.3-2] at QoS 2 is answered with PUBREC each time that it comes before PUBREL, and passed on once', async () => {
    const { client, writer, topic } = await scene(version)
    for (const first of [0x34, 0x3c, 0x34, 0x3c]) {
      writer.sendBytes(message(first, topic, 9, 0x31))
      expect(await writer.next('pubrec')).toMatchObject({ messageId: 9 })
    }
    expect(await payloads(client)).toEqual(['1'])
  })

  it('[MQTT-4.3.3-10] [3.1.1: MQTT-4.3.3-2] at QoS 2 is passed on once, also when it comes again on another connection', async () => {
    const { client, topic } = await scene(version)
    const options = lasting(version, fresh('session'))
    const writer = await connectRaw(broker.port, options)
    writer.sendBytes(message(0x34, topic, 9, 0x31))
    await writer.next('pubrec')
    writer.socket.destroy()
    const again = await connectRaw(broker.port, options)
    again.sendBytes(message(0x3c, topic, 9, 0x31))
    await again.next('pubrec')
    expect(await payloads(client)).toEqual(['1'])
  })

  it('[MQTT-4.3.3-11, MQTT-4.3.3-12] [3.1.1: MQTT-4.3.3-2] PUBREL is answered with PUBCOMP, and its identifier is free for a new message', async () => {
    const { client, writer, topic } = await scene(version)
    for (let i = 0; i < 3; i++) {
      writer.sendBytes(message(0x34, topic, 9, 0x31 + i))
      await writer.next('pubrec')
      writer.sendBytes(packet(0x62, 0, 9))
      expect(await writer.next('pubcomp')).toMatchObject({ messageId: 9 })
    }
    expect(await payloads(client)).toEqual(['1', '2', '3'])
  })

  it('[MQTT-4.6.0-2, MQTT-4.6.0-3] [3.1.1: MQTT-4.6.0-2, MQTT-4.6.0-3, MQTT-4.6.0-6] is acknowledged in the order in which it came', async () => {
    const { writer, topic } = await scene(version)
    const sent = Array.from({ length: 60 }, (_, i) => message(i % 3 === 0 ? 0x34 : 0x32, topic, i + 1, 0x31))
    writer.sendBytes(Buffer.concat(sent))
    await writer.settled()
    const answers = writer.frames.filter((frame) => frame[0] === 0x40 || frame[0] === 0x50)
    const expected = sent.map((_, i) => packet(i % 3 === 0 ? 0x50 : 0x40, 0, i + 1))
    expect(answers).toEqual(expected)
  })

  it('QoS 1 and QoS 2 have their identifiers apart: one under way at QoS 2 does not hold up another at QoS 1', async () => {
    const { client, writer, topic } = await scene(version)
    writer.sendBytes(message(0x34, topic, 9, 0x31))
    await writer.next('pubrec')
    writer.sendBytes(message(0x32, topic, 9, 0x32))
    await writer.next('puback')
    expect(await payloads(client)).toEqual(['1', '2'])
  })
})

describe('the QoS flows on MQTT 5.0', () => {
  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)(
    '[MQTT-4.4.0-2, MQTT-4.3.3-4] a message at QoS %i that the subscriber refused, with a %s of 0x80, is not sent again',
    async (qos, cmd) => {
      const { client, writer, topic, back } = await scene(5)
      await publish(writer, topic, 'x', { qos })
      const { messageId } = await client.next('publish')
      client.send({ cmd, messageId: messageId!, reasonCode: 0x80 })
      await client.settled()
      const again = await back()
      await again.settled()
      expect(again.received).toEqual([])
    },
  )

  it('[MQTT-4.3.3-9] an identifier whose PUBLISH was refused in PUBREC is free for a new message', async () => {
    const { client, writer, topic } = await scene(5)
    writer.sendBytes(packet(0x34, '$SYS/forged', 0, 9, 0, 1))
    expect(await writer.next('pubrec')).toMatchObject({ reasonCode: 0x87 })
    writer.sendBytes(packet(0x34, topic, 0, 9, 0, 0x31))
    expect(await writer.next('pubrec')).toMatchObject({ messageId: 9, reasonCode: 0 })
    expect(await payloads(client)).toEqual(['1'])
  })

  it('[MQTT-4.3.3-13] the exchange is completed though the message has expired', async () => {
    const { client, writer, topic } = await scene(5)
    await leave(client)
    writer.sendBytes(packet(0x34, topic, 0, 9, properties(0x02, 0, 0, 0, 0), 0x31))
    expect(await writer.next('pubrec')).toMatchObject({ messageId: 9, reasonCode: 0 })
    writer.sendBytes(packet(0x62, 0, 9))
    expect(await writer.next('pubcomp')).toMatchObject({ messageId: 9, reasonCode: 0 })
  })

  it('[MQTT-4.3.3-7] a message that was sent is sent again though it has expired meanwhile', async () => {
    const { client, writer, topic, back } = await scene(5)
    await publish(writer, topic, 'x', { qos: 2, properties: { messageExpiryInterval: 1 } })
    const { messageId } = await client.next('publish')
    const due = Date.now() + 1_050
    await until('its second is over', () => Date.now() > due)
    const again = await back()
    const repeated = await again.next('publish')
    expect(repeated).toMatchObject({ messageId, dup: true })
    again.send({ cmd: 'pubrec', messageId: messageId! })
    expect(await again.next('pubrel')).toMatchObject({ messageId })
  })
})
