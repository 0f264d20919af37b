/**
 * Backups of a running broker, one at a time. Whoever asks from outside names a folder below the one that the configuration
 * sets apart for them: what may write anywhere could overwrite anything that the broker can.
 */

import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { EventflowError, faultCode } from '../core/errors.ts'
import type { BackupResult, Store } from './store.ts'

/** The latest backup, under way or over. */
export interface BackupStatus extends BackupResult {
  state: 'running' | 'finished' | 'failed'
  /** Where it is, absolute. */
  path: string
  /** Milliseconds since the epoch. */
  startedAt: number
  /** 0 while it is under way. */
  endedAt: number
  /** Why it failed: a code for programs, and text for people. */
  fault: { code: string; message: string } | null
}

export interface BackupsParts {
  store: Store
  /** `store.backupPath` */
  folder: string
  clock: Clock
  /** It is over, one way or the other. */
  onEnd: (status: Readonly<BackupStatus>) => void
}

const NOTHING: BackupResult = { records: 0, bytes: 0, damaged: 0, damagedKeys: [] }

export class Backups {
  readonly #parts: BackupsParts
  #latest: BackupStatus | null = null

  constructor(parts: BackupsParts) {
    this.#parts = parts
  }

  /** Null: there was none since the start. */
  get latest(): Readonly<BackupStatus> | null {
    return this.#latest
  }

  /**
   * Begin one below the folder for backups, and say where it will be. How it goes is in `latest`.
   * @param path absolute, or relative to that folder
   * @throws EventflowError BACKUP_REFUSED when it is not below the folder, or one is under way
   */
  start(path: string): Readonly<BackupStatus> {
    const folder = resolve(this.#parts.folder)
    const full = resolve(folder, path)
    const inside = relative(folder, full)
    if (path.includes('\u0000') || inside === '' || isAbsolute(inside) || inside.split(sep)[0] === '..') {
      const text = `Backups are written below ${folder} only (store.backupPath).`
      throw new EventflowError('BACKUP_REFUSED', text)
    }
    this.run(full).catch(() => {}) // told by `latest` and onEnd
    return this.#latest!
  }

  /**
   * Write one to any folder that is empty, or not there.
   * @throws EventflowError BACKUP_REFUSED, BACKUP_FAILED: see Store.backup()
   */
  async run(path: string): Promise<BackupResult> {
    const { store, clock, onEnd } = this.#parts
    if (this.#latest?.state === 'running') {
      throw new EventflowError('BACKUP_REFUSED', `The backup ${this.#latest.path} is under way.`)
    }
    if (store.backup === undefined) {
      throw new EventflowError('BACKUP_REFUSED', `A store of the kind ${store.kind} is not backed up by the broker.`)
    }
    const status: BackupStatus = {
      ...NOTHING,
      state: 'running',
      path: resolve(path),
      startedAt: clock.now(),
      endedAt: 0,
      fault: null,
    }
    this.#latest = status
    try {
      const result = await store.backup({ path: status.path, onProgress: (progress) => take(status, progress) })
      take(status, result)
      status.state = 'finished'
      return result
    } catch (error) {
      status.state = 'failed'
      status.fault = { code: faultCode(error), message: (error as Error).message }
      throw error
    } finally {
      status.endedAt = clock.now()
      onEnd(status)
    }
  }
}

function take(status: BackupStatus, { records, bytes, damaged, damagedKeys }: BackupResult): void {
  Object.assign(status, { records, bytes, damaged, damagedKeys })
}
