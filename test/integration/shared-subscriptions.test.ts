/** Shared subscriptions, `$share/<group>/<filter>`, as clients of MQTT 3.1, 3.1.1 and 5.0 see them. */

import type { IConnectPacket, IPublishPacket, QoS } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => String(from + i))

async function subscribe(client: RawClient, ...filters: string[]): Promise<unknown[]> {
  const subscriptions = filters.map((topic) => ({ topic, qos: 1 as QoS }))
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  return (await client.next('suback')).granted
}

async function unsubscribe(client: RawClient, ...unsubscriptions: string[]): Promise<unknown> {
  client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions })
  return (await client.next('unsuback')).granted
}

/** Publish them one after the other, each acknowledged. */
async function publish(port: number, topic: string, payloads: readonly string[], qos: QoS = 1): Promise<void> {
  const client = await connectClient(port)
  await Promise.all(payloads.map((payload) => client.mqtt.publishAsync(topic, payload, { qos })))
  await client.mqtt.endAsync()
}

/** The next messages, in order, not acknowledged. */
async function take(client: RawClient, count: number): Promise<IPublishPacket[]> {
  const packets: IPublishPacket[] = []
  while (packets.length < count) packets.push(await client.next('publish'))
  return packets
}

const payloadsOf = (packets: readonly IPublishPacket[]): string[] => packets.map(({ payload }) => payload.toString())

function lasting(clientId: string, version: 4 | 5): Partial<IConnectPacket> {
  const properties = version === 5 ? { properties: { sessionExpiryInterval: 1000 } } : {}
  return { clientId, clean: false, protocolVersion: version, ...properties }
}

describeWithMosquitto('mosquitto_sub -t $share/…', () => {
  it.each(VERSIONS)(
    'shares with others on MQTT $name, and leaves a plain subscriber its own copy',
    async ({ words }) => {
      const { port } = await startBroker()
      const workers = [await sub(port, ...words, '-q', '1', '-t', '$share/g/jobs/#')]
      workers.push(await sub(port, ...words, '-q', '1', '-t', '$share/g/jobs/#'))
      const plain = await sub(port, ...words, '-q', '1', '-t', 'jobs/#')
      for (const payload of numbers(6)) await pub(port, ...words, '-q', '1', '-t', 'jobs/a', '-m', payload)
      expect(await plain.messages(6)).toEqual(numbers(6))
      expect(await Promise.all(workers.map((worker) => worker.messages(3)))).toEqual([
        ['0', '2', '4'],
        ['1', '3', '5'],
      ])
    },
  )
})

describe.each(VERSIONS)('a group on MQTT $name', ({ version }) => {
  const protocolVersion = version

  it('of clients of the mqtt package shares evenly: none lost, none twice', async () => {
    const { port } = await startBroker()
    const workers = await Promise.all(numbers(4).map(() => connectClient(port, { protocolVersion: version })))
    for (const worker of workers) await worker.mqtt.subscribeAsync('$share/workers/jobs', { qos: 1 })
    await publish(port, 'jobs', numbers(1000))
    const all = (): string[] => workers.flatMap(({ payloads }) => payloads)
    await until('all have arrived', () => all().length >= 1000)
    expect(all().sort()).toEqual(numbers(1000).sort())
    for (const { payloads } of workers) expect(payloads.length).toBeGreaterThan(150)
  })

  it('loses nothing at QoS 1 when a member is killed under load', async () => {
    const { port } = await startBroker()
    const victim = await connectRaw(port, { protocolVersion })
    await subscribe(victim, '$share/g/t')
    const steady = await connectClient(port, { protocolVersion })
    await steady.mqtt.subscribeAsync('$share/g/t', { qos: 1 })
    const done = publish(port, 't', numbers(2000))
    const acknowledged: string[] = []
    while (acknowledged.length < 50) {
      const [packet] = await take(victim, 1)
      victim.send({ cmd: 'puback', messageId: packet!.messageId! })
      acknowledged.push(packet!.payload.toString())
    }
    victim.socket.destroy()
    await done
    const arrived = (): Set<string> => new Set([...acknowledged, ...steady.payloads])
    await until('every message has arrived', () => arrived().size === 2000)
    expect(new Set(steady.payloads).size).toBe(steady.payloads.length)
  })

  it('keeps what came while nobody was there, over a restart, for whoever is back first', async () => {
    const folder = await temporaryFolder()
    const first = await startProcess(folder)
    for (const name of ['a', 'b']) {
      const client = await connectRaw(first.port, lasting(name, version))
      await subscribe(client, '$share/g/t')
      client.send({ cmd: 'disconnect' })
      await client.end()
    }
    await publish(first.port, 't', numbers(5), 1)
    await publish(first.port, 't', numbers(5, 5), 2)
    await first.end('SIGKILL')
    const { port } = await startProcess(folder)
    const back = await connectRaw(port, lasting('b', version))
    expect(payloadsOf(await take(back, 10))).toEqual(numbers(10))
    const other = await connectRaw(port, lasting('a', version))
    await other.settled()
    expect(other.received).toEqual([])
  })

  it.each([
    ['$share/g', 'a filter is missing'],
    ['$share/g/', 'a filter is missing'],
    ['$share//a', 'the group has no name'],
    ['$share/+/a', 'the group has a wildcard'],
    ['$share/#', 'the group is a wildcard'],
    ['$share/g/a#', 'the filter is none'],
  ])('is refused beside one that is granted: %s, since %s', async (filter) => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion })
    expect(await subscribe(client, filter, '$share/g/a')).toEqual([version === 5 ? 0x8f : 0x80, 1])
    if (version === 5) expect(await unsubscribe(client, filter, '$share/g/a', '$share/h/a')).toEqual([0x8f, 0, 0x11])
  })

  it('may be joined by those who may read what it shares', async () => {
    const rules = [
      { allow: 'subscribe' as const, topics: ['a/#', 'queue/mine'] },
      { allow: 'publish' as const, topics: ['#'] },
    ]
    const { port } = await startBroker({ access: { rules } })
    const client = await connectRaw(port, { protocolVersion })
    const denied = version === 5 ? 0x87 : 0x80
    const filters = [
      '$share/g/a/#',
      '$share/g/a/b',
      '$share/a/#',
      '$share/g/b',
      '$share/g/queue/mine',
      '$share/g/queue/b',
    ]
    const granted = await subscribe(client, ...filters)
    expect(granted).toEqual([1, 1, denied, denied, 1, denied])
  })
})

