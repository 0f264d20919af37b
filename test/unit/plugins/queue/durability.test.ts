import { describe, expect, it } from 'vitest'
import type { ResumingOutbox, Settlement, Store } from '../../../../src/plugin.ts'
import type { Resumed } from '../../../../src/session/outbox-contract.ts'
import { openStore } from '../../../../src/store/open.ts'
import { Bench, FakeClient } from './fakes.ts'

/** A store whose batches are on disk when the test says so. */
async function slowStore() {
  const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
  let batch: { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } | null = null
  const durable = (): Promise<void> => {
    if (batch === null) {
      let resolve = () => {}
      let reject = (_error: Error) => {}
      const promise = new Promise<void>((onDisk, failed) => {
        resolve = onDisk
        reject = failed
      })
      batch = { promise, resolve, reject }
    }
    return batch.promise
  }
  const slow: Store = { ...store, queues: store.queues, accepting: true, durable, close: () => store.close() }
  const end = async (error?: Error): Promise<void> => {
    const ended = batch
    batch = null
    if (error === undefined) ended?.resolve()
    else ended?.reject(error)
    await ended?.promise.catch(() => {})
  }
  return { slow, end }
}

describe('a message that was accepted', () => {
  it('is delivered only when it is on disk', async () => {
    const { slow, end } = await slowStore()
    const bench = await Bench.open({}, slow)
    const a = bench.consumer('a', 'queue/jobs')
    const accepted = bench.engine.accept(bench.message('queue/jobs', '1'))
    await Promise.resolve()
    expect(a.got).toEqual([])
    await end()
    await accepted
    expect(a.got).toEqual(['1'])
  })

  it("is answered with the store's own promise, one for all in a batch", async () => {
    const { slow, end } = await slowStore()
    const bench = await Bench.open({}, slow)
    const first = bench.engine.accept(bench.message('queue/jobs', '1'))
    expect(bench.engine.accept(bench.message('queue/mail', '2'))).toBe(first)
    expect(slow.durable()).toBe(first)
    await end()
  })

  it('is forgotten when it cannot be written, and its publisher is not told otherwise', async () => {
    const { slow, end } = await slowStore()
    const bench = await Bench.open({}, slow)
    const a = bench.consumer('a', 'queue/jobs')
    const lost = bench.engine.accept(bench.message('queue/jobs', '1'))
    await end(new Error('disk full'))
    await expect(lost).rejects.toThrow('disk full')
    expect(bench.stored('jobs')).toBe(0)
    expect(bench.told('queue.dropped')).toMatchObject([{ queue: 'jobs', reason: 'store-failed' }])
    const kept = bench.engine.accept(bench.message('queue/jobs', '2'))
    await end()
    await kept
    expect(a.got).toEqual(['2'])
  })

  it('with a dedup-id is taken on again when it could not be written', async () => {
    const { slow, end } = await slowStore()
    const bench = await Bench.open({}, slow)
    const lost = bench.send('queue/jobs', '1', { 'dedup-id': 'a' })
    await end(new Error('disk full'))
    await expect(lost).rejects.toThrow('disk full')
    const again = bench.send('queue/jobs', '1', { 'dedup-id': 'a' })
    await end()
    await again
    expect(bench.consumer('a', 'queue/jobs').got).toEqual(['1'])
  })
})

describe('a message that is moved while the disk fails', () => {
  it('is not lost: it is where it was to be once the disk can be written to again', async () => {
    const { slow, end } = await slowStore()
    const bench = await Bench.open({}, slow)
    const a = bench.consumer('a', 'queue/jobs')
    const accepted = bench.engine.accept(bench.message('queue/jobs', '1'))
    await end()
    await accepted
    a.settle('1', 'refused', 0x99)
    await end(new Error('disk full'))
    expect([bench.stored('jobs'), bench.stored('dead/jobs')]).toEqual([0, 1])
    const doctor = bench.consumer('doctor', 'queue/dead/jobs')
    bench.clock.advance(1000)
    await end()
    expect(doctor.got).toEqual(['1'])
  })
})

