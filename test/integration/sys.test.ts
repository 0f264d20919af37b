/** `$SYS/broker/…`: the broker's counters, as Mosquitto's clients read them, and exactly right. */

import { describe, expect, it } from 'vitest'
import { TOPICS } from '../../plugins/sys/topics.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

type Broker = Awaited<ReturnType<typeof startBroker>>

/** Values of $SYS by topic below `$SYS/broker/`, read inside the process: reading them changes none of them. */
async function watch(broker: Broker): Promise<Record<string, string>> {
  const values: Record<string, string> = {}
  await broker.subscribe('$SYS/#', (topic, payload) => {
    values[topic.slice('$SYS/broker/'.length)] = payload.toString()
  })
  return values
}

/** Wait until these values stand there. */
async function expectValues(values: Record<string, string>, expected: Record<string, number>): Promise<void> {
  const texts = Object.fromEntries(Object.entries(expected).map(([topic, value]) => [topic, String(value)]))
  const pick = () => Object.fromEntries(Object.keys(texts).map((topic) => [topic, values[topic]]))
  const same = () => JSON.stringify(pick()) === JSON.stringify(texts)
  await until('the values are right', same).catch(() => expect(pick()).toEqual(texts))
}

const FAST = { sys: { interval: '20ms' } }

/** One after the other: whoever waits for another's packets has them. */
async function publish(client: RawClient, qos: 0 | 1 | 2, topic: string, payload: string): Promise<void> {
  client.send({ cmd: 'publish', topic, payload, qos, dup: false, retain: false, ...(qos > 0 ? { messageId: 5 } : {}) })
  if (qos === 1) await client.next('puback')
  if (qos < 2) return
  await client.next('pubrec')
  client.send({ cmd: 'pubrel', messageId: 5 })
  await client.next('pubcomp')
}

async function receive(client: RawClient, qos: 0 | 1 | 2): Promise<void> {
  const packet = await client.next('publish')
  expect(packet.qos).toBe(qos)
  const messageId = packet.messageId as number
  if (qos === 1) client.send({ cmd: 'puback', messageId })
  if (qos < 2) return
  client.send({ cmd: 'pubrec', messageId })
  await client.next('pubrel')
  client.send({ cmd: 'pubcomp', messageId })
}

describeWithMosquitto('mosquitto_sub', () => {
  it.each(['mqttv311', 'mqttv5'])(
    'gets every value at once, retained, and then what changes, over %s',
    async (version) => {
      const { port } = await startBroker(FAST)
      const reader = await sub(port, '-V', version, '-q', '1', '-t', '$SYS/#', '-F', '%r %q %t %p')
      const retained = () => reader.lines.filter((line) => line.startsWith('1 '))
      await until('all are there', () => retained().length >= TOPICS.size)
      expect(retained().map((line) => /^1 0 (\$SYS\/broker\/(?:retained )?[^ ]+) [^ ]/.exec(line)?.[1])).toEqual([
        ...TOPICS.keys(),
      ])
      expect(retained()[0]).toMatch(/^1 0 \$SYS\/broker\/version eventflow version \d+\.\d+\.\d+$/)
      expect(retained()[1]).toMatch(/^1 0 \$SYS\/broker\/uptime \d+ seconds$/)
      expect(retained()).toContain('1 0 $SYS/broker/clients/connected 1')
      expect(retained()).toContain('1 0 $SYS/broker/retained messages/count 0')
      await pub(port, '-r', '-t', 'a', '-m', 'x')
      await until('the change is told', () => reader.lines.includes('0 0 $SYS/broker/retained messages/count 1'))
      expect(reader.lines.filter((line) => line.includes('/version'))).toHaveLength(1)
    },
  )

  it('gets the one value that it asks for, and the values that a wildcard names', async () => {
    const { port } = await startBroker()
    const one = await sub(port, '-t', '$SYS/broker/clients/connected', '-C', '1')
    await one.ended()
    expect(one.lines).toEqual(['1'])
    const some = await sub(port, '-t', '$SYS/broker/+/+', '-F', '%t')
    await some.messages(18)
    expect(some.lines.every((line) => line.split('/').length === 4)).toBe(true)
    expect(some.lines).toEqual(expect.arrayContaining(['$SYS/broker/heap/current', '$SYS/broker/bytes/sent']))
  })

  it('gets no value from a filter that starts with a wildcard', async () => {
    const { port } = await startBroker(FAST)
    const everything = await sub(port, '-t', '#', '-t', '+/#', '-t', '+/broker/uptime', '-F', '%t')
    const witness = await sub(port, '-t', '$SYS/broker/messages/sent')
    await witness.messages(3)
    await pub(port, '-t', 'last', '-m', 'x')
    expect(await everything.messages(1)).toEqual(['last'])
  })

  it('gets nothing when the interval is 0', async () => {
    const { port } = await startBroker({ sys: { interval: 0 } })
    const reader = await sub(port, '-t', '$SYS/#', '-t', 'a', '-F', '%t')
    await pub(port, '-t', 'a', '-m', 'x')
    expect(await reader.messages(1)).toEqual(['a'])
  })
})

