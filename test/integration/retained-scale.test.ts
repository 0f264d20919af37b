/** Very many retained messages for one subscription: all of them arrive, however the client reads, and nobody waits. */

import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { heldBytesWithBuffers as held } from '../helpers/heap.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

type Broker = Awaited<ReturnType<typeof startBroker>>

const MEGABYTE = 1024 * 1024

/** Retain `count` messages on `all/0` … at QoS 2, so that subscriptions get them at their own. */
async function retainMany(broker: Broker, count: number, payload: Buffer | string = 'x'): Promise<string[]> {
  const topics = Array.from({ length: count }, (_, i) => `all/${i}`)
  await Promise.all(topics.map((topic) => broker.publish(topic, payload, { qos: 2, retain: true })))
  return topics
}

async function subscribe(client: RawClient, qos: 0 | 1 | 2, filter = 'all/+'): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos }] })
  await client.next('suback')
}

/** Receive `count` messages, acknowledging each. Returns topic and payload of all, in order. */
async function receive(client: RawClient, count: number): Promise<Array<{ topic: string; payload: string }>> {
  const all: Array<{ topic: string; payload: string }> = []
  while (all.length < count) {
    const { topic, payload, qos, messageId } = await client.next('publish')
    all.push({ topic, payload: payload.toString() })
    if (qos === 1) client.send({ cmd: 'puback', messageId: messageId! })
    if (qos === 2) {
      client.send({ cmd: 'pubrec', messageId: messageId! })
      await client.next('pubrel')
      client.send({ cmd: 'pubcomp', messageId: messageId! })
    }
  }
  return all
}

const topicsOf = (messages: Array<{ topic: string }>) => messages.map(({ topic }) => topic)

/** Limits that none of these subscriptions would fit into. */
const TIGHT = { session: { maxSocketBuffer: '16KB', maxInflight: 10, maxQueued: 20 } } as const

describe.each(VERSIONS)('a subscription on MQTT $name to many retained messages', ({ version }) => {
  it.each([0, 1, 2] as const)('gets all of them at QoS %i, once each, in spite of tight limits', async (qos) => {
    const broker = await startBroker(TIGHT)
    const events = listenTo(broker, 'message.dropped')
    const topics = await retainMany(broker, 3_000)
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    await subscribe(reader, qos)
    expect(topicsOf(await receive(reader, 3_000)).toSorted()).toEqual(topics.toSorted())
    await reader.settled()
    expect([reader.received, events.all]).toEqual([[], []])
  })

  it('gets all of them when it does not read for a while, and nothing piles up meanwhile', async () => {
    const broker = await startBroker({ session: { maxSocketBuffer: '64KB' } })
    const payload = 'x'.repeat(2_000)
    const topics = await retainMany(broker, 20_000, payload)
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    reader.socket.pause()
    const before = held()
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'all/+', qos: 0 }] })
    const other = await connectRaw(broker.port)
    for (let i = 0; i < 100; i++) await other.settled()
    // What was written has 40 MB.
    await until('little is held', () => held() - before < 5 * MEGABYTE)
    reader.socket.resume()
    expect(topicsOf(await receive(reader, 20_000)).toSorted()).toEqual(topics.toSorted())
  })

  it('does not hold up others', async () => {
    const broker = await startBroker()
    await retainMany(broker, 20_000)
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    const other = await connectRaw(broker.port)
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
    await reader.next('suback')
    // Served in between: there is a turn for it before the last of them is sent.
    await other.settled()
    expect(reader.received.length).toBeLessThan(20_000)
    await receive(reader, 20_000)
  })

  it.each([0, 1] as const)('gets the retained message of a topic before what is live, at QoS %i', async (qos) => {
    const broker = await startBroker({ session: { maxSocketBuffer: '1MB', maxInflight: 10 } })
    await retainMany(broker, 5_000, 'old')
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    // Some that were sent already, some whose turn is to come; with the retain flag and without.
    const live = Array.from({ length: 100 }, (_, i) => `all/${i * 50}`)
    const publishAll = (): void => {
      for (const [i, topic] of live.entries()) void broker.publish(topic, 'new', { qos: 1, retain: i % 2 === 0 })
    }
    const stopListening = broker.events.listen(['message.delivered'], () => {
      stopListening()
      setImmediate(publishAll)
    })
    await subscribe(reader, qos)
    const received = await receive(reader, 5_100)
    const onLive = live.map((topic) => received.filter((one) => one.topic === topic).map(({ payload }) => payload))
    expect(onLive).toEqual(live.map(() => ['old', 'new']))
    await reader.settled()
    expect(reader.received).toEqual([])
  })

  it('that is given up gets no more of them', async () => {
    const broker = await startBroker({ session: { maxInflight: 10 } })
    await retainMany(broker, 1_000)
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    await subscribe(reader, 1)
    reader.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['all/+'] })
    await reader.next('unsuback')
    const sent = reader.received.length
    expect(sent).toBeLessThanOrEqual(10)
    for (let i = 0; i < 20; i++) {
      const packet = reader.received.shift()
      if (packet?.cmd === 'publish') reader.send({ cmd: 'puback', messageId: packet.messageId! })
      await reader.settled()
    }
    // What waited for the window is still sent; it was the client's already.
    await reader.settled()
    expect(reader.received.length).toBeLessThan(50)
  })

  it('goes on with them when a persistent session comes back', async () => {
    const broker = await startBroker(TIGHT)
    const topics = await retainMany(broker, 500)
    const session = {
      protocolVersion: version,
      clientId: 'returns',
      clean: false,
      ...(version === 5 ? { properties: { sessionExpiryInterval: 100 } } : {}),
    } as const
    const first = await connectRaw(broker.port, session)
    await subscribe(first, 1)
    const before = await receive(first, 100)
    await first.settled()
    first.send({ cmd: 'disconnect' })
    await first.end()
    await broker.publish('all/499', 'meanwhile', { qos: 1 })
    const second = await connectRaw(broker.port, session)
    const seen = new Set(topicsOf(before))
    let live = 0
    while (seen.size < 500 || live === 0) {
      const [one] = await receive(second, 1)
      seen.add(one!.topic)
      if (one!.payload === 'meanwhile') live++
    }
    expect([...seen].toSorted()).toEqual(topics.toSorted())
  })

  it('is forgotten with its connection', async () => {
    const broker = await startBroker({ session: { maxInflight: 10 } })
    await retainMany(broker, 5_000)
    const events = listenTo(broker, 'client.disconnected')
    const reader = await connectRaw(broker.port, { protocolVersion: version, clientId: 'leaves' })
    await subscribe(reader, 1)
    reader.socket.destroy()
    await events.find('client.disconnected', { clientId: 'leaves' })
    const delivered = listenTo(broker, 'message.delivered')
    const other = await connectClient(broker.port)
    await other.mqtt.publishAsync('elsewhere', 'x', { qos: 1 })
    expect(delivered.all).toEqual([])
  })
})

