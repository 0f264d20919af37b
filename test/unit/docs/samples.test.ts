/** Configuration that the pages of docs/ show is configuration that the broker takes; JSON that they show is JSON. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { resolveConfig } from '../../../src/config/load.ts'
import { blocksOf, readPage } from '../../helpers/recipes.ts'

const names = readdirSync(join(import.meta.dirname, '../../../docs')).filter((name) => name.endsWith('.md'))
const samples = names.flatMap((name) => blocksOf(readPage(`docs/${name}`)).map((block) => ({ name, ...block })))
const of = (language: string) => samples.filter((sample) => sample.language === language)

/** For Prometheus, and a fault that is shown for one. */
const others = new Set(['operations.md: Monitoring, yaml 1'])

it.each(of('yaml'))('$name shows a configuration that is valid: $key', ({ name, key, text }) => {
  const sample = parse(text)
  if (others.has(`${name}: ${key}`)) return expect(sample).not.toHaveProperty('listeners')
  expect(() => resolveConfig(sample)).not.toThrow()
})

it.each(of('json'))('$name shows JSON, or lines of it: $key', ({ text }) => {
  const texts = text.startsWith('{\n') ? [text] : text.trim().split('\n')
  for (const each of texts) expect(JSON.parse(each)).toBeTypeOf('object')
})

it('there are samples', () => {
  expect(of('yaml').length).toBeGreaterThan(15)
  expect(of('json').length).toBeGreaterThan(3)
})
