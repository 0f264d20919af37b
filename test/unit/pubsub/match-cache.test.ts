import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KnownTopic } from '../../../src/core/known-topic.ts'
import { matches } from '../../../src/core/topics.ts'
import { MatchCache } from '../../../src/pubsub/match-cache.ts'
import { heldBytes } from '../../helpers/heap.ts'

/** A cache that has met a wildcard, so that it knows its topics by their levels. */
function seasoned(...topics: string[]): MatchCache<string> {
  const cache = new MatchCache<string>()
  cache.set('first', 'x')
  cache.changed('#')
  for (const topic of topics) cache.set(topic, topic)
  return cache
}

const kept = (cache: MatchCache<string>, topics: string[]) => topics.filter((topic) => cache.get(topic) !== undefined)

describe('remembered matches', () => {
  const TOPICS = ['a', 'a/b', 'a/c/d', 'b/b', '$SYS/b']

  it.each([
    ['a', ['a/b', 'a/c/d', 'b/b', '$SYS/b']],
    ['a/#', ['b/b', '$SYS/b']],
    ['+/b', ['a', 'a/c/d', '$SYS/b']],
    ['a/+/d', ['a', 'a/b', 'b/b', '$SYS/b']],
    ['#', ['$SYS/b']],
    ['x/#', TOPICS],
  ])('of a change on %s, those of other topics stay', (filter, others) => {
    const cache = seasoned(...TOPICS)
    cache.changed(filter)
    expect(kept(cache, TOPICS)).toEqual(others)
  })

  it('of a topic without wildcard are forgotten alone, wildcards or not', () => {
    const cache = new MatchCache<string>()
    for (const topic of TOPICS) cache.set(topic, topic)
    cache.changed('a/b')
    expect(kept(cache, TOPICS)).toEqual(['a', 'a/c/d', 'b/b', '$SYS/b'])
  })

  it('are never those of before a change, by text or by what messages know of a topic', () => {
    const level = fc.constantFrom('a', 'b', '', '$s')
    const topic = fc.array(level, { minLength: 1, maxLength: 3 }).map((levels) => levels.join('/') || '/')
    const filter = fc
      .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 3 }), fc.boolean())
      .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/') || '/')
    const which = fc.nat(3)
    const steps = fc.array(fc.oneof(fc.record({ topic, which }), fc.record({ filter })), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (all) => {
        const cache = new MatchCache<number>()
        const current = new Map<string, number>()
        /** Three a topic: connections come by theirs in different ways. */
        const known = new Map<string, KnownTopic>()
        let time = 0
        for (const step of all) {
          time++
          if ('topic' in step) {
            const key = `${step.which} ${step.topic}`
            if (!known.has(key)) known.set(key, new KnownTopic(step.topic, Buffer.alloc(0), 0, 0, -1))
            const remembered = cache.get(step.topic, step.which === 3 ? null : known.get(key)!)
            if (remembered !== undefined) expect(remembered).toBe(current.get(step.topic))
            else {
              cache.set(step.topic, time)
              current.set(step.topic, time)
            }
          } else {
            cache.changed(step.filter)
            for (const one of current.keys()) if (matches(step.filter, one)) current.set(one, -time)
          }
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('are with the topic that its messages know, until they are forgotten', () => {
    const cache = seasoned('a/b')
    const known = new KnownTopic('a/b', Buffer.alloc(0), 0, 0, -1)
    expect(cache.get('a/b', known)).toBe('a/b')
    expect(cache.get('not looked at', known)).toBe('a/b')
    cache.changed('a/+')
    expect(cache.get('a/b', known)).toBeUndefined()
    cache.set('a/b', 'new')
    expect(cache.get('a/b', known)).toBe('new')
    for (let i = 0; i < 20_000; i++) cache.set(`${i}`, 'x')
    expect(cache.get('a/b', known)).toBeUndefined()
  })

  it('are few and small, whatever topics clients think up', () => {
    const caches = [new MatchCache<string>(), seasoned()]
    const before = heldBytes()
    for (const cache of caches) {
      for (let i = 0; i < 30_000; i++) cache.set(`${i}${'/a'.repeat(99)}`, 'x')
      for (let i = 0; i < 2_000; i++) cache.set(`${i}${'a'.repeat(60_000)}`, 'x')
      expect(cache.get(`1999${'a'.repeat(60_000)}`)).toBeUndefined()
    }
    expect(heldBytes() - before).toBeLessThan(30_000_000)
  })

  it('of the topics that are asked for all the time stay while 10,000 clients come and go', () => {
    const hot = Array.from({ length: 1_000 }, (_, i) => `sensor/${i}/value`)
    const cache = seasoned(...hot)
    for (let i = 0; i < 10_000; i++) cache.changed(`client/${i}/#`)
    expect(kept(cache, hot)).toEqual(hot)
  })
})
