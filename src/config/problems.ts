/** What is wrong with a configuration, in words: one line a problem, all of them at once. */

import type * as z from 'zod'
import { EventflowError } from '../core/errors.ts'
import { namesWithin } from './options.ts'

export type Path = readonly PropertyKey[]
/** Says where the value at a path came from: a file with its line, a variable, a flag. Null: nobody knows. */
export type Origin = (path: Path) => string | null

/** Options whose values are kept out of messages, which end up in logs. */
const SECRET = new Set([
  ...['access.passwordFile', 'access.scramFile', 'listeners.tls.passphraseFile', 'listeners.wss.passphraseFile'],
  ...['jwt', 'jwt.secretFile', 'jwt.jwksUrl', 'httpAuth', 'httpAuth.url', 'httpAuth.bearerTokenFile'],
])
const LONGEST_SHOWN = 60

export function configError(problems: readonly string[], cause?: unknown): EventflowError {
  return new EventflowError('CONFIG_INVALID', problems.join('\n'), { cause })
}

/** One line for each problem: `path: expected …, found … (where it came from)`. */
export function describeProblems(error: z.ZodError, input: unknown, originOf: Origin): string[] {
  const lines = new Map<string, string>()
  for (const issue of error.issues) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [null]
    for (const key of keys) {
      const path = key === null ? issue.path : [...issue.path, key]
      const found = key === null ? `expected ${issue.message}, found ${show(path, input)}` : unknownOption(issue.path)
      const origin = originOf(path)
      // The first problem of a value is the one to mend; a second one would only say the same in other words.
      if (!lines.has(pathText(path))) lines.set(pathText(path), origin === null ? found : `${found} (${origin})`)
    }
  }
  return [...lines].map(([path, found]) => (path === '' ? found : `${path}: ${found}`))
}

/** `access.rules[0].topics`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text === '' ? String(key) : `${text}.${String(key)}`
  }, '')
}

function unknownOption(group: Path): string {
  const names = namesWithin(pathText(group))
  return names.length === 0 ? 'no such option' : `no such option, expected one of ${names.join(', ')}`
}

function show(path: Path, input: unknown): string {
  if (SECRET.has(pathText(path))) return 'something else'
  let value = input
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return 'nothing'
    value = (value as Record<PropertyKey, unknown>)[key]
  }
  const text = JSON.stringify(value) ?? String(value)
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text
}