it('several subscriptions of one SUBSCRIBE get theirs one after the other, all of them', async () => {
  const broker = await startBroker(TIGHT)
  await retainMany(broker, 1_000)
  const reader = await connectRaw(broker.port, { protocolVersion: 5 })
  const filters = ['all/+', '#', 'all/#', 'all/7']
  const subscriptions = filters.map((topic) => ({ topic, qos: 1 as const }))
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  await reader.next('suback')
  await receive(reader, 3_001)
  await reader.settled()
  expect(reader.received).toEqual([])
})

it('programs in the process get all of them', async () => {
  const broker = await startBroker()
  const topics = await retainMany(broker, 5_000)
  const received: string[] = []
  const end = await broker.subscribe('#', (topic) => void received.push(topic))
  await until('all are there', () => received.length === topics.length)
  expect(received.toSorted()).toEqual(topics.toSorted())
  end()
})

it('a program that gives up its subscription in the middle gets no more', async () => {
  const broker = await startBroker()
  await retainMany(broker, 5_000)
  const received: string[] = []
  let end = (): void => {}
  const later = broker.subscribe('#', (topic) => {
    received.push(topic)
    if (received.length === 1_500) end()
  })
  end = await later
  await until('it has had its share', () => received.length >= 1_500)
  const other = await connectRaw(broker.port)
  for (let i = 0; i < 20; i++) await other.settled()
  expect(received).toHaveLength(1_500)
})

it('retained messages that were read take no more memory than before', async () => {
  const broker = await startBroker()
  const payload = 'x'.repeat(1_000)
  await retainMany(broker, 5_000, payload)
  const read = async (version: 4 | 5): Promise<void> => {
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    await subscribe(reader, 0)
    await receive(reader, 5_000)
    reader.socket.destroy()
    await reader.end()
    reader.frames.length = 0 // what the client remembers is not the broker's
  }
  await read(4)
  const before = held()
  for (const version of [5, 4, 5] as const) await read(version)
  // Frames that were kept would have 5 MB.
  await until('what was sent is collected', () => held() - before < 2 * MEGABYTE)
})
