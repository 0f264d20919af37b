/** Links of the documents lead somewhere: to files that there are, and that the package has too, and to headings in them. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...inDocs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
]
/** Text of a page, code apart. */
const proseOf = (page: string) => readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```.*?^```$/gms, '')

/** What a heading is called in links, as GitHub calls it. */
const anchorOf = (heading: string) =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')

function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of proseOf(page).matchAll(/^#+ (.+)$/gm)) {
    const anchor = anchorOf(heading!)
    let name = anchor
    for (let n = 1; anchors.has(name); n++) name = `${anchor}-${n}`
    anchors.add(name)
  }
  return anchors
}

/** Why a link leads nowhere, or null. */
function problemOf(page: string, link: string): string | null {
  const [path, anchor] = link.split('#') as [string, string?]
  const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path))
  if (!existsSync(join(ROOT, target))) return 'no such file'
  if (anchor === undefined) return null
  return anchorsOf(target).has(anchor) ? null : `no such heading in ${target}`
}

const linksOf = (page: string) =>
  [...proseOf(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, link]) => link!)

it.each(pages)('%s has links that lead somewhere', (page) => {
  const problems = linksOf(page).map((link) => [link, problemOf(page, link)] as const)
  expect(problems.filter(([, problem]) => problem !== null)).toEqual([])
})

it('a link that leads nowhere is noticed', () => {
  expect(problemOf('docs/queues.md', 'nowhere.md')).toBe('no such file')
  expect(problemOf('docs/queues.md', 'events.md#nothing')).toBe('no such heading in docs/events.md')
  expect(problemOf('docs/queues.md', '../README.md')).toBeNull()
  expect(linksOf('README.md').length).toBeGreaterThan(10)
})

it('every page of docs is named by the README', () => {
  const named = new Set(linksOf('README.md').map((link) => link.split('#')[0]))
  const mine = pages.filter((page) => /^docs\/[\w-]+\.md$/.test(page))
  expect(mine.filter((page) => !named.has(page))).toEqual([])
})
