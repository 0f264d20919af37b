import { describe, expect, it } from 'vitest'
import { Message } from '../../../../src/plugin.ts'
import { openStore } from '../../../../src/store/open.ts'
import { Bench, FakeClient } from './fakes.ts'

/** A producer that reads its receipts; at QoS 1, so that they can be seen in its outbox. */
function reader(bench: Bench, clientId = 'publisher'): FakeClient {
  const client = new FakeClient(clientId)
  subscribe(bench, client)
  return client
}

function subscribe(bench: Bench, client: FakeClient, filter = `$eventflow/receipts/${client.clientId}`): void {
  const rest = { noLocal: false, retainAsPublished: false, retainHandling: 0 as const }
  bench.engine.receipts.subscribe(client, { filter, qos: 1, identifier: 0, ...rest })
}

const receiptsOf = ({ got }: FakeClient) => got.map((text) => JSON.parse(text))

describe('a producer that reads its receipts', () => {
  it('hears who acknowledged its message, and at which delivery', async () => {
    const bench = await Bench.open()
    const producer = reader(bench)
    const { topic, payload } = bench.message('queue/jobs', '1')
    await bench.engine.accept(Message.of({ topic, payload, from: 'publisher', packetId: 77 }))
    bench.disconnect(bench.consumer('first', 'queue/jobs'))
    expect(producer.got).toEqual([])
    bench.consumer('second', 'queue/jobs').acknowledge('1')
    const id = bench.told('queue.acknowledged')[0]!.id
    const rest = { reason: null, consumer: 'second', deliveries: 2, time: '2026-03-01T12:00:00.000Z' }
    expect(receiptsOf(producer)).toEqual([{ queue: 'jobs', id, packetId: 77, outcome: 'acknowledged', ...rest }])
    expect(producer.has[0]!.message.topic).toBe('$eventflow/receipts/publisher')
  })

  it('hears that it is dead, expired or dropped, and why', async () => {
    const bench = await Bench.open({
      policies: [
        { match: 'none', deadLetter: null },
        { match: 'short', maxLength: 1, overflow: 'drop-oldest', deadLetter: null },
      ],
    })
    const producer = reader(bench)
    await bench.publish('queue/short', 'a', 'b')
    const a = bench.consumer('a', 'queue/#')
    for (const name of ['jobs', 'none']) {
      await bench.publish(`queue/${name}`, name)
      a.settle(name, 'refused', 0x99)
    }
    await bench.control.pause('jobs')
    await bench.engine.accept(bench.message('queue/jobs', 'late', bench.clock.now() + 10))
    bench.clock.advance(10)
    await bench.control.resume('jobs')
    expect(receiptsOf(producer)).toMatchObject([
      { queue: 'short', outcome: 'dropped', reason: 'overflow', deliveries: 0, consumer: null },
      { queue: 'jobs', outcome: 'dead', reason: 'rejected', deliveries: 1, consumer: null },
      { queue: 'none', outcome: 'dropped', reason: 'rejected' },
      { queue: 'jobs', outcome: 'expired', reason: null },
    ])
  })

  it('hears that its messages were purged, also those that are on disk only', async () => {
    const bench = await Bench.open()
    const producer = reader(bench)
    const payloads = Array.from({ length: 300 }, (_, i) => String(i))
    await bench.publish('queue/jobs', ...payloads)
    await bench.send('queue/jobs', 'delayed', { delay: '1000' })
    await bench.control.purge('jobs')
    expect(receiptsOf(producer)).toHaveLength(301)
    expect(new Set(receiptsOf(producer).map(({ id }) => id)).size).toBe(301)
    expect(receiptsOf(producer)[0]).toMatchObject({ outcome: 'dropped', reason: 'purged' })
  })

  it('does not hear what becomes of dead letters, nor of what others publish', async () => {
    const bench = await Bench.open()
    const producer = reader(bench)
    const other = reader(bench, 'other')
    const a = bench.consumer('a', 'queue/#')
    await bench.publish('queue/jobs', '1')
    a.settle('1', 'refused', 0x99)
    await bench.store.durable()
    a.acknowledge('1')
    expect([producer.got.length, other.got.length]).toEqual([1, 0])
  })

  it('hears of messages from before a restart, by the packet identifiers that it gave them', async () => {
    const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
    const before = await Bench.open({}, store)
    const { topic, payload } = before.message('queue/jobs', '1')
    await before.engine.accept(Message.of({ topic, payload, from: 'publisher', packetId: 77 }))
    const bench = await Bench.open({}, store)
    const producer = reader(bench)
    const a = bench.consumer('a', 'queue/jobs')
    await expect.poll(() => a.got).toEqual(['1'])
    a.settle('1', 'refused', 0x99)
    await bench.control.redrive('dead/jobs')
    await expect.poll(() => a.holding).toEqual(['1'])
    a.acknowledge('1')
    expect(receiptsOf(producer)).toMatchObject([
      { packetId: 77, outcome: 'dead' },
      { packetId: 77, outcome: 'acknowledged' },
    ])
  })

  it('hears nothing while it is away or after it gave the subscription up', async () => {
    const bench = await Bench.open()
    const producer = reader(bench)
    const a = bench.consumer('a', 'queue/jobs')
    producer.connected = false
    await bench.publish('queue/jobs', '1', '2')
    a.acknowledge('1')
    producer.connected = true
    bench.engine.receipts.unsubscribe(producer)
    a.acknowledge('2')
    expect(producer.got).toEqual([])
  })

  it('that reads slowly has a limit to what waits for it', async () => {
    const bench = await Bench.open({ prefetch: 20_000 })
    const producer = reader(bench)
    const payloads = Array.from({ length: 10_005 }, (_, i) => String(i))
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', ...payloads)
    for (const { receiver, token } of a.has.splice(0)) receiver?.settled(token, 'acknowledged', 0)
    expect(producer.got).toHaveLength(10_000)
  })

  it('reads its own only: anything else is refused with 0x87', async () => {
    const bench = await Bench.open()
    const client = new FakeClient('a')
    for (const filter of [
      '$eventflow/receipts/b',
      '$eventflow/receipts/+',
      '$eventflow/receipts/#',
      '$eventflow/receipts/',
    ]) {
      expect(() => subscribe(bench, client, filter)).toThrow(expect.objectContaining({ code: 0x87 }))
    }
  })
})