describe('$share/<group>/queue/<name>', () => {
  it('is a consumer of the queue, which ends with its last subscription', async () => {
    const broker = await startBroker()
    const log = listenTo(broker, 'queue.consumer-added', 'queue.consumer-removed')
    const client = await connectRaw(broker.port, { clientId: 'worker' })
    expect(await subscribe(client, '$share/g/queue/orders', '$share/h/queue/orders', 'queue/orders')).toEqual([1, 1, 1])
    await publish(broker.port, 'queue/orders', ['one'])
    const [one] = await take(client, 1)
    client.send({ cmd: 'puback', messageId: one!.messageId! })
    await unsubscribe(client, 'queue/orders', '$share/g/queue/orders')
    await publish(broker.port, 'queue/orders', ['two'])
    const [two] = await take(client, 1)
    client.send({ cmd: 'puback', messageId: two!.messageId! })
    await client.settled()
    expect(payloadsOf([one!, two!])).toEqual(['one', 'two'])
    await unsubscribe(client, '$share/h/queue/orders')
    await publish(broker.port, 'queue/orders', ['three'])
    await client.settled()
    expect(client.received).toEqual([])
    expect(log.of('queue.consumer-added')).toHaveLength(1)
    expect(log.of('queue.consumer-removed')).toHaveLength(1)
  })

  it('is one again when its session is back', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, lasting('worker', 5))
    await subscribe(client, '$share/g/queue/orders')
    client.send({ cmd: 'disconnect' })
    await client.end()
    await publish(port, 'queue/orders', ['one'])
    const back = await connectRaw(port, lasting('worker', 5))
    expect(payloadsOf(await take(back, 1))).toEqual(['one'])
  })
})

describe('a shared subscription', () => {
  it('is announced as available: CONNACK says nothing against it', async () => {
    const { port } = await startBroker()
    const { connack } = await connectRaw(port, { protocolVersion: 5 })
    expect(connack.properties?.sharedSubscriptionAvailable ?? true).toBe(true)
  })

  it('serves MQTT 3.1, 3.1.1 and 5.0 clients in one group', async () => {
    const { port } = await startBroker()
    const clients: RawClient[] = []
    for (const protocolVersion of [3, 4, 5] as const) clients.push(await connectRaw(port, { protocolVersion }))
    for (const client of clients) await subscribe(client, '$share/g/t')
    await publish(port, 't', numbers(6))
    const got = await Promise.all(clients.map((client) => take(client, 2)))
    expect(got.map(payloadsOf)).toEqual([
      ['0', '3'],
      ['1', '4'],
      ['2', '5'],
    ])
  })

  it('of events is refused, and leaves the others of its SUBSCRIBE alone', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    const topics = ['$share/g/$eventflow/events/client/connected', '$share/g/t', '$eventflow/events/client/connected']
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: topics.map((topic) => ({ topic, qos: 0 as const })) })
    expect((await client.next('suback')).granted).toEqual([0x9e, 0, 0])
  })

  it('may be that of a program that embeds the broker', async () => {
    const broker = await startBroker()
    const got: string[][] = [[], []]
    const end = await broker.subscribe('$share/g/t', (_topic, payload) => void got[0]!.push(payload.toString()))
    await broker.subscribe('$share/g/t', (_topic, payload) => void got[1]!.push(payload.toString()))
    for (const payload of numbers(4)) await broker.publish('t', payload, { qos: 1 })
    end()
    for (const payload of numbers(2, 4)) await broker.publish('t', payload)
    expect(got[0]).toEqual(['0', '2'])
    // What the first had no time to acknowledge goes to the second as well.
    expect(got[1]).toEqual(expect.arrayContaining(['1', '3', '4', '5']))
  })
})
