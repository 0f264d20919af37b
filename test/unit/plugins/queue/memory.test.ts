/** What queues take of memory: little when they are empty, and never more than there is for all of them. */

import { describe, expect, it } from 'vitest'
import { Budget } from '../../../../plugins/queue/rules/budget.ts'
import { openStore } from '../../../../src/store/open.ts'
import { temporaryFolder } from '../../../helpers/broker.ts'
import { heldBytesWithBuffers as held } from '../../../helpers/heap.ts'
import { until } from '../../../helpers/until.ts'
import { Bench, type FakeClient } from './fakes.ts'

const MEGABYTE = 1024 * 1024
/** Messages that are being read for waiting consumers although nothing is free: so many, each expected to be so large. */
const URGENT_BYTES = 16 * 16 * 1024

async function fill(bench: Bench, queues: number, each: number, bytes: number): Promise<void> {
  const rest = '.'.repeat(bytes)
  for (let n = 0; n < each; n++) {
    const safe = Array.from({ length: queues }, (_, q) => bench.publish(`queue/${q}`, `${q} ${n} ${rest}`))
    await Promise.all(safe)
  }
}

/** Acknowledge one after the other until so many have come. Returns queue and number of each. */
async function take(client: FakeClient, count: number): Promise<string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    await expect.poll(() => client.has.length, { interval: 1, timeout: 10_000 }).toBeGreaterThan(0)
    const [payload] = client.holding as [string]
    taken.push(payload.split(' ', 2).join(' '))
    client.acknowledge(payload)
    client.got.length = 0
  }
  return taken
}

function all(queues: number, each: number): string[] {
  return Array.from({ length: queues * each }, (_, n) => `${Math.floor(n / each)} ${n % each}`)
}

describe('many long queues', () => {
  it('together hold no more than there is memory for, whoever consumes them; every message comes once', async () => {
    const budget = new Budget(2 * MEGABYTE)
    const bench = await Bench.open({ prefetch: 4 }, undefined, budget)
    await fill(bench, 400, 20, 2000)
    expect(budget.used).toBeLessThanOrEqual(MEGABYTE + 3000) // half of it, for nobody consumes
    const a = bench.consumer('a', 'queue/+')
    const taken: string[] = []
    while (taken.length < 8000) {
      taken.push(...(await take(a, 400)))
      expect(budget.used).toBeLessThanOrEqual(budget.limit + URGENT_BYTES)
    }
    expect(taken.toSorted()).toEqual(all(400, 20).toSorted())
    expect(bench.control.list().every(({ length }) => length === 0)).toBe(true)
    expect(budget.used).toBe(0)
  })

  it('are all read in turn after a restart, though there is room for hardly anything', async () => {
    const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
    await fill(await Bench.open({}, store), 200, 5, 1000)
    const budget = new Budget(10_000)
    const bench = await Bench.open({ prefetch: 4 }, store, budget)
    const clients = [bench.consumer('a', 'queue/+'), bench.consumer('b', 'queue/+')] as const
    const taken: string[] = []
    while (taken.length < 1000) {
      await expect.poll(() => clients[0].has.length + clients[1].has.length, { interval: 1 }).toBeGreaterThan(0)
      for (const client of clients) taken.push(...(await take(client, client.has.length)))
      expect(budget.used).toBeLessThanOrEqual(budget.limit + URGENT_BYTES + 200 * 1500) // a message of each queue
    }
    expect(taken.toSorted()).toEqual(all(200, 5).toSorted())
    expect(budget.used).toBe(0)
  })

  it('are not all looked at together after a restart for messages whose time is up; yet every one of these goes', async () => {
    const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
    const before = await Bench.open({}, store)
    const expiresAt = before.clock.now() + 1000
    const topics = Array.from({ length: 300 }, (_, n) => `queue/${n}`)
    await Promise.all(topics.map((topic) => before.engine.accept(before.message(topic, 'x', expiresAt))))
    before.engine.stop()
    const read = store.queues.read.bind(store.queues)
    let [reading, most] = [0, 0]
    store.queues.read = async (...asked) => {
      most = Math.max(most, ++reading)
      await new Promise((later) => setTimeout(later, 1)) // a disk takes its time
      return read(...asked).finally(() => reading--)
    }
    const bench = await Bench.open({}, store, new Budget(10_000))
    bench.clock.advance(1000)
    await until('they are gone', () => {
      bench.clock.advance(20)
      return bench.told('queue.expired').length === topics.length
    })
    expect(most).toBeLessThanOrEqual(1 + 16) // the first while memory was free
  })

  it('do not keep a queue waiting that is consumed, when others hold all that they can and nobody takes it', async () => {
    const budget = new Budget(200_000)
    const bench = await Bench.open({ prefetch: 1 }, undefined, budget)
    for (let n = 0; n < 50; n++) bench.consumer(`stuck ${n}`, `queue/${n}`)
    await fill(bench, 50, 20, 2000)
    await bench.publish('queue/other', ...Array.from({ length: 100 }, (_, n) => `other ${n} ${'.'.repeat(20_000)}`))
    const taken = await take(bench.consumer('a', 'queue/other'), 100)
    expect(taken).toEqual(Array.from({ length: 100 }, (_, n) => `other ${n}`))
    expect(budget.used).toBeLessThanOrEqual(budget.limit)
  })

  it('are on disk: what the process holds of them is what the budget says', async () => {
    const path = await temporaryFolder()
    const store = await openStore({ kind: 'level', path, onFault: () => {} })
    const budget = new Budget(8 * MEGABYTE)
    const bench = await Bench.open({}, store, budget)
    const before = held()
    await fill(bench, 300, 40, 4000) // 50 MB
    bench.events.length = 0
    bench.consumer('a', 'queue/+') // reads, and acknowledges nothing
    await store.durable()
    await expect.poll(() => held() - before, { timeout: 10_000 }).toBeLessThan(20 * MEGABYTE)
    await store.close()
  })
})

describe('a queue with nothing in it', () => {
  it('takes less than 8 KB, new or used', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/warm')
    const before = held()
    for (let n = 0; n < 2000; n++) bench.subscribe(a, `queue/${n}`)
    const each = (): number => {
      bench.events.length = 0
      a.got.length = 0
      return (held() - before) / 2000
    }
    expect(each()).toBeLessThan(8192)
    for (let n = 0; n < 2000; n++) await bench.publish(`queue/${n}`, String(n))
    while (a.has.length > 0) a.acknowledge(...a.holding)
    expect(each()).toBeLessThan(8192)
  })

  it('is forgotten after a while when only wildcards are at it: ten thousand leave nothing behind', {
    timeout: 60_000,
  }, async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/+')
    const tenThousand = async (): Promise<number> => {
      for (let n = 0; n < 10_000; n++) {
        await bench.publish(`queue/${n}`, String(n))
        a.acknowledge(String(n))
      }
      bench.clock.advance(20_000)
      expect([bench.control.list(), bench.clock.pending]).toEqual([[], 0])
      bench.events.length = 0
      a.got.length = 0
      return held()
    }
    const before = await tenThousand()
    expect((await tenThousand()) - before).toBeLessThan(MEGABYTE)
  })
})
