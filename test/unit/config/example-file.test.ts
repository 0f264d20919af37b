import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, resolveConfig } from '../../../src/config/load.ts'
import { listOptions } from '../../../src/config/options.ts'

const FILE = new URL('../../../config/eventflow.yaml', import.meta.url).pathname

/** Paths and values of everything in `value` that is no group. */
function leaves(value: unknown, path: string[] = []): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path.join('.'), value]]
  if (Object.keys(value).length === 0) return [[path.join('.'), value]]
  return Object.entries(value).flatMap(([key, part]) => leaves(part, [...path, key]))
}

it('config/eventflow.yaml gives exactly the defaults', () => {
  expect(loadConfig({ file: FILE, env: {}, flags: {} })).toEqual(resolveConfig())
})

/** The options below one that is off, and those that are not. */
const isWithin = (path: string) => OFF.some((group) => path.startsWith(`${group}.`))
const OFF = [
  'listeners.tls',
  'listeners.ws',
  'listeners.wss',
  'listeners.unix',
  'log.file',
  'status.file',
  'jwt',
  'httpAuth',
]

it('config/eventflow.yaml names every option with its default as a user writes it, and nothing else', () => {
  const options = listOptions().filter(({ path }) => !isWithin(path))
  expect(leaves(parse(readFileSync(FILE, 'utf8')))).toEqual(options.map((option) => [option.path, option.default]))
})

it.each(OFF)('config/eventflow.yaml has what %s would be, commented out', (group) => {
  const keys = group.split('.')
  const name = keys.pop()!
  const [within, indent] = keys.length === 0 ? ['', ''] : [`^${keys[0]}:\n(?:(?: .*)?\n)*?`, '  ']
  const lines = new RegExp(`${within}^${indent}# ${name}:\\n((?:${indent}#   .*\\n)+)`, 'm')
  const block = lines.exec(readFileSync(FILE, 'utf8'))![1]!
  const options = listOptions().filter(({ path }) => path.startsWith(`${group}.`))
  const found = leaves(parse(block.replaceAll(/^ *# {3}/gm, '')), [group])
  expect(found.map(([path]) => path)).toEqual(options.map(({ path }) => path))
  for (const [i, [path, value]] of found.entries()) {
    const given = options[i]!.default
    if (given === undefined) expect(value, path).toEqual(expect.any(String))
    else expect(value, path).toEqual(given)
  }
})

it('config/eventflow.yaml has what each option means on the line above it', () => {
  const lines = readFileSync(FILE, 'utf8').split('\n')
  const options = listOptions()
  const comments = lines.filter((line) => line.trim().startsWith('#')).map((line) => line.replace(/^[\s#]*/, ''))
  for (const { path, meaning } of options) {
    const words = meaning.split(/[:.]/)[0]!
    expect(
      comments.some((comment) => comment.startsWith(words)),
      path,
    ).toBe(true)
  }
})
