/**
 * Tells when files change, are replaced, vanish or come to be. It looks at them every second: unlike the system's notices that
 * works through symbolic links and mounted volumes, which is how certificates and secrets are replaced in practice.
 *
 * It tells once they have not changed for a second: a certificate and its key are two files, and half of a pair would be refused.
 */

import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Clock, Timer } from '../core/clock.ts'

/** How often files are looked at, and how long others that change with them are waited for. */
export const INTERVAL_MS = 1_000

export interface FileWatchParts {
  paths: readonly string[]
  /** What has changed since then counts, though it was not looked at yet: milliseconds since the epoch. */
  since: number
  changed: () => void
  clock: Clock
}

export class FileWatch {
  readonly #parts: FileWatchParts
  /** What was last seen of each; before that, nothing. */
  readonly #seen = new Map<string, string>()
  #unsettled = false
  #timer: Timer | null = null
  #stopped = false

  constructor(parts: FileWatchParts) {
    this.#parts = parts
    if (parts.paths.length > 0) void this.#look()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #look(): Promise<void> {
    const changes = await Promise.all(this.#parts.paths.map((path) => this.#hasChanged(path)))
    if (this.#stopped) return
    const changing = changes.includes(true)
    if (this.#unsettled && !changing) this.#parts.changed()
    this.#unsettled = changing
    this.#timer = this.#parts.clock.after(INTERVAL_MS, () => void this.#look())
  }

  async #hasChanged(path: string): Promise<boolean> {
    const stats = await stat(path).catch(() => null)
    const before = this.#seen.get(path)
    const now = stats === null ? 'nothing' : textOf(stats)
    this.#seen.set(path, now)
    if (before !== undefined) return before !== now
    return stats !== null && stats.ctimeMs >= this.#parts.since
  }
}

function textOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ')
}
