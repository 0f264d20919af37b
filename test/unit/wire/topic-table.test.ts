import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KnownTopic } from '../../../src/core/known-topic.ts'
import { TopicTable } from '../../../src/wire/topic-table.ts'
import { heldBytes } from '../../helpers/heap.ts'

/** As a decoder does it. Returns the text of the topic, and whether it was found. */
function read(table: TopicTable, topic: string, last: KnownTopic | null = null) {
  const offset = 3 + (topic.length % 5)
  const bytes = Buffer.concat([Buffer.alloc(offset, 'x'), Buffer.from(topic), Buffer.from('payload')])
  const length = Buffer.byteLength(topic)
  const found = table.find(bytes, offset, length, last)
  const known = found ?? table.add(topic, bytes, offset, length)
  bytes.fill(0) // the socket's memory is no business of the table
  return { known, found: found !== null }
}

const topics = (count: number) => Array.from({ length: count }, (_, n) => `bench/${n % 10}/${n}/state`)

describe('the table of topics', () => {
  it('keeps a topic that comes for the second time, and finds it from then on', () => {
    const table = new TopicTable()
    expect([1, 2, 3, 4].map(() => read(table, 'a/b').found)).toEqual([false, false, true, true])
    expect(read(table, 'a/b').known).toBe(read(table, 'a/b').known)
  })

  it('keeps ten thousand topics, all but a few of them', () => {
    const table = new TopicTable()
    const all = topics(10_000)
    for (let round = 0; round < 2; round++) for (const topic of all) read(table, topic)
    expect(all.filter((topic) => read(table, topic).found).length).toBeGreaterThan(9_900)
  })

  it('finds the one that came next before, where the last one is told, and no other in its stead', () => {
    const table = new TopicTable()
    for (let round = 0; round < 2; round++) for (const topic of ['a', 'b', 'c']) read(table, topic)
    const a = read(table, 'a').known
    expect(read(table, 'b', a)).toMatchObject({ found: true, known: { text: 'b' } })
    expect(read(table, 'c', a)).toMatchObject({ found: true, known: { text: 'c' } })
    expect(read(table, 'd', a)).toMatchObject({ found: false, known: { text: 'd' } })
    expect(read(table, 'a', read(table, 'c').known)).toMatchObject({ found: true, known: { text: 'a' } })
  })

  it('gives no place to topics that come once, where others are', () => {
    const table = new TopicTable()
    const all = topics(1_000)
    for (let round = 0; round < 2; round++) for (const topic of all) read(table, topic)
    for (let n = 0; n < 200_000; n++) read(table, `once/${n}`)
    expect(all.filter((topic) => read(table, topic).found).length).toBeGreaterThan(950)
  })

  it('never takes one topic for another, whatever comes in whatever order', () => {
    const level = fc.constantFrom('a', 'b', 'ab', '', 'ä', '😀', 'bench', '000001')
    const topic = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/') || '/')
    fc.assert(
      fc.property(fc.array(topic, { maxLength: 200 }), fc.nat(4), (all, times) => {
        const table = new TopicTable()
        let last: KnownTopic | null = null
        const rounds = Array.from({ length: times }, () => all.slice(0, 20)).flat()
        for (const one of [...rounds, ...all]) {
          const { known } = read(table, one, last)
          last = known
          expect(known.text).toBe(one)
          expect(known.is(Buffer.from(one), 0, Buffer.byteLength(one))).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('begins anew when the bytes of its topics fill their memory, and those that are still in use stay right', () => {
    const table = new TopicTable()
    const name = (n: number) => `${n}/`.padEnd(250, 'x')
    const early = [0, 1].map(() => read(table, name(0)).known)[1]!
    for (let n = 0; n < 20_000; n++) for (let round = 0; round < 2; round++) read(table, name(n))
    expect(early.is(Buffer.from(name(0)), 0, 250)).toBe(true)
    expect(read(table, name(19_999))).toMatchObject({ found: true, known: { text: name(19_999) } })
  })

  it('is small, whatever topics clients think up', () => {
    const table = new TopicTable()
    const before = heldBytes()
    for (let n = 0; n < 30_000; n++) for (let round = 0; round < 2; round++) read(table, `${n}${'/a'.repeat(120)}`)
    for (let n = 0; n < 1_000; n++) for (let round = 0; round < 3; round++) read(table, `${n}${'a'.repeat(60_000)}`)
    expect(heldBytes() - before).toBeLessThan(20_000_000)
  })
})