describe.each([4, 5] as const)('what is counted over MQTT at level %i', (protocolVersion) => {
  it.each([
    { qos: 0, acknowledgements: 0 },
    { qos: 1, acknowledgements: 1 }, // PUBACK each way
    { qos: 2, acknowledgements: 3 }, // one way PUBREL, PUBREC, PUBCOMP; the other PUBREC, PUBCOMP, PUBREL
  ] as const)('is exactly what two clients exchange at QoS $qos', async ({ qos, acknowledgements }) => {
    const broker = await startBroker(FAST)
    const values = await watch(broker)
    const reader = await connectRaw(broker.port, { protocolVersion, clientId: 'reader' })
    const writer = await connectRaw(broker.port, { protocolVersion, clientId: 'writer' })
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos }] })
    await reader.next('suback')
    const payload = 'x'.repeat(1_000)
    await Promise.all([publish(writer, qos, 't', payload), receive(reader, qos)])
    await writer.settled()
    // CONNECT twice, SUBSCRIBE, PUBLISH, PINGREQ; and CONNACK twice, SUBACK, PUBLISH, PINGRESP.
    const packets = 5 + acknowledgements
    await expectValues(values, {
      ...{ 'messages/received': packets, 'messages/sent': packets },
      ...{ 'publish/messages/received': 1, 'publish/messages/sent': 1, 'publish/messages/dropped': 0 },
      ...{ 'publish/bytes/received': 1_000, 'publish/bytes/sent': 1_000 },
      'bytes/received': reader.socket.bytesWritten + writer.socket.bytesWritten,
      'bytes/sent': reader.socket.bytesRead + writer.socket.bytesRead,
      ...{ 'clients/connected': 2, 'clients/total': 2, 'clients/maximum': 2, 'subscriptions/count': 1 },
      ...{ 'messages/inflight': 0, 'store/messages/count': 0, 'store/messages/bytes': 0 },
    })
  })

  it('is exact for a thousand messages in one piece, and for packets in many', async () => {
    const broker = await startBroker(FAST)
    const values = await watch(broker)
    const reader = await connectRaw(broker.port, { protocolVersion })
    const writer = await connectRaw(broker.port, { protocolVersion })
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] })
    await reader.next('suback')
    const message = { cmd: 'publish', topic: 't', payload: 'abc', qos: 0, dup: false, retain: false } as const
    writer.sendTogether(...Array.from({ length: 1_000 }, () => message))
    for (const byte of [0xc0, 0]) writer.sendBytes([byte])
    await writer.next('pingresp')
    for (let i = 0; i < 1_000; i++) await reader.next('publish')
    await expectValues(values, {
      ...{ 'messages/received': 2 + 1 + 1_000 + 1, 'messages/sent': 2 + 1 + 1_000 + 1 },
      ...{ 'publish/messages/received': 1_000, 'publish/messages/sent': 1_000 },
      ...{ 'publish/bytes/received': 3_000, 'publish/bytes/sent': 3_000 },
      'bytes/received': reader.socket.bytesWritten + writer.socket.bytesWritten,
      'bytes/sent': reader.socket.bytesRead + writer.socket.bytesRead,
    })
  })

  it('has queue deliveries among the messages sent and in flight', async () => {
    const broker = await startBroker(FAST)
    const values = await watch(broker)
    const consumer = await connectRaw(broker.port, { protocolVersion })
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/q', qos: 1 }] })
    await consumer.next('suback')
    await publish(consumer, 1, 'queue/q', 'job')
    const { messageId } = await consumer.next('publish')
    const published = { 'publish/messages/received': 1, 'publish/messages/sent': 1, 'publish/bytes/sent': 3 }
    await expectValues(values, { ...published, 'messages/inflight': 1 })
    consumer.send({ cmd: 'puback', messageId: messageId as number })
    await expectValues(values, { ...published, 'messages/inflight': 0 })
  })
})

