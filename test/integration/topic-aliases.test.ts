/** Topic aliases of MQTT 5.0, from clients and to clients. */

import type { IPublishPacket, Packet } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'

const connect5 = (port: number, topicAliasMaximum?: number, options = {}) =>
  connectRaw(port, {
    protocolVersion: 5,
    ...(topicAliasMaximum === undefined ? {} : { properties: { topicAliasMaximum } }),
    ...options,
  })

function publish(topic: string, topicAlias: number, payload: string, fields: Partial<IPublishPacket> = {}): Packet {
  const properties = { topicAlias }
  return { cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false, properties, ...fields }
}

/** A PUBLISH whose topic is empty, which mqtt-packet does not write. */
function publishByAlias(alias: number, payload: string, qos: 0 | 1 | 2 = 0, packetId = 1): Buffer {
  const id = qos === 0 ? [] : [0, packetId]
  const body = Buffer.from([0, 0, ...id, 3, 0x23, alias >> 8, alias & 0xff, ...Buffer.from(payload)])
  return Buffer.concat([Buffer.from([0x30 | (qos << 1), body.length]), body])
}

async function subscribe(client: RawClient, topic: string, qos: 0 | 1 | 2 = 0, properties = {}): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 99, subscriptions: [{ topic, qos }], properties })
  await client.next('suback')
}

const seen = ({ topic, properties, payload }: IPublishPacket) =>
  `${topic}|${properties?.topicAlias ?? '-'}|${payload.toString()}`

/** What a client received next, as topic, alias and payload. */
async function received(client: RawClient, count: number): Promise<string[]> {
  const all: string[] = []
  while (all.length < count) all.push(seen(await client.next('publish')))
  return all
}

describe('a client that publishes with topic aliases', () => {
  it('is told how many it may have; 10 unless the operator says otherwise, nothing for none', async () => {
    const maximum = async (config: Parameters<typeof startBroker>[0]) =>
      (await connect5((await startBroker(config)).port)).connack.properties?.topicAliasMaximum
    expect(await maximum({})).toBe(10)
    expect(await maximum({ mqtt: { topicAliasMaximum: 65_535 } })).toBe(65_535)
    expect(await maximum({ mqtt: { topicAliasMaximum: 0 } })).toBeUndefined()
  })

  it('reaches subscribers of every version by the topic, never by its alias', async () => {
    const { port } = await startBroker()
    const readers = [await connectRaw(port), await connect5(port), await connect5(port, 5)]
    for (const reader of readers) await subscribe(reader, 'a/#', 1)
    const writer = await connect5(port)
    writer.send(publish('a/b', 7, 'one'))
    writer.sendBytes(publishByAlias(7, 'two'))
    writer.sendBytes(publishByAlias(7, 'three', 1))
    writer.send(publish('a/c', 7, 'four'))
    writer.sendBytes(publishByAlias(7, 'five', 2))
    expect((await writer.next('puback')).reasonCode ?? 0).toBe(0)
    expect((await writer.next('pubrec')).reasonCode ?? 0).toBe(0)
    const plain = ['a/b|-|one', 'a/b|-|two', 'a/b|-|three', 'a/c|-|four', 'a/c|-|five']
    expect(await received(readers[0]!, 5)).toEqual(plain)
    expect(await received(readers[1]!, 5)).toEqual(plain)
    expect(await received(readers[2]!, 5)).toEqual(['a/b|1|one', '|1|two', '|1|three', 'a/c|2|four', '|2|five'])
  })

  it('may retain, and may use queues', async () => {
    const { port } = await startBroker()
    const writer = await connect5(port)
    writer.send(publish('kept/here', 1, 'old', { retain: true }))
    writer.send(publish('queue/orders', 2, 'first', { qos: 1, messageId: 1 }))
    writer.sendBytes(publishByAlias(2, 'second', 1, 2))
    await writer.next('puback')
    await writer.next('puback')
    const reader = await connectRaw(port)
    await subscribe(reader, 'kept/#', 1)
    expect(await received(reader, 1)).toEqual(['kept/here|-|old'])
    await subscribe(reader, 'queue/orders', 1)
    expect(await received(reader, 2)).toEqual(['queue/orders|-|first', 'queue/orders|-|second'])
  })

  it('has agreed on an alias also by a message that is refused', async () => {
    const config = { access: { rules: [{ allow: ['publish' as const], topics: ['open/#'] }] } }
    const { port } = await startBroker(config)
    const writer = await connect5(port)
    writer.send(publish('closed', 1, 'no', { qos: 1, messageId: 1 }))
    expect(await writer.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x87 })
    writer.sendBytes(publishByAlias(1, 'no', 1, 2))
    expect(await writer.next('puback')).toMatchObject({ messageId: 2, reasonCode: 0x87 })
    writer.send(publish('open/a', 1, 'yes', { qos: 1, messageId: 3 }))
    expect(await writer.next('puback')).toMatchObject({ messageId: 3 })
  })

  it('has agreed on an alias also by a repetition of a QoS 2 message', async () => {
    const { port } = await startBroker()
    const reader = await connectRaw(port)
    await subscribe(reader, 't')
    const session = { clientId: 'writer', clean: false, properties: { sessionExpiryInterval: 100 } }
    const first = await connect5(port, undefined, session)
    first.send(publish('t', 1, 'once', { qos: 2, messageId: 9 }))
    await first.next('pubrec')
    first.socket.destroy()
    const second = await connect5(port, undefined, session)
    second.send(publish('t', 4, 'once', { qos: 2, messageId: 9, dup: true }))
    await second.next('pubrec')
    second.sendBytes(publishByAlias(4, 'then'))
    expect(await received(reader, 2)).toEqual(['t|-|once', 't|-|then'])
  })

  it.each([
    ['the alias 0 [MQTT-3.3.2-8]', [publish('t', 0, 'x')], 0x94],
    ['an alias above the maximum [MQTT-3.3.2-9]', [publish('t', 11, 'x')], 0x94],
    ['an alias above the maximum, and no topic', [publishByAlias(11, 'x')], 0x94],
    ['an alias that stands for nothing (section 3.3.4)', [publish('t', 1, 'x'), publishByAlias(2, 'x')], 0x82],
  ] as const)('is sent away with %s', async (_what, packets, code) => {
    const broker = await startBroker()
    const events = listenTo(broker, 'client.error')
    const client = await connect5(broker.port, undefined, { clientId: 'writer' })
    for (const packet of packets) {
      if (Buffer.isBuffer(packet)) client.sendBytes(packet)
      else client.send(packet as Packet)
    }
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: code })
    await client.end()
    expect(events.of('client.error')).toMatchObject([{ clientId: 'writer', reasonCode: code }])
  })

  it('begins anew with each connection, also when its session goes on', async () => {
    const { port } = await startBroker()
    const session = { clientId: 'writer', clean: false, properties: { sessionExpiryInterval: 100 } }
    const first = await connect5(port, undefined, session)
    first.send(publish('t', 1, 'x'))
    await first.settled()
    first.send({ cmd: 'disconnect' })
    await first.end()
    const second = await connect5(port, undefined, session)
    second.sendBytes(publishByAlias(1, 'x'))
    expect(await second.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
  })

  it('that is no raw one but the mqtt package works as it is', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('#')
    const writer = await connectClient(port, {
      protocolVersion: 5,
      autoUseTopicAlias: true,
      autoAssignTopicAlias: true,
    })
    for (let i = 0; i < 30; i++) await writer.mqtt.publishAsync(`topic/${i % 15}`, String(i), { qos: 1 })
    expect(await reader.messages(30)).toEqual(Array.from({ length: 30 }, (_, i) => String(i)))
    expect(reader.packets.map(({ topic }) => topic)).toEqual(Array.from({ length: 30 }, (_, i) => `topic/${i % 15}`))
  })
})

