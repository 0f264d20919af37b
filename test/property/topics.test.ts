/** Matching against a second, naive implementation; and covering, which access control relies on. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers, filterProblem, matches, topicProblem } from '../../src/core/topics.ts'

const RUNS = { numRuns: 5000 }

/** Few level names, so that topics and filters meet; among them the empty one and one with $. */
const level = fc.constantFrom('a', 'b', '', '$s')
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/') || '/')
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/') || '/')

/** Section 4.7 as a regular expression. */
function naive(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const pattern = filter.replace(/[$]/g, '\\$').replace(/\+/g, '[^/]*').replace(/^#$/, '.*').replace(/\/#$/, '(/.*)?')
  return new RegExp(`^${pattern}$`).test(topic)
}

describe('topics and filters', () => {
  it('match as the definition says', () => {
    fc.assert(
      fc.property(filters, topics, (filter, topic) => {
        expect(matches(filter, topic)).toBe(naive(filter, topic))
      }),
      RUNS,
    )
  })

  it('are valid when they are made of valid levels', () => {
    fc.assert(
      fc.property(filters, topics, (filter, topic) => {
        expect([filterProblem(filter, 5), topicProblem(topic, 5)]).toEqual([null, null])
      }),
      RUNS,
    )
  })

  it('a filter without wildcards matches itself alone', () => {
    fc.assert(
      fc.property(topics, topics, (filter, topic) => {
        expect(matches(filter, topic)).toBe(filter === topic)
      }),
      RUNS,
    )
  })
})

describe('a filter that covers another', () => {
  it('matches every topic that the other matches', () => {
    fc.assert(
      fc.property(filters, filters, topics, (wide, narrow, topic) => {
        if (covers(wide, narrow) && matches(narrow, topic)) expect(matches(wide, topic)).toBe(true)
      }),
      { numRuns: 20_000 },
    )
  })

  it('covers a topic exactly when it matches it', () => {
    fc.assert(
      fc.property(filters, topics, (wide, topic) => {
        expect(covers(wide, topic)).toBe(matches(wide, topic))
      }),
      RUNS,
    )
  })

  it('covers itself, and whatever the other covers', () => {
    fc.assert(
      fc.property(filters, filters, filters, (a, b, c) => {
        expect(covers(a, a)).toBe(true)
        if (covers(a, b) && covers(b, c)) expect(covers(a, c)).toBe(true)
      }),
      { numRuns: 20_000 },
    )
  })
})
