/** Random histories of one queue against what must always hold of it. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RUNS_TIMEOUT_MS, runs } from '../helpers/runs.ts'
import { QueueHistory, type Step } from './queue-history.ts'

const STEPS = [
  'enqueue',
  'enqueue',
  'enqueue-expiring',
  'append',
  'enqueue-priority',
  'enqueue-group',
  'enqueue-group',
  'join',
  'leave',
  'attach',
  'detach',
  'acknowledge',
  'acknowledge',
  'refuse',
  'reject',
  'undeliverable',
  'wait',
  'read',
  'restart',
] as const

const steps = (kinds: readonly Step['kind'][]): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ kind: fc.constantFrom(...kinds), a: fc.nat(1000), b: fc.nat(1000) }), {
    maxLength: 80,
    size: 'max',
  })

const rules = fc.record({
  maxDeliveries: fc.constantFrom(1, 3, Infinity),
  maxLength: fc.constantFrom(5, 120, Infinity),
  exclusive: fc.boolean(),
  memory: fc.constantFrom(0, 2_000, 20_000, 1e8),
})

const does = (kind: Step['kind'], a = 0, b = 0): Step => ({ kind, a, b })

const short = { maxDeliveries: 3, maxLength: 5, exclusive: false }

/** Rare ones. In the first three a message expires that nobody has looked at since a restart. */
const RARE: Array<[Step[], { maxDeliveries: number; maxLength: number; exclusive: boolean; memory: number }]> = [
  // All before it were looked at, and give way.
  [
    [
      does('enqueue', 1),
      does('enqueue-expiring', 1),
      does('enqueue', 3),
      does('restart'),
      does('read'),
      does('enqueue', 1, 1),
      does('read'),
    ],
    { ...short, memory: 0 },
  ],
  // It was in the hands of a consumer that leaves.
  [
    [does('join', 0, 2), does('enqueue-expiring', 1, 1000), does('restart'), does('leave')],
    { ...short, memory: 20_000 },
  ],
  // One from further back is in memory, for a consumer left that had it.
  [
    [
      does('join', 1, 1),
      does('enqueue', 1, 1),
      does('enqueue-expiring', 1, 1000),
      does('join', 0, 2),
      does('enqueue', 1, 1),
      does('restart'),
      does('read'),
      does('leave'),
      does('enqueue', 3, 1),
      does('read'),
    ],
    { ...short, memory: 20_000 },
  ],
  // Nothing is free, and the first of each priority is read.
  [
    [
      does('enqueue-expiring', 1, 1000),
      ...[1, 2, 3, 4].map((priority) => does('enqueue-priority', 1, priority)),
      ...Array.from({ length: 5 }, () => does('read')),
    ],
    { ...short, memory: 0 },
  ],
]

describe('a queue, whatever happens to it', () => {
  it('keeps every message in one place, gives it to one consumer, in order, within its limits', {
    timeout: RUNS_TIMEOUT_MS,
  }, () => {
    fc.assert(
      fc.property(steps(STEPS), rules, (history, rules) => {
        const queue = new QueueHistory(rules)
        for (const step of history) {
          queue.run(step)
          queue.check()
        }
        queue.drain()
        queue.check()
        expect(queue.waiting).toBe(0)
      }),
      { ...runs(300), examples: RARE },
    )
  })

  it('delivers strictly in order when nothing comes back', { timeout: RUNS_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(steps(['enqueue', 'enqueue', 'join', 'acknowledge', 'read']), (history) => {
        const queue = new QueueHistory({ maxDeliveries: 5 })
        for (const step of history) queue.run(step)
        queue.drain()
        expect(queue.delivered).toEqual(queue.delivered.toSorted((a, b) => a - b))
      }),
      runs(100),
    )
  })

  it('gives consumers with room their turns evenly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 90 }), (consumers, messages) => {
        const queue = new QueueHistory({ maxDeliveries: 5 })
        for (let i = 0; i < consumers; i++) queue.join(1000, 1)
        queue.enqueue(messages, 0)
        const shares = queue.heldByConsumer()
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('puts what a consumer leaves behind in front, in order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 60 }), (prefetch, messages) => {
        const queue = new QueueHistory({ maxDeliveries: 5 })
        queue.join(prefetch, 1)
        queue.enqueue(messages, 0)
        queue.run({ kind: 'detach', a: 0, b: 0 })
        const before = queue.delivered.length
        queue.join(1000, 1)
        queue.drain()
        expect(queue.delivered.slice(before)).toEqual(Array.from({ length: messages }, (_, i) => i + 1))
      }),
    )
  })
})
