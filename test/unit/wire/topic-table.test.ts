import { describe, expect, it } from 'vitest'
import { TopicTable } from '../../../src/wire/topic-table.ts'

/** The text that the table has for a topic; '' if it does not know it. */
function look(table: TopicTable, topic: string): string {
  const bytes = Buffer.from(`<${topic}>`)
  const place = table.placeOf(bytes, 1, bytes.length - 1)
  return table.holds(place, bytes, 1, bytes.length - 1) ? table.text(place) : ''
}

function keep(table: TopicTable, topic: string): boolean {
  expect(look(table, topic)).toBe('')
  const bytes = Buffer.from(`<${topic}>`)
  const kept = table.add(table.placeOf(bytes, 1, bytes.length - 1), topic, bytes, 1, bytes.length - 1)
  bytes.fill(0)
  return kept
}

describe('the table of topics', () => {
  it('finds a topic that it was given by the bytes of it, whatever became of those that it came in', () => {
    const table = new TopicTable(1024)
    const topics = ['a', 'b', 'a/b', 'Straße/日本', 'x'.repeat(255)]
    for (const topic of topics) expect(keep(table, topic)).toBe(true)
    for (const topic of topics) expect(look(table, topic)).toBe(topic)
    expect([look(table, 'c'), look(table, 'a/')]).toEqual(['', ''])
  })

  it('keeps no more topics than it has places, the latest among them', () => {
    const table = new TopicTable(16)
    const topics = Array.from({ length: 1000 }, (_, i) => `topic/${i}`)
    for (const topic of topics) keep(table, topic)
    const known = topics.filter((topic) => look(table, topic) === topic)
    expect(known.length).toBeLessThanOrEqual(16)
    expect(known).toContain('topic/999')
  })

  it('keeps no long ones', () => {
    const table = new TopicTable(16)
    expect(keep(table, 'x'.repeat(256))).toBe(false)
    expect(look(table, 'x'.repeat(256))).toBe('')
  })
})
