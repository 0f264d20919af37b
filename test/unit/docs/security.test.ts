/** docs/security.md promises tests: each is there, under the name that the page gives it. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Attempt '))

it('docs/security.md has tables of attempts', () => {
  expect(rows.length).toBeGreaterThan(50)
})

it.each(rows)('%s', (row) => {
  const [, attempt, outcome, test = ''] = row.split(/(?<!\\)\|/).map((cell) => cell.trim())
  expect([attempt, outcome, test]).not.toContain('')
  const named = [...test.matchAll(/`(test\/[\w/.-]+\.test\.ts)`(?:: ([^;]+)|, "([^"]+)")?/g)]
  expect(named.length, 'a file, and words of the name of a test').toBeGreaterThan(0)
  for (const [, file, one, other] of named) {
    expect(existsSync(join(ROOT, file!)), file).toBe(true)
    const source = readFileSync(join(ROOT, file!), 'utf8').replaceAll(/\\(['"`])/g, '$1')
    expect(source.includes((one ?? other ?? '').trim()), `${one ?? other} in ${file}`).toBe(true)
  }
})
