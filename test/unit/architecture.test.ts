/** The rooms of the house and who may look into which: imports point one way, types included, and make no circles. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

/** Sources by path from the root, with `/`. */
type Sources = ReadonlyMap<string, string>

const BELOW_SESSION = ['src/core', 'src/config', 'src/store', 'src/wire']
const UP_TO_KERNEL = [...BELOW_SESSION, 'src/session', 'src/kernel']
const INSIDE = [
  ...UP_TO_KERNEL,
  'src/pubsub',
  'src/transport',
  'src/plugin.ts',
  'src/embedded',
  'src/version.ts',
  'src/reload',
  'src/assembly',
  'plugins',
]

/** What each room imports of ours beside itself. A file that is in no room is a violation. */
const MAY_IMPORT: ReadonlyMap<string, readonly string[]> = new Map([
  ['src/core', []],
  ['src/config', ['src/core']],
  ['src/store', ['src/core']],
  ['src/wire', ['src/core']],
  ['src/session', BELOW_SESSION],
  ['src/kernel', [...BELOW_SESSION, 'src/session']],
  ['src/pubsub', UP_TO_KERNEL],
  ['src/transport', UP_TO_KERNEL],
  ['src/plugin.ts', UP_TO_KERNEL],
  ['plugins', ['src/plugin.ts']],
  ['src/version.ts', []],
  ['src/embedded', UP_TO_KERNEL],
  ['src/reload', [...UP_TO_KERNEL, 'src/pubsub', 'src/transport']],
  ['src/assembly', INSIDE.filter((room) => room !== 'plugins')],
  // A load on any broker: it must know ours from outside only.
  ['src/bench', []],
  ['src/eventflow.ts', INSIDE],
  ['src/index.ts', [...INSIDE, 'src/eventflow.ts']],
  ['src/cli', [...INSIDE.filter((room) => room !== 'plugins'), 'src/eventflow.ts', 'src/index.ts', 'src/bench']],
])

/** Imports that are right although their room's rule says no. */
const EXCEPTIONS = new Set([
  'src/cli/commands/passwd.ts → plugins/access/password-file.ts',
  'src/cli/commands/check.ts → plugins/queue/policies.ts',
  'src/cli/access-question.ts → plugins/index.ts',
  'src/cli/dry-run.ts → plugins/index.ts',
])

const STATEMENT =
  /^\s*(?:import|export)\s+(?:type\s+)?[\w*{][^'";=()]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm

/** What a file imports: packages as they are named, our own files as paths from the root. */
function importsOf(file: string, source: string): string[] {
  return [...source.matchAll(STATEMENT)].map((match) => {
    const name = (match[1] ?? match[2] ?? match[3])!
    return name.startsWith('.') ? posix.join(posix.dirname(file), name) : name
  })
}

function roomOf(file: string): string | undefined {
  return [...MAY_IMPORT.keys()].find((room) => file === room || file.startsWith(`${room}/`))
}

function isOurs(path: string): boolean {
  return path.startsWith('src/') || path.startsWith('plugins/')
}

/** What a part of the queue plugin may know of the rest of it. */
const QUEUE_LAYERS = [
  [/^plugins\/queue\/rules\//, /^plugins\/queue\/(rules|records)\//],
  [/^plugins\/queue\/records\//, /^plugins\/queue\/records\//],
  [/^plugins\/queue\/(?!operations\/|index)/, /^plugins\/queue\/(?!operations\/|index)/],
] as const

function mayImport(from: string, to: string): boolean {
  if (EXCEPTIONS.has(`${from} → ${to}`)) return true
  if (!isOurs(to)) return !/^aedes($|\/)/.test(to) || from.startsWith('src/transport/')
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)]
  if (fromRoom === undefined || toRoom === undefined) return false
  if (fromRoom === 'plugins' && toRoom === 'plugins') {
    if (from === 'plugins/index.ts') return /^plugins\/[^/]+\/index\.ts$/.test(to)
    return (
      from.split('/')[1] === to.split('/')[1] &&
      !QUEUE_LAYERS.some(([part, below]) => part.test(from) && !below.test(to))
    )
  }
  return fromRoom === toRoom || MAY_IMPORT.get(fromRoom)!.includes(toRoom)
}

function violations(sources: Sources): string[] {
  const found = [...sources.keys()].filter((file) => roomOf(file) === undefined).map((file) => `${file} is in no room`)
  for (const [file, source] of sources) {
    for (const to of importsOf(file, source)) if (!mayImport(file, to)) found.push(`${file} → ${to}`)
  }
  return found
}

/** Each circle once, as the files on the way round. */
function circles(sources: Sources): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file)
    if (start !== -1) found.push([...way.slice(start), file].join(' → '))
    if (start !== -1 || done.has(file)) return
    for (const to of importsOf(file, sources.get(file) ?? '')) if (sources.has(to)) visit(to, [...way, file])
    done.add(file)
  }
  for (const file of sources.keys()) visit(file, [])
  return found
}

function readSources(...folders: string[]): Sources {
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => posix.join(folder, name.replaceAll('\\', '/'))),
  )
  return new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]))
}

describe('the sources', () => {
  const sources = readSources('src', 'plugins')

  it('import in one direction', () => expect(violations(sources)).toEqual([]))

  it('have no import circles', () => expect(circles(sources)).toEqual([]))

  it('are seen: every room that is there imports something', () => {
    const seen = new Set(
      [...sources].filter(([file, source]) => importsOf(file, source).length > 0).map(([file]) => roomOf(file)),
    )
    expect([...seen].sort()).toEqual([...new Set([...sources.keys()].map(roomOf))].sort())
  })
})

