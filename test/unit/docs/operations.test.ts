/** What docs/operations.md says of options, events, errors and the format of the store is so. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { listOptions } from '../../../src/config/options.ts'
import { ERROR_CODES } from '../../../src/core/errors.ts'
import { EVENT_TYPES } from '../../../src/core/event-types.ts'
import { FORMAT_VERSION } from '../../../src/store/level/keys.ts'

const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
/** What stands between backticks in its text, examples apart. */
const words = [...page.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, word]) => word!)

it('docs/operations.md names options and events that there are', () => {
  const options = listOptions().map(({ path }) => path)
  const groups = new Set([...options, ...EVENT_TYPES].map((name) => name.split('.')[0]))
  const dotted = words.filter((word) => /^[a-z]\w*\.[\w.-]+$/.test(word) && groups.has(word.split('.')[0]))
  expect(dotted).toContain('limits.maxConnections')
  expect(dotted).toContain('store.failed')
  const known = new Set<string>([...options, ...EVENT_TYPES])
  expect(dotted.filter((word) => !known.has(word))).toEqual([])
})

it('docs/operations.md names variables and error codes that there are', () => {
  const known = new Set([...listOptions().map(({ variable }) => variable), ...Object.keys(ERROR_CODES)])
  const named = words.map((word) => word.split('=')[0]!).filter((word) => /^(EVENTFLOW|STORE|CONFIG)_/.test(word))
  expect(named.length).toBeGreaterThan(2)
  expect(named.filter((word) => !known.has(word))).toEqual([])
})

it('docs/operations.md tells the format that this version reads and writes', () => {
  expect(page).toContain(`this version reads and writes format ${FORMAT_VERSION}.`)
})