describe('a client that takes topic aliases', () => {
  it('gets one with the first message on a topic, and the alias alone from then on, at every QoS', async () => {
    const { port } = await startBroker()
    const client = await connect5(port, 1)
    await subscribe(client, 'TopicA', 2)
    for (const qos of [0, 1, 2] as const) {
      const id = qos === 0 ? {} : { messageId: qos }
      client.send({ cmd: 'publish', topic: 'TopicA', payload: String(qos), qos, dup: false, retain: false, ...id })
    }
    expect(await received(client, 3)).toEqual(['TopicA|1|0', '|1|1', '|1|2'])
  })

  it('gets no more of them than it takes, and no more than the broker gives', async () => {
    const { port } = await startBroker({ mqtt: { topicAliasMaximum: 3 } })
    const [two, many] = [await connect5(port, 2), await connect5(port, 100)]
    for (const client of [two, many]) await subscribe(client, '#')
    const writer = await connectRaw(port)
    for (const topic of ['a', 'b', 'c', 'd', 'd', 'c', 'b', 'a']) {
      writer.send({ cmd: 'publish', topic, payload: '', qos: 0, dup: false, retain: false })
    }
    expect(await received(two, 8)).toEqual(['a|1|', 'b|2|', 'c|-|', 'd|-|', 'd|-|', 'c|-|', '|2|', '|1|'])
    expect(await received(many, 8)).toEqual(['a|1|', 'b|2|', 'c|3|', 'd|-|', 'd|-|', '|3|', '|2|', '|1|'])
  })

  it('gets none where the operator wants none, or when it says that it takes 0', async () => {
    const { port } = await startBroker({ mqtt: { topicAliasMaximum: 0 } })
    const other = await startBroker()
    for (const client of [await connect5(port, 10), await connect5(other.port, 0)]) {
      await subscribe(client, 't')
      for (const payload of ['1', '2']) {
        client.send({ cmd: 'publish', topic: 't', payload, qos: 0, dup: false, retain: false })
      }
      expect(await received(client, 2)).toEqual(['t|-|1', 't|-|2'])
    }
  })

  it('is told the topic again on a new connection, also with what is sent again', async () => {
    const { port } = await startBroker()
    const session = (receiveMaximum: number) => ({
      clientId: 'reader',
      clean: false,
      properties: { topicAliasMaximum: 5, sessionExpiryInterval: 100, receiveMaximum },
    })
    const first = await connect5(port, undefined, session(2))
    await subscribe(first, 'a/#', 1)
    const writer = await connectClient(port)
    for (const payload of ['1', '2', '3', '4']) await writer.mqtt.publishAsync('a/b', payload, { qos: 1 })
    expect(await received(first, 2)).toEqual(['a/b|1|1', '|1|2'])
    first.socket.destroy()
    const second = await connect5(port, undefined, session(10))
    const again = [await second.next('publish'), await second.next('publish')]
    expect(again.map(({ dup }) => dup)).toEqual([true, true])
    expect(again.map(seen)).toEqual(['a/b|1|1', '|1|2'])
    expect(await received(second, 2)).toEqual(['|1|3', '|1|4'])
  })

  it('learns none from a message that was too large for it', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'message.dropped')
    const client = await connect5(broker.port, undefined, {
      properties: { topicAliasMaximum: 5, maximumPacketSize: 60 },
    })
    await subscribe(client, 'some/topic', 1)
    const writer = await connectClient(broker.port)
    await writer.mqtt.publishAsync('some/topic', 'x'.repeat(100), { qos: 1 })
    await writer.mqtt.publishAsync('some/topic', 'fits', { qos: 1 })
    await writer.mqtt.publishAsync('some/topic', 'fits too', { qos: 1 })
    expect(await received(client, 2)).toEqual(['some/topic|1|fits', '|1|fits too'])
    expect(events.of('message.dropped')).toMatchObject([{ topic: 'some/topic', reason: 'packet-too-large' }])
  })

  it('gets retained messages, queue messages and subscription identifiers with them', async () => {
    const { port } = await startBroker()
    const writer = await connectClient(port)
    await writer.mqtt.publishAsync('kept', 'old', { qos: 1, retain: true })
    await writer.mqtt.publishAsync('queue/orders', '1', { qos: 1 })
    await writer.mqtt.publishAsync('queue/orders', '2', { qos: 1 })
    const client = await connect5(port, 5)
    await subscribe(client, 'kept', 1, { subscriptionIdentifier: 7 })
    await subscribe(client, 'queue/orders', 1, { subscriptionIdentifier: 8 })
    const packets = [await client.next('publish'), await client.next('publish'), await client.next('publish')]
    expect(packets.map(seen)).toEqual(['kept|1|old', 'queue/orders|2|1', '|2|2'])
    expect(packets.map(({ properties }) => properties?.subscriptionIdentifier)).toEqual([7, 8, 8])
  })

  it('that is the mqtt package sees topics', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port, { protocolVersion: 5, properties: { topicAliasMaximum: 4 } })
    const topics: string[] = []
    reader.mqtt.on('message', (topic) => topics.push(topic))
    await reader.mqtt.subscribeAsync('#', { qos: 1 })
    const writer = await connectClient(port)
    const all = Array.from({ length: 30 }, (_, i) => `topic/${i % 6}`)
    for (const topic of all) await writer.mqtt.publishAsync(topic, 'x', { qos: 1 })
    await reader.messages(30)
    expect(topics).toEqual(all)
  })
})

describeWithMosquitto('mosquitto_pub', () => {
  it('may publish by a topic alias', async () => {
    const { port } = await startBroker()
    const reader = await sub(port, '-t', '#', '-F', '%t %p')
    const words = ['-V', '5', '-t', 'a/b', '-m', 'x', '-q', '1', '--repeat', '3', '-D', 'publish', 'topic-alias', '2']
    expect(await pub(port, ...words)).toMatchObject({ code: 0 })
    expect(await reader.messages(3)).toEqual(['a/b x', 'a/b x', 'a/b x'])
  })

  it('is not let in by an alias that the broker does not offer', async () => {
    const broker = await startBroker({ mqtt: { topicAliasMaximum: 0 } })
    const events = listenTo(broker, 'client.error')
    const words = ['-V', '5', '-t', 'a', '-m', 'x', '-q', '1', '-D', 'publish', 'topic-alias', '1']
    expect((await pub(broker.port, ...words)).code).not.toBe(0)
    await events.find('client.error', { reasonCode: 0x94 })
  })
})
