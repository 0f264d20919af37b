/** docs/security.md promises tests: each is there, under the name that the page gives it. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')

const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Attempt '))

/** The names of the tests of a file, and of its groups, as they are written in the source. */
function namesIn(source: string): string[] {
  // A table of it.each may have calls of its own, so names are found by where they stand: first behind a bracket.
  return [
    ...source.matchAll(
      /\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`([^`]*)`),\s*(?:\{[^}]*\},\s*)?(?:async )?\(/g,
    ),
  ].map((match) => (match[1] ?? match[2] ?? match[3])!.replaceAll(/\\(.)/g, '$1'))
}

it('docs/security.md has a table of attempts', () => {
  expect(rows.length).toBeGreaterThan(20)
})

it.each(rows)('%s', (row) => {
  const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim())
  const [, attempt, outcome, test] = cells
  expect([attempt, outcome]).not.toContain('')
  const named = /^`(test\/[\w/.-]+\.test\.ts)`: (.+)$/.exec(test ?? '')
  expect(named, 'a file and the name of a test').not.toBeNull()
  const [, file, name] = named!
  expect(existsSync(join(ROOT, file!)), file).toBe(true)
  const names = namesIn(readFileSync(join(ROOT, file!), 'utf8'))
  expect(
    names.some((known) => known.startsWith(name!)),
    `${name} in ${file}`,
  ).toBe(true)
})
