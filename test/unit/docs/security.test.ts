import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const ROOT = new URL('../../../', import.meta.url)
const page = readFileSync(new URL('docs/security.md', ROOT), 'utf8')
const rows = [...page.matchAll(/^\| (?!Attempt|---)(.*) \| (.*) \| (.*) \|$/gm)].map(([, ...cells]) => cells)

it('docs/security.md has an answer and a test for every attempt', () => {
  expect(rows.length).toBeGreaterThan(20)
  for (const [attempt, answer, test] of rows) expect([attempt, answer, test]).not.toContain('')
})

it.each(rows.map(([attempt, , test]) => [attempt!, test!]))('%s: the test is there', (_attempt, cell) => {
  const named = [...cell.matchAll(/`(test\/[\w/.-]+)`(?:, "([^"]+)")?/g)]
  expect(named.length).toBeGreaterThan(0)
  for (const [, file, title] of named) {
    const source = readFileSync(new URL(file!, ROOT), 'utf8')
    if (title !== undefined) expect(source, file).toContain(title)
  }
})
