/** The flags that stand for options, and `--config`; the same for every command that reads the configuration. */

import { parseArgs } from 'node:util'

/** Flag → the option that it sets. */
export const FLAGS = {
  host: 'listeners.tcp.host',
  port: 'listeners.tcp.port',
  data: 'store.path',
  store: 'store.kind',
  'http-port': 'http.port',
  'log-level': 'log.level',
} as const

/** The text of each flag that was given. */
export type Flags = { readonly [flag in keyof typeof FLAGS]?: string | undefined }

/** How the flags are written on a usage line. */
export const FLAGS_USAGE =
  '[--config FILE] [--host ADDRESS] [--port N] [--data DIR] [--store level|memory] [--http-port N] [--log-level LEVEL]'

/** Read the words after a command. Throws a TypeError that says what is wrong with them. */
export function parseFlags(args: readonly string[]): { file: string | undefined; flags: Flags } {
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
    },
  })
  const { config: file, ...flags } = values
  return { file, flags }
}
