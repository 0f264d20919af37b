import { describe, expect, it } from 'vitest'
import type { QueueOptions } from '../../../../plugins/queue/options.ts'
import { Message, type ResumingOutbox, type Settlement } from '../../../../src/plugin.ts'
import type { Resumed } from '../../../../src/session/outbox-contract.ts'
import { Bench, FakeClient } from './fakes.ts'

type Told = Record<string, string>

/** A broker that finds these messages in its store, the first `inHand` of them in the hands of client `a` at QoS 2. */
async function restarted(
  messages: Array<[payload: string, told?: Told]>,
  inHand: number[],
  options: Partial<QueueOptions> = {},
) {
  const before = await Bench.open()
  for (const [payload, told = {}] of messages) await before.send('queue/jobs', payload, told)
  const ids = before.told('queue.enqueued').map(({ id }) => id)
  const bench = Bench.found(before.store, options)
  const a = new FakeClient('a')
  a.connected = false
  bench.grant(a, 'queue/+', 2)
  const resumed: Array<Resumed<unknown>> = []
  const outbox: ResumingOutbox = {
    interrupted: inHand.map((index) => ({ topic: 'queue/jobs', reference: ids[index]! })),
    resume: (_, outgoing) => void resumed.push(outgoing as Resumed<unknown>),
  }
  await bench.engine.resume(a, outbox)
  expect(resumed.length).toBe(inHand.length)
  await bench.engine.start()
  const settle = (text: string, settlement: Settlement, reasonCode = 0): void => {
    const { receiver, token } = resumed.find(({ message }) => message.payload.toString() === text)!
    receiver!.settled(token, settlement, reasonCode)
  }
  /** The session ends: what it had in hand goes back. */
  const end = (): void => bench.engine.detach(a, true)
  return { bench, a, ids, settle, end }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i))