describe('clients', () => {
  it('are counted connected, away with a session, at the most, and expired', async () => {
    const broker = await startBroker(FAST)
    const values = await watch(broker)
    const stays = await connectRaw(broker.port, { clientId: 'stays', clean: false })
    const ends = await connectRaw(broker.port, { clientId: 'ends', clean: true })
    const expiry = { properties: { sessionExpiryInterval: 1 } }
    const expires = await connectRaw(broker.port, { clientId: 'expires', protocolVersion: 5, ...expiry })
    await expectValues(values, { 'clients/connected': 3, 'clients/active': 3, 'clients/disconnected': 0 })
    for (const client of [stays, ends]) client.send({ cmd: 'disconnect' })
    await expectValues(values, {
      ...{ 'clients/connected': 1, 'clients/disconnected': 1, 'clients/inactive': 1 },
      ...{ 'clients/total': 2, 'clients/maximum': 3, 'clients/expired': 0 },
    })
    expires.socket.destroy()
    await expectValues(values, { 'clients/total': 1, 'clients/disconnected': 1, 'clients/expired': 1 })
  })

  it('that are taken over are not counted twice', async () => {
    const broker = await startBroker(FAST)
    const values = await watch(broker)
    const first = await connectRaw(broker.port, { clientId: 'me', clean: false })
    await connectRaw(broker.port, { clientId: 'me', clean: false })
    await first.end()
    await expectValues(values, { 'clients/connected': 1, 'clients/total': 1, 'clients/maximum': 1 })
  })

  it('that are refused, or speak no MQTT, count as sockets and not as clients', async () => {
    const broker = await startBroker(FAST)
    const values = await watch(broker)
    const client = await connectRaw(broker.port)
    client.sendBytes([0x00, 0x00])
    await client.end()
    await until('the averages have it', () => Number(values['load/sockets/1min']) > 0)
    await expectValues(values, { 'clients/connected': 0, 'clients/total': 0, 'clients/maximum': 1 })
  })
})

describe('messages that are kept', () => {
  it('are counted: retained ones, and those of sessions that wait; after a restart too', async () => {
    const config = { ...FAST, store: { kind: 'level' as const, path: await temporaryFolder() } }
    const broker = await startBroker(config)
    const values = await watch(broker)
    const away = await connectRaw(broker.port, { clientId: 'away', clean: false })
    away.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] })
    await away.next('suback')
    away.send({ cmd: 'disconnect' })
    await away.end()
    await broker.publish('t', 'waits', { qos: 1 })
    await broker.publish('r', 'retained', { retain: true })
    await broker.publish('r', 'retained!', { retain: true })
    const kept = {
      ...{ 'store/messages/count': 2, 'messages/stored': 2, 'store/messages/bytes': 5 + 9 },
      ...{ 'retained messages/count': 1, 'subscriptions/count': 1 },
    }
    await expectValues(values, kept)
    await broker.stop()
    const again = await startBroker(config)
    const after = await watch(again)
    await expectValues(after, { ...kept, 'clients/disconnected': 1, 'bytes/received': 0 })
    const back = await connectRaw(again.port, { clientId: 'away', clean: false })
    const { messageId } = await back.next('publish')
    back.send({ cmd: 'puback', messageId: messageId as number })
    await again.publish('r', '', { retain: true })
    const nothing = { 'store/messages/count': 0, 'store/messages/bytes': 0, 'retained messages/count': 0 }
    await expectValues(after, nothing)
  })

  it('are not those of $SYS itself', async () => {
    const broker = await startBroker(FAST)
    const values = await watch(broker)
    const reader = await connectClient(broker.port, { clean: false, clientId: 'reader' })
    await reader.mqtt.subscribeAsync('$SYS/#', { qos: 2 })
    await reader.messages(100)
    await expectValues(values, { 'store/messages/count': 0, 'retained messages/count': 0, 'messages/inflight': 0 })
  })
})