describe('after a restart', () => {
  it('what waited and what was being delivered is there, in order, with its deliveries', async () => {
    const bench = await Bench.open({ prefetch: 2 })
    const a = new FakeClient('a')
    bench.subscribe(a, 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2', '3')
    bench.disconnect(a)
    bench.consumer('b', 'queue/jobs')
    await bench.store.durable()
    bench.engine.stop()

    const again = await Bench.open({}, bench.store)
    const c = again.consumer('c', 'queue/jobs')
    await expect.poll(() => c.got).toEqual(['1', '2', '3'])
    expect(again.told('queue.delivered').map(({ deliveries }) => deliveries)).toEqual([2, 2, 1])
    expect(again.told('queue.created')).toEqual([])
  })
})

describe('a queue that is longer than memory is wide', () => {
  it('is read from disk as it is consumed, in order, new messages last', async () => {
    const bench = await Bench.open({ prefetch: 100 })
    const texts = Array.from({ length: 25_000 }, (_, i) => String(i))
    await bench.publish('queue/jobs', ...texts.slice(0, 20_000))
    const a = bench.consumer('a', 'queue/jobs')
    let next = 20_000
    while (a.got.length < texts.length) {
      a.acknowledge(...a.holding)
      await bench.publish('queue/jobs', ...texts.slice(next, next + 50))
      next += 50
      await new Promise(setImmediate)
    }
    expect(a.got).toEqual(texts)
    a.acknowledge(...a.holding)
    expect(bench.stored('jobs')).toBe(0)
  })

  it('is tried again when it could not be read', async () => {
    const bench = await Bench.open()
    await bench.publish('queue/jobs', '1')
    let failures = 1
    const { queues } = bench.store
    const flaky = Object.assign(Object.create(queues) as typeof queues, {
      list: () => queues.list(),
      read: (name: string, fromId: number, limit: number) =>
        failures-- > 0 ? Promise.reject(new Error('no')) : queues.read(name, fromId, limit),
    })
    const again = await Bench.open({}, { ...bench.store, queues: flaky, durable: () => bench.store.durable() })
    const a = again.consumer('a', 'queue/jobs')
    await expect.poll(() => again.clock.pending).toBe(1)
    again.clock.advance(1000)
    await expect.poll(() => a.got).toEqual(['1'])
  })
})

describe('a queue that was stopped', () => {
  it('delivers nothing and leaves no timer', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    bench.engine.stop()
    await bench.publish('queue/jobs', '2')
    a.acknowledge('1')
    expect(a.got).toEqual(['1'])
    expect(bench.clock.pending).toBe(0)
  })
})

describe('what a consumer at QoS 2 had in hand when the broker was restarted', () => {
  /** What the outbox of a session found in the store. */
  const found = (...references: number[]) => {
    const resumed: Array<{ reference: number; text: string; outgoing: Resumed<unknown> }> = []
    const outbox: ResumingOutbox = {
      interrupted: references.map((reference) => ({ topic: 'queue/jobs', reference })),
      resume: ({ reference }, outgoing) =>
        void resumed.push({ reference, text: outgoing.message.payload.toString(), outgoing: outgoing as never }),
    }
    const settle = (text: string, settlement: Settlement): void => {
      const { receiver, token } = resumed.find((one) => one.text === text)!.outgoing
      receiver?.settled(token, settlement, 0)
    }
    return { outbox, resumed, settle }
  }

  /** Twenty messages; a broker, that knows of no consumer yet, finds them. */
  const restarted = async () => {
    const bench = await Bench.open()
    await bench.publish('queue/jobs', ...Array.from({ length: 20 }, (_, i) => String(i + 1)))
    const ids = bench.told('queue.enqueued').map(({ id }) => id)
    const again = await Bench.open({}, bench.store)
    const a = new FakeClient('a')
    a.persistent = true
    a.connected = false
    return { again, a, ids }
  }

  it('is still in its hand, and nobody gets it again', async () => {
    const { again, a, ids } = await restarted()
    again.grant(a, 'queue/jobs', 2)
    const { outbox, resumed, settle } = found(ids[2]!, ids[17]!)
    await again.engine.resume(a, outbox)
    expect(resumed.map(({ reference, text }) => [reference, text])).toEqual([
      [ids[2], '3'],
      [ids[17], '18'],
    ])
    const others = Array.from({ length: 20 }, (_, i) => String(i + 1)).filter((text) => text !== '3' && text !== '18')
    const b = again.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got.length).toBe(16)
    again.connect(a)
    settle('3', 'acknowledged')
    b.acknowledge(...b.holding)
    expect([...b.got, ...a.got].sort()).toEqual(others.sort())
  })

  it('comes back in its place when the session ends, as one delivery more', async () => {
    const { again, a, ids } = await restarted()
    again.grant(a, 'queue/jobs', 2)
    const { outbox, settle } = found(ids[2]!)
    await again.engine.resume(a, outbox)
    settle('3', 'lost')
    again.engine.detach(a, true)
    const b = again.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got.slice(0, 4)).toEqual(['1', '2', '3', '4'])
    expect(again.told('queue.delivered').map(({ deliveries }) => deliveries)).toContain(2)
  })

  it('is not when it has left the queue, nor when the session has, nor twice', async () => {
    const { again, a, ids } = await restarted()
    const c = new FakeClient('c')
    for (const client of [a, c]) again.grant(client, 'queue/+', 2)
    again.store.queues.remove('jobs', ids[0]!)
    const of = async (client: FakeClient, ...references: number[]) => {
      const { outbox, resumed } = found(...references)
      await again.engine.resume(client, outbox)
      return resumed.map(({ text }) => text)
    }
    expect(await of(a, ids[0]!, ids[1]!, 1e15)).toEqual(['2'])
    expect(await of(c, ids[1]!, ids[2]!)).toEqual(['3'])
    expect(await of(new FakeClient('gone'), ids[3]!)).toEqual([])
  })

  it('takes room in its prefetch', async () => {
    const bench = await Bench.open({ prefetch: 2 })
    await bench.publish('queue/jobs', '1', '2', '3')
    const again = await Bench.open({ prefetch: 2 }, bench.store)
    const a = new FakeClient('a')
    again.grant(a, 'queue/jobs', 2)
    const { outbox, settle } = found(bench.told('queue.enqueued')[0]!.id)
    await again.engine.resume(a, outbox)
    again.connect(a)
    await expect.poll(() => a.got).toEqual(['2'])
    settle('1', 'acknowledged')
    expect(a.got).toEqual(['2', '3'])
  })
})
