import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../../src/core/errors.ts'

it('docs/errors.md has every error code, with what happened and what to do, and no other', () => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (.{10,}) \| (.{10,}) \|$/gm)].map(([, code]) => code)
  expect(rows).toEqual(Object.keys(ERROR_CODES))
})
