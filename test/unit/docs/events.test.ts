import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { EVENT_TYPES } from '../../../src/core/event-types.ts'
import { declaredEvents } from '../../helpers/declared-events.ts'

const page = read('docs/events.md')
const source = read('src/core/events.ts')

function read(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
}

/** What stands between two texts. */
function between(text: string, start: string, end: string): string {
  const from = text.indexOf(start) + start.length
  return text.slice(from, text.indexOf(end, from))
}

/** Events, the names of their data and their meaning, as the page's tables have them, by area. */
function documented(): Array<{ area: string; event: string; fields: string[]; meaning: string }> {
  return page.split('\n## ').flatMap((section) => {
    const rows = section.matchAll(/^\| `([\w-]+\.[\w.-]+)` \| (.*?) \| (.*) \|$/gm)
    return [...rows].map(([, event, data, meaning]) => {
      const fields = data === 'none' ? [] : data!.split(', ').map((field) => field.replaceAll('`', ''))
      return { area: section.split('\n')[0]!, event: event!, fields, meaning: meaning! }
    })
  })
}

it('EventMap is read whole', () => {
  expect(declaredEvents().map(([event]) => event)).toEqual(EVENT_TYPES)
})

it('docs/events.md has every event with its data, and nothing else', () => {
  expect(documented().map(({ event, fields }) => [event, fields])).toEqual(declaredEvents())
})

it('docs/events.md has every event under its area, with a meaning', () => {
  for (const { area, event, meaning } of documented()) {
    expect(event.split('.')[0]).toBe(area)
    expect(meaning).toMatch(/^[A-Z].*\.$/)
  }
})

it('docs/events.md has every reason of a disconnect, and nothing else', () => {
  const reasons = [...between(source, 'type DisconnectReason =', '\n\n').matchAll(/'([\w-]+)'/g)].map(
    (match) => match[1],
  )
  const rows = between(page, '| Reason | Meaning |\n|---|---|\n', '\n\n')
  expect([...rows.matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1])).toEqual(reasons)
})

it('docs/events.md has every reason of a refused connection, and nothing else', () => {
  const reasons = [...between(source, 'type RefusalReason =', '\n\n').matchAll(/'([\w-]+)'/g)].map((match) => match[1])
  const rows = between(page, '| Reason | The connection |\n|---|---|\n', '\n\n')
  expect([...rows.matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1])).toEqual(reasons)
})
