/** What the broker tells of itself in its log: where it listens, how its store is, what became of a backup. */

import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { EventflowError } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import type { SharedRoom } from '../core/shared-room.ts'
import type { Logger } from '../kernel/plugin-contract.ts'
import type { BackupStatus } from '../store/backups.ts'
import type { OpenStoreOptions } from '../store/open.ts'
import type { Listener } from '../transport/listeners/listener.ts'
import { VERSION } from '../version.ts'

/** Where a broker logs to that was told of no other place. */
export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** A line for each listener, the one on TCP last: whoever waits for it finds all of them open. */
export function tellWhere(log: Logger, { store }: Config, [tcp, ...others]: readonly [Listener, ...Listener[]]): void {
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

/** What is to be called when something is not kept because there is no room: it is told once a minute. */
export function tellShort(room: SharedRoom, { clock, events, log }: { clock: Clock; events: Events; log: Logger }) {
  let toldAt = Number.NEGATIVE_INFINITY
  return (): void => {
    const now = clock.now()
    if (now - toldAt < 60_000) return
    toldAt = now
    const data = { usedBytes: Math.round(room.used), maxBytes: room.max }
    log.warn(data, 'there is no room for more of what clients have the broker keep (limits.maxMemory)')
    events.emit('broker.memory-short', data)
  }
}

/** What is to be called when a backup has ended, one way or the other. */
export function tellBackup(log: Logger, events: Events): (status: Readonly<BackupStatus>) => void {
  return ({ path, records, bytes, damaged, startedAt, endedAt, fault }) => {
    if (fault === null) {
      const told = { path, records, bytes, damaged, durationMs: endedAt - startedAt }
      log.info(told, 'a backup was written')
      events.emit('backup.finished', told)
    } else {
      log.error({ path, ...fault }, 'a backup could not be written')
      events.emit('backup.failed', { path, ...fault })
    }
  }
}
