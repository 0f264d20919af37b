/** Very many queues, and very many consumers of one: each message comes once, nobody is left out, nothing is left behind. */

import { expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { heldBytes } from '../helpers/heap.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

type Broker = Awaited<ReturnType<typeof startBroker>>

interface Worker {
  readonly client: RawClient
  /** Topics and payloads, in the order in which they came. */
  readonly got: string[]
  readonly count: () => number
}

/**
 * A client that acknowledges what it gets as it comes.
 * @param got its own log, or that of several
 */
async function work(broker: Broker, filters: string | string[], got: string[] = []): Promise<Worker> {
  const client = await connectRaw(broker.port)
  let count = 0
  client.socket.on('data', () => {
    client.frames.length = 0
    for (const packet of client.received.splice(0)) {
      if (packet.cmd !== 'publish') {
        client.received.push(packet)
        continue
      }
      count++
      got.push(`${packet.topic} ${packet.payload}`)
      client.send({ cmd: 'puback', messageId: packet.messageId! })
    }
  })
  const subscriptions = [filters].flat().map((topic) => ({ topic, qos: 1 as const }))
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  await client.next('suback')
  return { client, got, count: () => count }
}

function all<T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => make(n)))
}

/** Publish 0, 1, … to each of these topics, in turn. Resolves when all are safe. Returns them as workers note them. */
async function publishAll(broker: Broker, topics: readonly string[], each: number): Promise<string[]> {
  const sent: string[] = []
  const safe: Promise<void>[] = []
  for (let n = 0; n < each; n++) {
    for (const topic of topics) {
      sent.push(`${topic} ${n}`)
      safe.push(broker.publish(topic, String(n), { qos: 1 }))
    }
  }
  await Promise.all(safe)
  return sent
}

function topics(count: number, prefix = 'queue/scale/'): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`)
}

async function empty(broker: Broker): Promise<void> {
  await until('all is acknowledged', () => broker.queues.list().every(({ length }) => length === 0))
}

it('consumers with wildcards take each message of three thousand queues once', async () => {
  const broker = await startBroker()
  const log: string[] = []
  const workers = await all(3, () => work(broker, 'queue/scale/#', log))
  const sent = await publishAll(broker, topics(3_000), 4)
  await until('all are there', () => log.length >= sent.length)
  await empty(broker)
  for (const { client } of workers) await client.settled()
  expect(log.toSorted()).toEqual(sent.toSorted())
})

it('a wildcard that comes late empties thousands of queues, however long one of them is', async () => {
  const broker = await startBroker()
  const short = topics(2_000)
  const sent = [...(await publishAll(broker, ['queue/long'], 10_000)), ...(await publishAll(broker, short, 2))]
  const { got } = await work(broker, 'queue/#')
  await until('all are there', () => got.length >= sent.length)
  await empty(broker)
  expect(got.toSorted()).toEqual(sent.toSorted())
  // In turn: each of them had its first before the long one had all of its.
  const firsts = new Set(got.slice(0, 5_000).map((line) => line.split(' ')[0]))
  expect(firsts.size).toBe(2_001)
})

it('a thousand consumers of one queue get each message once, and each of them its share', async () => {
  const broker = await startBroker()
  const log: string[] = []
  const workers = await all(1_000, () => work(broker, 'queue/scale', log))
  const sent = await publishAll(broker, ['queue/scale'], 10_000)
  await until('all are there', () => log.length >= sent.length)
  await empty(broker)
  expect(log.toSorted()).toEqual(sent.toSorted())
  const shares = workers.map(({ count }) => count())
  expect([Math.min(...shares), Math.max(...shares)]).toEqual([10, 10])
})

it('a thousand queues with a consumer each: everyone gets their own, in order', async () => {
  const broker = await startBroker()
  const own = topics(1_000)
  const workers = await all(1_000, (n) => work(broker, own[n]!))
  await publishAll(broker, own, 5)
  await empty(broker)
  for (const { client } of workers) await client.settled()
  for (const [n, { got }] of workers.entries()) expect(got).toEqual([0, 1, 2, 3, 4].map((i) => `${own[n]} ${i}`))
})

it('queues that come and go by the ten thousand, with consumers and messages, leave nothing behind', async () => {
  const broker = await startBroker()
  const tenThousand = async (): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      const names = topics(1_000, `queue/churn/${round}/`)
      const { client, got } = await work(broker, names)
      await publishAll(broker, names, 1)
      await empty(broker)
      client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: names })
      await client.next('unsuback')
      client.socket.destroy()
      got.length = 0 // what the test remembers is not the broker's
    }
  }
  await tenThousand()
  expect(broker.queues.list()).toEqual([])
  const before = heldBytes()
  await tenThousand()
  expect(broker.queues.list()).toEqual([])
  // A queue that is kept has six thousand bytes; what this test keeps of its clients, half a megabyte in all.
  await until('nothing more is held', () => heldBytes() - before < 1_000_000)
})
