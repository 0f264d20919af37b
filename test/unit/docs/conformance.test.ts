/** docs/conformance.md and the tests that are named after its clauses, held to each other. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const TESTS = join(import.meta.dirname, '../..')
const page = readFileSync(join(TESTS, '../docs/conformance.md'), 'utf8')

type Standard = '5.0' | '3.1.1'

/** How many statements each standard has, and the numbers that its numbering leaves out. */
const STANDARDS = [
  { standard: '5.0', count: 251, leftOut: ['MQTT-2.2.1-1'] },
  { standard: '3.1.1', count: 141, leftOut: [] },
] as const

interface Row {
  clause: string
  statement: string
  /** Paths from test/ of the tests that bear its name; none if `where` says why there are none. */
  files: string[]
  where: string
}

function rowsOf(standard: Standard): Row[] {
  const chapter = page.split(`\n## MQTT ${standard}\n`)[1]!.split('\n## ')[0]!
  return [...chapter.matchAll(/^\| (MQTT-[\d.]+-\d+) \| (.+?) \| (.+) \|$/gm)].map(([, clause, statement, where]) => {
    const files = [...where!.matchAll(/`([\w/-]+\.test\.ts)`/g)].map((match) => match[1]!)
    return { clause: clause!, statement: statement!, files, where: where! }
  })
}

/** What a test file says, without its comments. */
function codeOf(file: string): string {
  const source = readFileSync(join(TESTS, file), 'utf8')
  return source.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/(^|\s)\/\/.*/g, '')
}

/** The clauses of a standard that stand in a text: `[MQTT-…, MQTT-…]` of 5.0, `[3.1.1: MQTT-…]` of 3.1.1. */
function clausesIn(text: string, standard: Standard): string[] {
  const groups = text.matchAll(/\[(3\.1\.1: )?(MQTT-[\d.]+-\d+(?:, MQTT-[\d.]+-\d+)*)\]/g)
  return [...groups]
    .filter(([, old]) => (old !== undefined) === (standard === '3.1.1'))
    .flatMap(([, , all]) => all!.split(', '))
}

/** Every test file by its path from test/. */
const sources = new Map(
  readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => [file.replaceAll('\\', '/'), codeOf(file)]),
)

/** Names of the tests that are known to fail. */
const failing = [...sources.values()].flatMap((source) =>
  [...source.matchAll(/\bit\.fails\(\s*(['"`])(.*?)\1/g)].map(([, , name]) => name!),
)

describe.each(STANDARDS)('docs/conformance.md on MQTT $standard', ({ standard, count, leftOut }) => {
  const rows = rowsOf(standard)
  const known = new Set(rows.map(({ clause }) => clause))

  it('has every clause once, with its statement, and leaves out no number', () => {
    expect(rows).toHaveLength(count)
    expect(known.size).toBe(count)
    const missing = [...known].flatMap((clause) => {
      const [, section, last] = /^(.*-)(\d+)$/.exec(clause)!
      return Array.from({ length: Number(last) }, (_, i) => `${section}${i + 1}`).filter((each) => !known.has(each))
    })
    expect([...new Set(missing)]).toEqual(leftOut)
    for (const { statement } of rows) expect(statement).toMatch(/^.{10,}\.$/)
  })

  it('says of each clause which tests are named after it, or why there are none', () => {
    for (const { clause, files, where } of rows) {
      if (files.length === 0) expect([clause, where]).toEqual([clause, expect.stringMatching(REASON)])
      for (const file of files) {
        const named = clausesIn(sources.get(file) ?? '', standard)
        expect([clause, file, named.includes(clause)]).toEqual([clause, file, true])
      }
    }
  })

  it('has every clause that a test is named after', () => {
    for (const [file, source] of sources) {
      const unknown = clausesIn(source, standard).filter((clause) => !known.has(clause))
      expect([file, unknown]).toEqual([file, []])
    }
  })

  it('says which tests fail yet', () => {
    const said = rows.filter(({ where }) => where.endsWith('; fails yet')).map(({ clause }) => clause)
    const inTests = failing.flatMap((name) => clausesIn(name, standard))
    expect(said.toSorted()).toEqual([...new Set(inTests)].toSorted())
  })
})

const REASON = /^(Clients only|Not offered: .+|Not applicable: .+|Not observable: .+)\.$/