it('messages that are dropped are counted as often as it is told', async () => {
  const broker = await startBroker({ ...FAST, session: { maxQueued: 2 } })
  const values = await watch(broker)
  const dropped = listenTo(broker, 'message.dropped')
  const small = { clientId: 'small', protocolVersion: 5, properties: { maximumPacketSize: 50 } } as const
  const clients = [
    await connectRaw(broker.port, small),
    await connectRaw(broker.port, { clientId: 'away', clean: false }),
  ]
  for (const client of clients) {
    const topics = ['zero', 'one']
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: topics.map((topic) => ({ topic, qos: 1 as const })) })
    await client.next('suback')
  }
  clients[1]!.send({ cmd: 'disconnect' })
  await clients[1]!.end()
  await broker.publish('zero', 'x'.repeat(100))
  for (let i = 0; i < 4; i++) await broker.publish('one', 'x'.repeat(100), { qos: 1 })
  const reasons = dropped.of('message.dropped').map(({ reason }) => reason)
  expect(reasons.toSorted()).toEqual([...Array(5).fill('packet-too-large'), 'session-full', 'session-full'])
  await expectValues(values, { 'publish/messages/dropped': 7 })
})

describe('telling a value', () => {
  it('is no event of messages, and is counted as a packet that is sent', async () => {
    const broker = await startBroker(FAST)
    const told = listenTo(broker, 'message.published', 'message.delivered', 'message.retained', 'message.dropped')
    const reader = await connectClient(broker.port)
    await reader.mqtt.subscribeAsync('$SYS/#')
    await reader.messages(100)
    expect(told.all).toEqual([])
    const last = () => reader.packets.findLast(({ topic }) => topic === '$SYS/broker/publish/messages/sent')!
    await until('it counts itself', () => Number(last().payload.toString()) > TOPICS.size)
  })

  it('carries the subscription identifier, and respects Retain Handling and Retain As Published', async () => {
    const { port } = await startBroker(FAST)
    const client = await connectRaw(port, { protocolVersion: 5 })
    const subscribe = (messageId: number, topic: string, options: { rh?: 0 | 1 | 2; rap?: boolean }) =>
      client.send({
        ...{ cmd: 'subscribe' as const, messageId, properties: { subscriptionIdentifier: messageId } },
        subscriptions: [{ topic, qos: 0, ...options }],
      })
    subscribe(1, '$SYS/broker/messages/received', { rh: 2, rap: true })
    await client.next('suback')
    await client.settled()
    // The first value is a changed one, not the one that stood there; it keeps the flag it was published with.
    const changed = await client.next('publish')
    expect(changed).toMatchObject({ retain: true, properties: { subscriptionIdentifier: 1 } })
    subscribe(2, '$SYS/broker/version', { rh: 0 })
    const version = await client.next('publish')
    expect(version).toMatchObject({
      topic: '$SYS/broker/version',
      retain: true,
      properties: { subscriptionIdentifier: 2 },
    })
  })
})

it('with access rules on, $SYS is for those whom a rule names, and nobody publishes there', async () => {
  const { port } = await startBroker({
    access: {
      rules: [
        { allow: ['publish', 'subscribe'], topics: ['#'] },
        { allow: 'subscribe', topics: ['$SYS/broker/uptime'] },
      ],
    },
  })
  const client = await connectRaw(port, { protocolVersion: 5 })
  const topics = ['#', '$SYS/#', '$SYS/broker/uptime']
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: topics.map((topic) => ({ topic, qos: 0 as const })) })
  expect((await client.next('suback')).granted).toEqual([0, 0x87, 0])
  expect(await client.next('publish')).toMatchObject({ topic: '$SYS/broker/uptime' })
  client.send({ cmd: 'publish', topic: '$SYS/x', payload: 'x', qos: 1, messageId: 2, dup: false, retain: false })
  expect((await client.next('puback')).reasonCode).toBe(0x87)
})
