/** A walk through a tree that changes meanwhile, against a list of what was there all the time. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches } from '../../src/core/topics.ts'
import { TopicTree } from '../../src/pubsub/topic-tree.ts'

const level = fc.constantFrom('a', 'b', '', '$s')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/') || '/')
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/') || '/')

const change = fc.record({ topic, set: fc.boolean() })
const steps = fc.array(fc.oneof(change, fc.constant('next' as const)), { maxLength: 30 })

function drain(cursor: { next(limit: number): string | null }): string[] {
  const found: string[] = []
  for (let one = cursor.next(Infinity); one !== null; one = cursor.next(Infinity)) found.push(one)
  return found
}

describe('a walk through a tree of topics', () => {
  it('finds, once, what is there from its beginning to its end, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(topic, { maxLength: 20 }), filter, steps, (before, wanted, all) => {
        const tree = new TopicTree<string>()
        for (const one of before) tree.set(one, one)
        const lasting = new Set(before.filter((one) => matches(wanted, one)))
        const cursor = tree.cursor(wanted)
        const found: string[] = []
        for (const step of all) {
          if (step === 'next') {
            const one = cursor.next(Infinity)
            if (one !== null) found.push(one)
          } else if (step.set) tree.set(step.topic, step.topic)
          else {
            tree.delete(step.topic)
            lasting.delete(step.topic)
          }
        }
        found.push(...drain(cursor))
        expect(found.every((one) => matches(wanted, one))).toBe(true)
        expect([...lasting].filter((one) => found.filter((other) => other === one).length !== 1)).toEqual([])
      }),
      { numRuns: 3_000 },
    )
  })

  it('knows what it has yet to come to, at any place', () => {
    fc.assert(
      fc.property(fc.array(topic, { maxLength: 20 }), filter, steps, (before, wanted, all) => {
        const tree = new TopicTree<string>()
        for (const one of before) tree.set(one, one)
        const cursor = tree.cursor(wanted)
        const known = new Set(before)
        for (const step of all) {
          if (step === 'next') cursor.next(Infinity)
          else if (step.set) {
            tree.set(step.topic, step.topic)
            known.add(step.topic)
          } else tree.delete(step.topic)
        }
        const ahead = [...known].filter((one) => (cursor.ahead(one) ?? null) !== null)
        expect(drain(cursor).sort()).toEqual(ahead.sort())
      }),
      { numRuns: 3_000 },
    )
  })
})
