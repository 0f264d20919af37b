/**
 * Consumers that are equally fast get equally much, within a tenth: those of one queue, and one with a wildcard beside them.
 * Equally fast: from round to round each acknowledges as many as the others, in whatever order they come to it.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { Bench, type FakeClient } from '../unit/plugins/queue/fakes.ts'

/** How often each consumer gets a message on the average: the last few in hand must be less than a tenth of it. */
const EACH = 200
const RUNS = { numRuns: 30 }

const consumers = { prefetch: fc.integer({ min: 1, max: 10 }), order: fc.infiniteStream(fc.nat({ max: 1_000_000 })) }

/** Everyone acknowledges as many as they may hold, one at a time and in random order, until nothing is left. */
function consumeAll(clients: readonly FakeClient[], prefetch: number, order: Iterator<number>): void {
  while (clients.some(({ has }) => has.length > 0)) {
    const turns = clients.flatMap((client) => Array.from({ length: prefetch }, () => client))
    while (turns.length > 0) {
      const [client] = turns.splice(order.next().value % turns.length, 1) as [FakeClient]
      const [payload] = client.holding
      if (payload !== undefined) client.acknowledge(payload)
    }
  }
}

function assertFair(clients: readonly FakeClient[], each: number): void {
  for (const { clientId, got } of clients) {
    assert(Math.abs(got.length - each) <= each / 10, `${clientId} got ${got.length}, not about ${each}`)
  }
}

async function fill(bench: Bench, topic: string, count: number): Promise<void> {
  await bench.publish(topic, ...Array.from({ length: count }, (_, n) => `${topic} ${n}`))
}

describe('consumers that are equally fast', () => {
  it('of one queue get equally much, by name or by a wildcard', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ ...consumers, plain: fc.integer({ min: 1, max: 6 }), wild: fc.integer({ min: 1, max: 3 }) }),
        async ({ plain, wild, prefetch, order }) => {
          const bench = await Bench.open({ prefetch })
          const filters = Array.from({ length: plain + wild }, (_, n) => (n < plain ? 'queue/jobs' : 'queue/#'))
          const clients = filters.map((filter, n) => bench.consumer(`${filter} ${n}`, filter))
          await fill(bench, 'queue/jobs', EACH * clients.length)
          consumeAll(clients, prefetch, order)
          assertFair(clients, EACH)
        },
      ),
      RUNS,
    )
  })

  it('get equally much where each has a queue of its own and one has them all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ ...consumers, queues: fc.integer({ min: 2, max: 8 }) }),
        async ({ queues, prefetch, order }) => {
          const bench = await Bench.open({ prefetch })
          const topics = Array.from({ length: queues }, (_, n) => `queue/${n}`)
          const clients = [...topics, 'queue/+'].map((filter) => bench.consumer(filter, filter))
          const each = Math.ceil((EACH * clients.length) / queues)
          for (const topic of topics) await fill(bench, topic, each)
          consumeAll(clients, prefetch, order)
          assertFair(clients, EACH)
        },
      ),
      RUNS,
    )
  })

  it('take turns when there is little to do', async () => {
    const bench = await Bench.open()
    const clients = ['queue/jobs', 'queue/jobs', 'queue/+'].map((filter, n) => bench.consumer(`${n}`, filter))
    for (let n = 0; n < 300; n++) {
      await bench.publish('queue/jobs', String(n))
      for (const client of clients) client.acknowledge(...client.holding)
    }
    assert.deepEqual(
      clients.map(({ got }) => got.length),
      [100, 100, 100],
    )
  })
})
