/** docs/architecture.md is the map of the sources: whatever it names is there, and no room is missing. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const page = read('docs/architecture.md')

/** `transport/lane.ts`, `plugins/queue/README.md`: paths from the root, or from `src`. */
const PATH = /(?<![\w./-])[\w-]+\/[\w/.-]*\w\.(?:ts|js|md|yaml)/g

/** The folders of `src` and `plugins`, and the files that stand beside them. */
function rooms(): string[] {
  return ['src', 'plugins'].flatMap((parent) =>
    readdirSync(join(ROOT, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || parent === 'src')
      .map(({ name }) => `${parent}/${name}`)
      .filter((path) => path !== 'src/version.ts'),
  )
}

describe('docs/architecture.md', () => {
  it('names files that exist', () => {
    const [, table = ''] = page.split('\n## Rooms\n')
    const inTable = table.split('\n## ', 1)[0]!.split('\n')
    const elsewhere = page.split('\n').filter((line) => !inTable.includes(line))
    const named = elsewhere.flatMap((line) => line.match(PATH) ?? [])
    expect(named.length).toBeGreaterThan(50)
    expect(named.filter((path) => !existsSync(join(ROOT, path)) && !existsSync(join(ROOT, 'src', path)))).toEqual([])
  })

  it('says of every room what it is, and where to begin', () => {
    const rows = [...page.matchAll(/^\| (`(?:src|plugins).*?) \| .+ \| ?(.*?) ?\|$/gm)]
    const shown = rows.map(([, names, files]) => ({ names: quoted(names!), files: quoted(files!) }))
    expect(shown.flatMap(({ names }) => names).sort()).toEqual(rooms().sort())
    const missing = shown.flatMap(({ names, files }) =>
      files.filter((file) => !names.some((room) => existsSync(join(ROOT, room, file)))),
    )
    expect(missing).toEqual([])
  })
})

describe('docs/decisions', () => {
  const pages = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => /^\d{4}-/.test(name))

  it.each(pages)('%s says why, what, at which price and until when', (name) => {
    const parts = [...read(`docs/decisions/${name}`).matchAll(/^(?:\*\*|## )(Context|Choice|Price|Until)\b/gm)]
    expect(parts.map(([, part]) => part)).toEqual(['Context', 'Choice', 'Price', 'Until'])
  })

  it('README.md lists all of them, by their titles', () => {
    const links = [...read('docs/decisions/README.md').matchAll(/^\d+\. \[(.+)\]\((.+)\)/gm)]
    const titles = pages.map((name) => [/^# \d+\. (.+)$/m.exec(read(`docs/decisions/${name}`))![1], name])
    expect(links.map(([, title, name]) => [title, name])).toEqual(titles)
  })
})

function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!)
}
