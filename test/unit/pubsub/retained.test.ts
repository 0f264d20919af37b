import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/core/message.ts'
import { matches } from '../../../src/core/topics.ts'
import { Retained } from '../../../src/pubsub/retained.ts'
import type { TopicCursor } from '../../../src/pubsub/topic-cursor.ts'
import { heldBytes } from '../../helpers/heap.ts'
import { message } from '../session/support.ts'

const on = (topic: string, payload = 'x') => message(payload, { topic })

function all(cursor: TopicCursor<Message>): Message[] {
  const found: Message[] = []
  for (let one = cursor.next(Infinity); one !== null; one = cursor.next(Infinity)) found.push(one)
  return found
}

function topics(retained: Retained, filter: string): string[] {
  return all(retained.cursor(filter))
    .map(({ topic }) => topic)
    .sort()
}

describe('retained messages', () => {
  it('are one a topic, the last [MQTT-3.3.1-5]', () => {
    const retained = new Retained()
    retained.set(on('a', 'first'))
    retained.set(on('a', 'second'))
    expect(retained.size).toBe(1)
    expect(all(retained.cursor('a')).map(({ payload }) => payload.toString())).toEqual(['second'])
  })

  it('are found by filters', () => {
    const retained = new Retained()
    for (const topic of ['a', 'a/b', 'a/b/c', 'b', '/', '$SYS/a']) retained.set(on(topic))
    expect(topics(retained, 'a/#')).toEqual(['a', 'a/b', 'a/b/c'])
    expect(topics(retained, 'a/+')).toEqual(['a/b'])
    expect(topics(retained, '+')).toEqual(['a', 'b'])
    expect(topics(retained, '+/+')).toEqual(['/', 'a/b'])
    expect(topics(retained, 'x/#')).toEqual([])
  })

  it('on topics that start with $ are hidden from a leading wildcard [MQTT-4.7.2-1]', () => {
    const retained = new Retained()
    for (const topic of ['a/a', '$SYS/a']) retained.set(on(topic))
    expect(['#', '+/a', '+/#', '$SYS/#', '$SYS/+'].map((filter) => topics(retained, filter))).toEqual([
      ['a/a'],
      ['a/a'],
      ['a/a'],
      ['$SYS/a'],
      ['$SYS/a'],
    ])
  })

  it('are deleted one by one', () => {
    const retained = new Retained()
    for (const topic of ['a', 'a/b', 'a/b/c']) retained.set(on(topic))
    expect([retained.delete('a/b'), retained.delete('a/b'), retained.delete('a/x'), retained.delete('z')]).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect([retained.size, topics(retained, '#')]).toEqual([2, ['a', 'a/b/c']])
    retained.delete('a/b/c')
    retained.delete('a')
    expect([retained.size, topics(retained, '#')]).toEqual([0, []])
  })

  it('match as filters do, whatever was set and deleted', () => {
    const level = fc.constantFrom('a', 'b', '', '$s')
    const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/') || '/')
    const filter = fc
      .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
      .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/') || '/')
    const changes = fc.array(fc.record({ topic, size: fc.nat(3) }), { maxLength: 30 })
    fc.assert(
      fc.property(changes, filter, (all, wanted) => {
        const retained = new Retained()
        const model = new Map<string, number>()
        for (const { topic, size } of all) {
          if (size > 0) {
            retained.set(on(topic, 'x'.repeat(size)))
            model.set(topic, size)
          } else expect(retained.delete(topic)).toBe(model.delete(topic))
        }
        expect(retained.size).toBe(model.size)
        expect(retained.bytes).toBe([...model.values()].reduce((sum, size) => sum + size, 0))
        expect(topics(retained, wanted)).toEqual([...model.keys()].filter((topic) => matches(wanted, topic)).sort())
      }),
      { numRuns: 2_000 },
    )
  })

  it('that are deleted leave no branches behind', () => {
    const retained = new Retained()
    const before = heldBytes()
    for (let i = 0; i < 30_000; i++) retained.set(on(`a/${i}/b/c`))
    for (let i = 0; i < 30_000; i++) retained.delete(`a/${i}/b/c`)
    expect(heldBytes() - before).toBeLessThan(30_000 * 50)
  })
})

describe('a filter on 200,000 retained messages', () => {
  const retained = new Retained()
  for (let i = 0; i < 200_000; i++) retained.set(on(`site/${i % 500}/device/${i}/state`))

  /** How many matched, and how many places were looked at for each. */
  function cost(filter: string): { found: number; visitedEach: number } {
    const cursor = retained.cursor(filter)
    const found = all(cursor).length
    return { found, visitedEach: cursor.visited / Math.max(found, 1) }
  }

  it.each([
    ['site/7/device/7/state', 1],
    ['site/7/device/+/state', 400],
    ['site/7/#', 400],
    ['site/+/device/777/state', 1, 5 * 500],
    ['site/7/device/7/state/#', 1],
    ['none/of/these/+', 0],
    ['#', 200_000],
  ])('costs what it matches: %s', (filter, found, atMostEach = 10) => {
    const one = cost(filter)
    expect(one.found).toBe(found)
    expect(one.visitedEach).toBeLessThanOrEqual(atMostEach)
  })

  it('can be gone through in slices of any size', () => {
    const cursor = retained.cursor('site/7/#')
    const found = new Set<Message>()
    while (!cursor.done) {
      const limit = cursor.visited + 7
      for (let one = cursor.next(limit); one !== null; one = cursor.next(limit)) found.add(one)
      expect(cursor.visited).toBeLessThanOrEqual(limit)
    }
    expect(found.size).toBe(400)
  })
})
