/**
 * Writes batches, one after the other, and does not give up: a disk that fails is a disk that is slow. Nobody is told that
 * something is safe meanwhile, what comes waits in memory, and when the disk works again all of it is written and told.
 *
 * After a failure nothing is known of what was handed over since the last sync: the disk may have it, or a part, or none.
 * So that is kept until a sync succeeds, and written again once the database was opened anew, which it needs: LevelDB
 * would append to a log that may end in half a record, and after a failed sync it refuses every write.
 */

import type { Clock, Timer } from '../../core/clock.ts'
import { EventflowError } from '../../core/errors.ts'
import { Histogram } from '../../core/histogram.ts'
import { sealed } from './checksum.ts'
import type { Database } from './database.ts'
import { SYNC_KEY } from './keys.ts'
import { Operations } from './operations.ts'

export interface WriterParts {
  database: Database
  clock: Clock
  /** Nothing can be written, for now. Told once, until onRecovered. */
  onFault: (error: Error) => void
  /** What waited is on disk. */
  onRecovered: (durationMs: number) => void
  /** Milliseconds, finer than the clock's. Default: the machine's. */
  uptime?: () => number
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/** A write that takes longer is a fault of the disk, though it may still succeed. */
export const SLOW_MS = 5_000

/** What may be lost with the power, and is kept in memory. Only what nobody waits for: removals and marks. */
const MAX_UNSYNCED = 4_096

/** Seconds: from a disk that only says that it has written, to one that is about to fail. */
const COMMIT_TIMES = [
  ...[0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02],
  ...[0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
]

const EMPTY = Buffer.alloc(0)

export class Writer {
  /** How long a write took that was synced, in seconds. */
  readonly times = new Histogram(COMMIT_TIMES)
  readonly #parts: WriterParts
  readonly #uptime: () => number
  /** Handed to the database since the last sync. */
  #unsynced = new Operations()
  /** The database has to be opened anew. */
  #broken = false
  #fault: EventflowError | null = null
  #faultSince = 0
  #stopped = false
  #pausing: { timer: Timer; resume: () => void } | null = null

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#uptime = parts.uptime ?? (() => performance.now())
  }

  /** Why nothing can be written; null when all is well. */
  get fault(): EventflowError | null {
    return this.#fault
  }

  /** Whether something was written that is not synced. */
  get unsynced(): boolean {
    return this.#unsynced.length > 0
  }

  /**
   * Resolves when it is written, and on disk if `sync`. One at a time.
   * @throws EventflowError STORE_FAILED when the writer was stopped and the last attempt failed
   */
  async write(operations: Operations, sync: boolean): Promise<void> {
    const slow = this.#parts.clock.after(SLOW_MS, this.#slow)
    const isCommit = sync && (operations.length > 0 || this.unsynced)
    const since = isCommit ? this.#uptime() : 0
    try {
      for (let attempt = 0; ; attempt++) {
        const last = this.#stopped
        const fault = await this.#attempt(operations, sync)
        if (fault === null) break
        if (last) throw fault
        this.#failed(fault)
        if (!this.#stopped) await this.#pause(attempt)
      }
    } finally {
      slow.cancel()
    }
    if (isCommit) this.times.add((this.#uptime() - since) / 1000)
    this.#recovered()
  }

  /** Try once more what is failing, and then no more. */
  stop(): void {
    this.#stopped = true
    this.#pausing?.timer.cancel()
    this.#pausing?.resume()
  }

  async #attempt(operations: Operations, sync: boolean): Promise<EventflowError | null> {
    try {
      if (this.#broken) await this.#repair(operations)
      else await this.#hand(operations, sync)
      return null
    } catch (cause) {
      this.#broken = true
      return new EventflowError('STORE_FAILED', `The store cannot write: ${reasonOf(cause)}`, { cause })
    }
  }

  async #repair(operations: Operations): Promise<void> {
    await this.#parts.database.reopen?.()
    const all = new Operations()
    all.add(this.#unsynced)
    all.add(operations)
    await this.#put(all, true)
    this.#broken = false
    this.#unsynced = new Operations()
  }

  async #hand(operations: Operations, sync: boolean): Promise<void> {
    if (operations.length === 0) {
      // All that was put was taken back in the same turn, yet what was written before may still have to be synced.
      if (!sync || !this.unsynced) return
      operations.put(SYNC_KEY, EMPTY)
    }
    const synced = sync || this.#unsynced.length + operations.length > MAX_UNSYNCED
    await this.#put(operations, synced)
    if (!synced) this.#unsynced.add(operations)
    else if (this.unsynced) this.#unsynced = new Operations()
  }

  async #put({ keys, values }: Operations, sync: boolean): Promise<void> {
    const chain = this.#parts.database.batch()
    for (let i = 0; i < keys.length; i++) {
      const value = values[i]!
      if (value === null) chain.del(keys[i]!)
      else chain.put(keys[i]!, sealed(keys[i]!, value))
    }
    await chain.write({ sync })
  }

  readonly #slow = (): void => {
    this.#failed(new EventflowError('STORE_FAILED', `The store cannot write: the disk takes over ${SLOW_MS / 1000} s.`))
  }

  #failed(fault: EventflowError): void {
    if (this.#fault !== null) return
    this.#fault = fault
    this.#faultSince = this.#parts.clock.now()
    this.#parts.onFault(fault)
  }

  #recovered(): void {
    if (this.#fault === null) return
    this.#fault = null
    this.#parts.onRecovered(this.#parts.clock.now() - this.#faultSince)
  }

  #pause(attempt: number): Promise<void> {
    const delayMs = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS)
    return new Promise((resolve) => {
      const resume = (): void => {
        this.#pausing = null
        resolve()
      }
      this.#pausing = { timer: this.#parts.clock.after(delayMs, resume), resume }
    })
  }
}

/** What the operating system said: LevelDB's own text is in the cause of the error. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
