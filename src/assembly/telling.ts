/** What the broker tells of itself in its log: where it listens, and how its store is. */

import type { Config } from '../config/schema.ts'
import { EventflowError } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import type { Logger } from '../kernel/plugin-contract.ts'
import type { OpenStoreOptions } from '../store/open.ts'
import { VERSION } from '../version.ts'
import type { Parts } from './parts.ts'

/** A line for each listener, the one on TCP last: whoever waits for it finds all of them open. */
export function tellWhere(log: Logger, { store }: Config, [tcp, ...others]: Parts['listeners']): void {
  for (const { name, host, port, url } of others) {
    log.info({ listener: name, host, port }, `Eventflow listens on ${url}`)
  }
  const { kind, path } = store
  const text = `Eventflow ${VERSION} listens on ${tcp.url}, data in ${kind === 'memory' ? 'memory' : path}`
  log.info({ listener: 'tcp', host: tcp.host, port: tcp.port, store: kind, version: VERSION }, text)
}

/** How a store is opened that tells of its faults, and of their end: as events too. */
export function tellingStore(log: Logger, events: Events, { store: { kind, path } }: Config): OpenStoreOptions {
  return {
    kind,
    path,
    onFault: (error) => {
      const code = error instanceof EventflowError ? error.code : 'STORE_FAILED'
      log.error({ error }, code === 'STORE_CORRUPT' ? 'the store is damaged' : 'the store failed')
      events.emit('store.failed', { code, message: error.message })
    },
    onRecovered: (durationMs) => {
      log.warn({ durationMs }, 'the store writes again')
      events.emit('store.recovered', { durationMs })
    },
  }
}
