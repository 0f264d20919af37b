/**
 * The configuration in force: defaults < file < environment < flags. Everything that is wrong with any of them is told
 * at once, with where it came from. Nothing but the file is read here; nothing is kept.
 */

import { existsSync } from 'node:fs'
import { parse } from 'yaml'
import { EventflowError } from '../core/errors.ts'
import { isGroup, readDocument } from './document.ts'
import { FLAGS, type Flags } from './flags.ts'
import { listOptions, type Option } from './options.ts'
import { configError, describeProblems, type Origin, pathText } from './problems.ts'
import { type Config, type ConfigInput, configSchema } from './schema.ts'

/** Read when it exists and no other file is named; relative to the working directory. */
export const DEFAULT_FILE = 'config/eventflow.yaml'
/** The variable that names the file; `--config` goes before it. */
export const FILE_VARIABLE = 'EVENTFLOW_CONFIG'
const VARIABLE_PREFIX = 'EVENTFLOW_'
/** Read by the commands that talk to a running broker: no options, but right to have in the same environment. */
const VARIABLES_OF_COMMANDS = ['EVENTFLOW_URL', 'EVENTFLOW_TOKEN']

export interface ConfigSources {
  /** The file that `--config` names. */
  file?: string | undefined
  env: Readonly<Record<string, string | undefined>>
  /** Whether even the default file must be there: it was before. */
  mustExist?: boolean
  /** The text of each flag, by its name without dashes. */
  flags: Flags
}

/** Throws EventflowError CONFIG_INVALID; its message has one line for each problem. */
export function loadConfig(sources: ConfigSources): Config {
  return locateConfig(sources).config
}

/** The same, with where the values come from: a file and a line, a variable, a flag; null for a default. */
export function locateConfig({ file, env, mustExist = false, flags }: ConfigSources): {
  config: Config
  originOf: Origin
} {
  const document = openDocument(file, env, mustExist)
  const values = document?.values ?? {}
  const origins = new Map<string, string>()
  const byPath = new Map(listOptions().map((option) => [option.path, option]))

  const put = (option: Option, text: string, origin: string): void => {
    place(values, option.path.split('.'), readText(option, text))
    origins.set(option.path, origin)
  }
  for (const option of byPath.values()) {
    const text = env[option.variable]
    if (text !== undefined) put(option, text, option.variable)
  }
  for (const [flag, path] of Object.entries(FLAGS)) {
    const text = flags[flag as keyof Flags]
    if (text !== undefined) put(byPath.get(path)!, text, `--${flag}`)
  }
  const originOf: Origin = (path) => {
    for (let depth = path.length; depth > 0; depth--) {
      const origin = origins.get(pathText(path.slice(0, depth)))
      if (origin !== undefined) return origin
    }
    return document?.origin(path) ?? null
  }
  return { config: validate(values, originOf, unknownVariables(env)), originOf }
}

/** The same checks for options that a program gives. Throws EventflowError CONFIG_INVALID. */
export function resolveConfig(input: ConfigInput = {}): Config {
  return validate(input, () => null, [])
}

/** Whether an error says that the configuration is wrong. */
export function isConfigError(error: unknown): error is EventflowError {
  return error instanceof EventflowError && error.code === 'CONFIG_INVALID'
}

function validate(values: unknown, originOf: Origin, problems: readonly string[]): Config {
  const result = configSchema.safeParse(values)
  if (result.success && problems.length === 0) return result.data
  const found = result.success ? [] : describeProblems(result.error, values, originOf)
  throw configError([...found, ...problems])
}

/** The file that `loadConfig` reads; the default one whether it exists or not. */
export function configFileOf({ file, env }: Pick<ConfigSources, 'file' | 'env'>): string {
  return file ?? (env[FILE_VARIABLE] || DEFAULT_FILE)
}

function openDocument(named: string | undefined, env: ConfigSources['env'], mustExist: boolean) {
  const file = configFileOf({ file: named, env })
  if (named !== undefined) return readDocument(file, '--config')
  if (env[FILE_VARIABLE]) return readDocument(file, FILE_VARIABLE)
  return mustExist || existsSync(file) ? readDocument(file, 'the default file') : null
}

function unknownVariables(env: ConfigSources['env']): string[] {
  const known = new Set([FILE_VARIABLE, ...VARIABLES_OF_COMMANDS, ...listOptions().map((option) => option.variable)])
  return Object.keys(env)
    .filter((name) => name.startsWith(VARIABLE_PREFIX) && env[name] !== undefined && !known.has(name))
    .sort()
    .map((name) => `${name}: no such option (environment)`)
}

/**
 * What a variable or a flag says. It is text, so it is taken as it stands where the option takes text (a node may be
 * called 42), and otherwise read as YAML would read it: numbers, lists, null. Empty text is null.
 */
function readText(option: Option, text: string): unknown {
  const value = readYaml(text)
  if (value === null && option.schema.safeParse(null).success) return null
  return option.schema.safeParse(text).success ? text : value
}

function readYaml(text: string): unknown {
  try {
    return parse(text, { prettyErrors: false, logLevel: 'error' })
  } catch {
    return text
  }
}

/** Set the value at `keys`. Where the file has something that is no group, it stays: validation tells of it. */
function place(values: Record<string, unknown>, keys: readonly string[], value: unknown): void {
  let group = values
  for (const key of keys.slice(0, -1)) {
    if (!Object.hasOwn(group, key) || group[key] === null) group[key] = {}
    const next = group[key]
    if (!isGroup(next)) return
    group = next
  }
  group[keys.at(-1)!] = value
}
