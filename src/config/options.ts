/** The options as a flat list, read off the schema, for whatever must name every one of them. */

import * as z from 'zod'
import { configSchema } from './schema.ts'

export interface Option {
  /** As in the file: `session.maxQueued`. */
  readonly path: string
  /** Its environment variable: `EVENTFLOW_SESSION_MAX_QUEUED`. */
  readonly variable: string
  /** As a user would write it: '64MB', not 67108864. Undefined: its group cannot do without it. */
  readonly default: unknown
  /** One line. */
  readonly meaning: string
  readonly schema: z.ZodType
}

/** Every option, in the order of the schema. */
export function listOptions(): Option[] {
  return [...walk(configSchema, '')]
}

/** Every group of options that is always there: `listeners`, `listeners.tcp`. */
export function listGroups(): string[] {
  const groups = new Set<string>()
  const options = listOptions()
  for (const { path } of options) {
    for (let end = path.indexOf('.'); end !== -1; end = path.indexOf('.', end + 1)) groups.add(path.slice(0, end))
  }
  // A group that may be null is an option itself: null means something.
  for (const { path } of options) groups.delete(path)
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
  if (!(bare instanceof z.ZodObject)) yield optionOf(schema, path)
  const group = bare instanceof z.ZodNullable ? bare.unwrap() : bare
  if (!(group instanceof z.ZodObject)) return
  for (const [key, part] of Object.entries(group.shape)) yield* walk(part, path === '' ? key : `${path}.${key}`)
}

function optionOf(schema: z.core.$ZodType, path: string): Option {
  const meaning = (schema as z.ZodType).description
  if (meaning === undefined) throw new TypeError(`the option ${path} lacks a description`)
  const value = schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined
  return { path, variable: variableOf(path), default: value, meaning, schema: schema as z.ZodType }
}

function variableOf(path: string): string {
  const words = path.replaceAll('.', '_').replaceAll(/[A-Z]/g, (letter) => `_${letter}`)
  return `EVENTFLOW_${words.toUpperCase()}`
}
