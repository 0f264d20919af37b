/** The options as a flat list, read off the schema, for whatever must name every one of them. */

import * as z from 'zod'
import { configSchema } from './schema.ts'

export interface Option {
  /** As in the file: `session.maxQueued`. */
  readonly path: string
  /** Its environment variable: `EVENTFLOW_SESSION_MAX_QUEUED`. */
  readonly variable: string
  /** As a user would write it: '64MB', not 67108864. */
  readonly default: unknown
  /** One line. */
  readonly meaning: string
  readonly schema: z.ZodType
}

/** Every option, in the order of the schema. */
export function listOptions(): Option[] {
  return [...walk(configSchema, '')]
}

/** Every group of options: `listeners`, `listeners.tcp`. */
export function listGroups(): string[] {
  const groups = new Set<string>()
  for (const { path } of listOptions()) {
    for (let end = path.indexOf('.'); end !== -1; end = path.indexOf('.', end + 1)) groups.add(path.slice(0, end))
  }
  return [...groups]
}

/** What the group at `path` may hold, or an empty list when it is no group of options. */
export function namesWithin(path: string): string[] {
  const prefix = path === '' ? '' : `${path}.`
  const within = listOptions().filter((option) => option.path.startsWith(prefix))
  return [...new Set(within.map((option) => option.path.slice(prefix.length).split('.')[0]!))]
}

function* walk(schema: z.core.$ZodType, path: string): Generator<Option> {
  const bare = schema instanceof z.ZodPrefault ? schema.unwrap() : schema
  if (bare instanceof z.ZodObject) {
    for (const [key, part] of Object.entries(bare.shape)) yield* walk(part, path === '' ? key : `${path}.${key}`)
  } else if (schema instanceof z.ZodPrefault && schema.description !== undefined) {
    const meaning = schema.description
    yield { path, variable: variableOf(path), default: schema.def.defaultValue, meaning, schema }
  } else {
    throw new TypeError(`the option ${path} lacks a default or a description`)
  }
}

function variableOf(path: string): string {
  const words = path.replaceAll('.', '_').replaceAll(/[A-Z]/g, (letter) => `_${letter}`)
  return `EVENTFLOW_${words.toUpperCase()}`
}
