/** Events and the names of their data, as EventMap declares them: read from the source, for types are gone when tests run. */

import { readFileSync } from 'node:fs'

const source = readFileSync(new URL('../../src/core/events.ts', import.meta.url), 'utf8')

export function declaredEvents(): Array<[event: string, fields: string[]]> {
  const from = source.indexOf('export interface EventMap {')
  const map = source.slice(from, source.indexOf('\n}\n', from)).replaceAll(/\/\*\*.*?\*\//gs, '')
  return [...map.matchAll(/'([\w.-]+)':\s*(?:\{(.*?)\}|Record<string, never>)/gs)].map(([, event, data]) => [
    event!,
    [...(data ?? '').matchAll(/(\w+)\??:/g)].map(([, field]) => field!),
  ])
}
