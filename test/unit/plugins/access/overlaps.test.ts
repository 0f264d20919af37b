import fc from 'fast-check'
import { expect, it } from 'vitest'
import { overlaps } from '../../../../plugins/access/overlaps.ts'
import { covers, matches } from '../../../../src/plugin.ts'
import { filters, topics } from './arbitraries.ts'

it.each([
  ['a/b', 'a/b'],
  ['a/+', '+/b'],
  ['a/#', 'a'],
  ['#', 'a/b/c'],
  ['a/#', 'a/+/c'],
  ['+', '#'],
  ['$eventflow/#', '$eventflow/status'],
  ['/+', '+/a'],
])('%s and %s share a topic', (one, other) => {
  expect(overlaps(one, other)).toBe(true)
  expect(overlaps(other, one)).toBe(true)
})

it.each([
  ['a', 'b'],
  ['a/+', 'a'],
  ['a/+', 'a/b/c'],
  ['a/#', 'b/#'],
  ['#', '$eventflow/status'],
  ['+/status', '$eventflow/status'],
  ['a/#', 'x/b/+/c'],
])('%s and %s share none', (one, other) => {
  expect(overlaps(one, other)).toBe(false)
  expect(overlaps(other, one)).toBe(false)
})

it('overlap when, and only when, some topic is matched by both', () => {
  // All topics of up to four levels over the letters that the filters are made of: enough for filters of up to three.
  const letters = ['a', 'b', '', '$x']
  let level = letters
  const all = [...level]
  for (let i = 1; i < 4; i++) {
    level = level.flatMap((head) => letters.map((letter) => `${head}/${letter}`))
    all.push(...level)
  }
  const possible = all.filter((topic) => topic !== '')
  fc.assert(
    fc.property(filters(letters, 3), filters(letters, 3), (one, other) => {
      expect(overlaps(one, other)).toBe(possible.some((topic) => matches(one, topic) && matches(other, topic)))
    }),
    { numRuns: 500 },
  )
})

it('is what matching is, when one of the two is a topic', () => {
  fc.assert(
    fc.property(filters(), topics(), (filter, topic) => {
      expect(overlaps(filter, topic)).toBe(matches(filter, topic))
      expect(covers(filter, topic)).toBe(matches(filter, topic))
    }),
  )
})

it('holds between a filter and all that it covers', () => {
  fc.assert(
    fc.property(filters(), filters(), (wide, narrow) => {
      if (covers(wide, narrow)) expect(overlaps(wide, narrow)).toBe(true)
    }),
  )
})
