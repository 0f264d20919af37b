/** The flags that stand for options, and `--config`; the same for every command that reads the configuration. */

import { parseArgs } from 'node:util'
import { listOptions } from './options.ts'

/** Flag → the option that it sets. */
export const FLAGS = {
  host: 'listeners.tcp.host',
  port: 'listeners.tcp.port',
  data: 'store.path',
  store: 'store.kind',
  'http-port': 'http.port',
  'log-level': 'log.level',
  'log-format': 'log.format',
} as const

/** The text of each flag that was given. */
export type Flags = { readonly [flag in keyof typeof FLAGS]?: string | undefined }

/** How the flags are written on a usage line. */
export const FLAGS_USAGE =
  '[--config FILE] [--host ADDRESS] [--port N] [--data DIR] [--store level|memory] [--http-port N] [--log-level LEVEL] ' +
  '[--log-format FORMAT]'

/** A line for each flag: the options that they stand for say what they mean. */
export function flagsHelp(): string {
  const meanings = new Map(listOptions().map(({ path, meaning }) => [path, meaning]))
  const lines = [...FLAGS_USAGE.matchAll(/\[--(\S+) (\S+)\]/g)].map(([, flag, value]) => {
    const meaning =
      flag === 'config'
        ? 'Where options are: EVENTFLOW_CONFIG, or else config/eventflow.yaml.'
        : meanings.get(FLAGS[flag as keyof typeof FLAGS])
    return `  ${`--${flag} ${value}`.padEnd(20)}  ${meaning}`
  })
  return lines.join('\n')
}

export interface ParsedFlags {
  /** What `--config` names. */
  file: string | undefined
  flags: Flags
  /** The flags that only this command has. */
  own: Readonly<Record<string, string | undefined>>
}

/**
 * Read the words after a command. Throws a TypeError that says what is wrong with them.
 * @param own names of flags that only this command has; they take text
 */
export function parseFlags(args: readonly string[], own: readonly string[] = []): ParsedFlags {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: text,
      host: text,
      port: text,
      data: text,
      store: text,
      'http-port': text,
      'log-level': text,
      'log-format': text,
      ...Object.fromEntries(own.map((flag) => [flag, text])),
    },
  })
  const { config: file, ...flags } = values
  return { file, flags, own: values as ParsedFlags['own'] }
}
