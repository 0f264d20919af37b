import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, resolveConfig } from '../../../src/config/load.ts'
import { listOptions } from '../../../src/config/options.ts'

const FILE = new URL('../../../config/eventflow.yaml', import.meta.url).pathname

/** Paths and values of everything in `value` that is no group. */
function leaves(value: unknown, path: string[] = []): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path.join('.'), value]]
  return Object.entries(value).flatMap(([key, part]) => leaves(part, [...path, key]))
}

it('config/eventflow.yaml gives exactly the defaults', () => {
  expect(loadConfig({ file: FILE, env: {}, flags: {} })).toEqual(resolveConfig())
})

it('config/eventflow.yaml names every option with its default as a user writes it, and nothing else', () => {
  const options = listOptions().map((option) => [option.path, option.default])
  expect(leaves(parse(readFileSync(FILE, 'utf8')))).toEqual(options)
})

it('config/eventflow.yaml has what each option means on the line above it', () => {
  const lines = readFileSync(FILE, 'utf8').split('\n')
  const options = listOptions()
  const comments = lines.filter((line) => line.trim().startsWith('#')).map((line) => line.replace(/^\s*# /, ''))
  for (const { path, meaning } of options) {
    const words = meaning.split(/[:.]/)[0]!
    expect(
      comments.some((comment) => comment.startsWith(words)),
      path,
    ).toBe(true)
  }
})
