/** Which options differ between two configurations, and what takes effect while the broker runs. Pure. */

import { isDeepStrictEqual } from 'node:util'
import { isGroup } from '../config/document.ts'
import { namesWithin } from '../config/options.ts'
import type { Config } from '../config/schema.ts'

/** Options of a TLS listener that new connections get. */
const OF_CERTIFICATES = ['cert', 'key', 'passphraseFile', 'ca', 'crl', 'minVersion']

/** Options of any listener that its new clients get. */
const OF_CLIENTS = ['maxPacketSize', 'messageRate', 'byteRate', 'authenticators']

/**
 * Options outside of plugins that take effect while the broker runs: those of `mqtt` and of listeners for connections that
 * are made from then on, which are told some of them in CONNACK. (What plugins take they say themselves.)
 */
export const LIVE_OPTIONS: ReadonlySet<string> = new Set([
  ...['tcp', 'tls', 'ws', 'wss', 'unix'].map((name) => `listeners.${name}.maxConnections`),
  ...['tls', 'wss'].flatMap((name) => OF_CERTIFICATES.map((option) => `listeners.${name}.${option}`)),
  ...['ws', 'wss'].flatMap((name) => [`listeners.${name}.origins`, `listeners.${name}.forwardedFor`]),
  ...['tcp', 'tls', 'ws', 'wss', 'unix'].flatMap((name) => OF_CLIENTS.map((option) => `listeners.${name}.${option}`)),
  'log.level',
  'shutdownTimeout',
  // All of these groups is handed to those who go by it: see partsOf.
  ...['limits', 'mqtt', 'session', 'overload'].flatMap((group) => namesWithin(group).map((name) => `${group}.${name}`)),
])

type Group = Record<string, unknown>

/** Paths of the options that differ, `listeners.tls.cert`. A group that one of them lacks differs as a whole; so does a list. */
export function changedOptions(before: Config, after: Config): string[] {
  return [...differences(before, after, '')]
}

/** `after`, but with what `before` says of these options. */
export function withOptionsOf(before: Config, after: Config, paths: readonly string[]): Config {
  const result = structuredClone(after)
  for (const path of paths) {
    const keys = path.split('.')
    const last = keys.pop()!
    const groupIn = (config: Config): Group => keys.reduce((group, key) => group[key] as Group, config as Group)
    groupIn(result)[last] = groupIn(before)[last]
  }
  return result
}

function* differences(before: Group, after: Group, prefix: string): Generator<string> {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [one, other] = [before[key], after[key]]
    if (isGroup(one) && isGroup(other)) yield* differences(one, other, `${prefix}${key}.`)
    else if (!isDeepStrictEqual(one, other)) yield `${prefix}${key}`
  }
}