describe('the helpers of tests', () => {
  it('import no tests: whoever uses one needs to know no other', () => {
    const found = [...readSources('test/helpers')].flatMap(([file, source]) =>
      importsOf(file, source).map((to) => `${file} → ${to}`),
    )
    expect(found.length).toBeGreaterThan(50)
    expect(found.filter((arrow) => / → test\/(?!helpers\/)/.test(arrow))).toEqual([])
  })
})

describe('the checker', () => {
  it.each([
    ["import { a } from '../wire/a.ts'", 'src/wire/a.ts'],
    ["import type { A } from './a.ts'", 'src/core/a.ts'],
    ["import {\n  a,\n  type B,\n} from './a.ts'", 'src/core/a.ts'],
    ["import A, * as all from './a.ts'", 'src/core/a.ts'],
    ["import './a.ts'", 'src/core/a.ts'],
    ["export * from './a.ts'", 'src/core/a.ts'],
    ["export type { A } from './a.ts'", 'src/core/a.ts'],
    ["const a = await import('./a.ts')", 'src/core/a.ts'],
    ["type A = import('./a.ts').A", 'src/core/a.ts'],
    ["import { readFileSync } from 'node:fs'", 'node:fs'],
  ])('reads %j', (source, imported) => {
    expect(importsOf('src/core/x.ts', source)).toEqual([imported])
  })

  it('takes no words for imports', () => {
    const source = "/** import a from 'b' */\nexport const text = 'from'\nexport function f(from = 'x') {}\n"
    expect(importsOf('src/core/x.ts', source)).toEqual([])
  })

  it.each([
    ['src/core/x.ts', 'src/wire/a.ts'],
    ['src/wire/x.ts', 'src/store/a.ts'],
    ['src/config/x.ts', 'src/wire/a.ts'],
    ['src/session/x.ts', 'src/kernel/a.ts'],
    ['src/kernel/x.ts', 'src/pubsub/a.ts'],
    ['src/kernel/x.ts', 'src/plugin.ts'],
    ['src/reload/x.ts', 'src/assembly/a.ts'],
    ['src/assembly/x.ts', 'plugins/index.ts'],
    ['src/assembly/x.ts', 'src/eventflow.ts'],
    ['src/pubsub/x.ts', 'src/transport/a.ts'],
    ['src/transport/x.ts', 'src/pubsub/a.ts'],
    ['src/plugin.ts', 'src/pubsub/a.ts'],
    ['src/eventflow.ts', 'src/cli/a.ts'],
    ['src/eventflow.ts', 'src/bench/a.ts'],
    ['src/bench/x.ts', 'src/wire/a.ts'],
    ['src/eventflow.ts', 'src/index.ts'],
    ['src/index.ts', 'src/cli/a.ts'],
    ['src/cli/main.ts', 'plugins/access/password-file.ts'],
    ['plugins/queue/index.ts', 'src/core/message.ts'],
    ['plugins/queue/index.ts', 'plugins/status/index.ts'],
    ['plugins/queue/index.ts', 'plugins/index.ts'],
    ['plugins/index.ts', 'plugins/queue/engine.ts'],
    ['plugins/queue/rules/x.ts', 'plugins/queue/engine.ts'],
    ['plugins/queue/records/x.ts', 'plugins/queue/rules/a.ts'],
    ['plugins/queue/engine.ts', 'plugins/queue/operations/a.ts'],
    ['src/elsewhere/x.ts', 'src/core/a.ts'],
    ['src/core/x.ts', 'src/elsewhere/a.ts'],
    ['src/session/x.ts', 'aedes'],
    ['plugins/queue/index.ts', 'aedes/lib/client.js'],
  ])('refuses %s → %s', (from, to) => expect(mayImport(from, to)).toBe(false))

  it.each([
    ['src/wire/x.ts', 'src/core/a.ts'],
    ['src/wire/x.ts', 'src/wire/deeper/a.ts'],
    ['src/plugin.ts', 'src/kernel/a.ts'],
    ['src/eventflow.ts', 'plugins/index.ts'],
    ['src/eventflow.ts', 'src/assembly/a.ts'],
    ['src/assembly/x.ts', 'src/transport/a.ts'],
    ['src/index.ts', 'src/eventflow.ts'],
    ['src/cli/commands/passwd.ts', 'plugins/access/password-file.ts'],
    ['plugins/queue/index.ts', 'src/plugin.ts'],
    ['plugins/queue/index.ts', 'plugins/queue/engine.ts'],
    ['plugins/index.ts', 'plugins/queue/index.ts'],
    ['plugins/queue/rules/x.ts', 'plugins/queue/records/a.ts'],
    ['plugins/queue/operations/x.ts', 'plugins/queue/engine.ts'],
    ['src/transport/x.ts', 'aedes'],
    ['src/session/x.ts', 'aedes-cousin'],
  ])('lets %s → %s pass', (from, to) => expect(mayImport(from, to)).toBe(true))

  it('names the file and what it imports', () => {
    const sources = new Map([
      ['src/core/x.ts', "import type { Plugin } from '../plugin.ts'"],
      ['src/stray.ts', ''],
    ])
    expect(violations(sources)).toEqual(['src/stray.ts is in no room', 'src/core/x.ts → src/plugin.ts'])
  })

  it('finds a circle, types included', () => {
    const sources = new Map([
      ['src/core/a.ts', "import { b } from './b.ts'"],
      ['src/core/b.ts', "export type { C } from './c.ts'"],
      ['src/core/c.ts', "import type { B } from './b.ts'"],
    ])
    expect(circles(sources)).toEqual(['src/core/b.ts → src/core/c.ts → src/core/b.ts'])
  })
})