describe('a message that is in hand since before a restart', () => {
  it('counts as one of the queue, with its bytes, and makes the queue full', async () => {
    const policy = { maxLength: 2, maxBytes: 100, overflow: 'reject' as const }
    const { bench, settle } = await restarted([['first'], ['second']], [0], policy)
    expect(bench.control.list()).toMatchObject([{ length: 2, ready: 1, inFlight: 1, bytes: 11 }])
    await expect(async () => bench.publish('queue/jobs', 'third')).rejects.toMatchObject({ code: 0x97 })
    settle('first', 'acknowledged')
    expect(bench.control.list()).toMatchObject([{ length: 1, ready: 1, inFlight: 0, bytes: 6 }])
    await bench.publish('queue/jobs', 'third')
  })

  it('does not give way when the limit is lower now', async () => {
    const policy = { maxLength: 1, overflow: 'drop-oldest' as const }
    const { bench, settle } = await restarted([['1'], ['2'], ['3']], [0], policy)
    await bench.publish('queue/jobs', '4')
    await expect.poll(() => bench.told('queue.dead-lettered').length).toBe(3)
    expect(bench.control.list()).toMatchObject([{ name: 'dead/jobs' }, { name: 'jobs', length: 1, inFlight: 1 }])
    settle('1', 'acknowledged')
    expect(bench.stored('jobs')).toBe(0)
  })

  it('keeps its group busy', async () => {
    const { bench, settle } = await restarted([['1', { group: 'g' }], ['2', { group: 'g' }], ['3']], [0])
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(['3'])
    settle('1', 'acknowledged')
    expect(b.got).toEqual(['3', '2'])
  })

  it('is the first of its group again when its session ends', async () => {
    const { bench, end } = await restarted(
      [
        ['1', { group: 'g' }],
        ['2', { group: 'g' }],
      ],
      [0],
    )
    const b = bench.consumer('b', 'queue/jobs')
    await bench.control.peek('jobs')
    end()
    await expect.poll(() => b.got).toEqual(['1'])
    b.acknowledge('1')
    await expect.poll(() => b.got).toEqual(['1', '2'])
  })

  it('is found in the log of its priority, and passed over there', async () => {
    const high = { priority: '9' }
    const { bench, end } = await restarted([['1'], ['h1', high], ['h2', high], ['2'], ['h3', high]], [0, 2])
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(['h1', 'h3', '2'])
    end()
    await expect.poll(() => b.got).toEqual(['h1', 'h3', '2', 'h2', '1'])
    expect(bench.control.list()).toMatchObject([{ length: 5, inFlight: 5 }])
  })

  it('waits for what is on disk when it comes back from beyond what was read', async () => {
    const { bench, end } = await restarted(
      numbers(1, 10).map((text) => [text]),
      [6],
    )
    end()
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(numbers(1, 10))
  })

  it('does not give way before what is on disk and older', async () => {
    const { bench, end } = await restarted(
      numbers(1, 10).map((text) => [text]),
      [6],
    )
    end()
    bench.control.change({ ...bench.options, maxLength: 9, overflow: 'drop-oldest', deadLetter: null })
    await expect.poll(() => bench.stored('jobs')).toBe(9)
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(numbers(2, 10))
  })

  it('is never read when it is all there was, whatever comes', async () => {
    const { bench, settle } = await restarted([['1'], ['2']], [0, 1], { prefetch: 2000 })
    await bench.publish('queue/jobs', ...numbers(3, 1500))
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(numbers(3, 1500))
    settle('2', 'acknowledged')
    settle('1', 'acknowledged')
    b.acknowledge(...b.holding)
    expect(bench.stored('jobs')).toBe(0)
  })

  it('stays in hand while the queue is paused, and can be acknowledged', async () => {
    const { bench, settle } = await restarted([['1'], ['2']], [0])
    await bench.control.pause('jobs')
    const b = bench.consumer('b', 'queue/jobs')
    settle('1', 'acknowledged')
    expect(b.got).toEqual([])
    await bench.control.resume('jobs')
    await expect.poll(() => b.got).toEqual(['2'])
  })

  it('is its own at a queue for one consumer, whoever that is', async () => {
    const { bench, a, settle, end } = await restarted([['1'], ['2'], ['3']], [0, 2], { exclusive: 'consumer' })
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(['2'])
    bench.connect(a)
    settle('1', 'acknowledged')
    expect([a.got, b.got]).toEqual([[], ['2']])
    end()
    await expect.poll(() => b.got).toEqual(['2', '3'])
  })

  it('is spared by a purge, and so is its place in the store', async () => {
    const { bench, settle, end } = await restarted(
      numbers(1, 6).map((text) => [text]),
      [0, 2, 5],
    )
    expect(await bench.control.purge('jobs')).toBe(3)
    expect([bench.stored('jobs'), bench.control.list()]).toMatchObject([3, [{ length: 3, inFlight: 3 }]])
    settle('3', 'acknowledged')
    end()
    await bench.publish('queue/jobs', '7')
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(['1', '6', '7'])
    b.acknowledge('1', '6', '7')
    expect(bench.stored('jobs')).toBe(0)
  })

  it('goes with its queue when that is deleted, and a late acknowledgement is nothing', async () => {
    const { bench, settle } = await restarted([['1'], ['2'], ['3']], [1])
    expect(await bench.control.delete('jobs')).toBe(3)
    settle('2', 'acknowledged')
    expect([bench.control.list(), bench.store.queues.list()]).toEqual([[], []])
  })

  it('becomes a dead letter, and no receipt or count is lost', async () => {
    const { bench, settle } = await restarted([['1'], ['2']], [0])
    settle('1', 'refused', 0x99)
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ queue: 'jobs', reason: 'rejected', deliveries: 1 }])
    const doctor = bench.consumer('doctor', 'queue/dead/jobs')
    await expect.poll(() => doctor.got).toEqual(['1'])
    expect(bench.stored('jobs')).toBe(1)
  })

  it('has a receipt for its producer, under the identifier that the producer knows', async () => {
    const before = await Bench.open()
    const { topic, payload } = before.message('queue/jobs', '1')
    await before.engine.accept(Message.of({ topic, payload, from: 'publisher', packetId: 77 }))
    const bench = await Bench.open({}, before.store)
    const producer = new FakeClient('publisher')
    const rest = { noLocal: false, retainAsPublished: false, retainHandling: 0 as const }
    bench.engine.receipts.subscribe(producer, {
      filter: '$eventflow/receipts/publisher',
      qos: 1,
      identifier: 0,
      ...rest,
    })
    const a = new FakeClient('a')
    bench.grant(a, 'queue/jobs', 2)
    const reference = before.told('queue.enqueued')[0]!.id
    const resume: ResumingOutbox['resume'] = (_, { receiver, token }) => receiver!.settled(token, 'acknowledged', 0)
    await bench.engine.resume(a, { interrupted: [{ topic: 'queue/jobs', reference }], resume })
    const receipt = { queue: 'jobs', packetId: 77, outcome: 'acknowledged', consumer: 'a', deliveries: 1 }
    expect(producer.got.map((text) => JSON.parse(text))).toMatchObject([receipt])
  })
})
