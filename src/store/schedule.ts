/**
 * Messages in a log that are due later, each at its own time. On disk they are with their bodies; memory has two numbers
 * for each. When some are due they are read, and given to the owner to be put where they belong.
 *
 * After a restart the log is read through once, in pieces, to know the times.
 */

import type { Clock, Timer } from '../core/clock.ts'
import { TimeHeap } from '../core/time-heap.ts'
import type { LogEntry } from './store.ts'

/** Messages that are released in one go, or read in one go at the start. */
const AT_ONCE = 1000
/** How far apart two ids may be to be read together. */
const NEAR = 4
/** How long to wait when the store could not read. */
const READ_AGAIN_MS = 1000

export interface ScheduleParts {
  clock: Clock
  /** Entries of the log from an id on. */
  read(fromId: number, limit: number): Promise<LogEntry[]>
  /** When an entry is due, milliseconds since the epoch. */
  dueAt(entry: LogEntry): number
  /** It is due: remove it from the log, and put it where it belongs, in one run. One that is to stay is added again. */
  release(entry: LogEntry): void
  /** All that were due together have been released. */
  released?(): void
  onFault(error: unknown): void
}

export class Schedule {
  readonly #parts: ScheduleParts
  readonly #heap = new TimeHeap()
  #timer: Timer | null = null
  #timerAt = Infinity
  #reading = false
  #stopped = false
  /** How often all were forgotten. */
  #cleared = 0

  constructor(parts: ScheduleParts) {
    this.#parts = parts
  }

  /** An entry, safe in the log. */
  add(id: number, dueAt: number): void {
    this.#heap.push(id, dueAt)
    this.#wake()
  }

  /** Entries with these ids may be in the log from before. Resolves when all of them are known; never rejects. */
  async restore(firstId: number, nextId: number): Promise<void> {
    for (let from = firstId; from < nextId && !this.#stopped; ) {
      try {
        const entries = await this.#parts.read(from, AT_ONCE)
        for (const entry of entries) if (entry.id < nextId) this.add(entry.id, this.#parts.dueAt(entry))
        from = entries.length === 0 ? nextId : entries.at(-1)!.id + 1
      } catch (error) {
        this.#parts.onFault(error)
        await new Promise<void>((again) => this.#parts.clock.after(READ_AGAIN_MS, again))
      }
    }
  }

  /** Forget all of them. */
  clear(): void {
    this.#cleared++
    this.#heap.clear()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #wake(): void {
    const at = this.#heap.firstTime
    if (this.#stopped || this.#reading || at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    const { clock } = this.#parts
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => {
      this.#timerAt = Infinity
      void this.#release()
    })
  }

  async #release(): Promise<void> {
    this.#reading = true
    for (let due = this.#takeDue(); due.size > 0 && !this.#stopped; due = this.#takeDue()) {
      try {
        await this.#releaseAll(due)
      } catch (error) {
        // Nothing could be read, and nothing was released.
        this.#parts.onFault(error)
        const later = this.#parts.clock.now() + READ_AGAIN_MS
        for (const id of due) this.add(id, later)
      }
    }
    this.#reading = false
    this.#wake()
  }

  /** Those that are due now, the earliest first: their ids. */
  #takeDue(): Set<number> {
    const due = new Set<number>()
    const now = this.#parts.clock.now()
    while (due.size < AT_ONCE && this.#heap.firstTime <= now) due.add(this.#heap.shift())
    return due
  }

  async #releaseAll(due: ReadonlySet<number>): Promise<void> {
    const cleared = this.#cleared
    const entries = new Map<number, LogEntry>()
    for (const [from, limit] of runsOf([...due].sort((a, b) => a - b))) {
      for (const entry of await this.#parts.read(from, limit)) entries.set(entry.id, entry)
    }
    if (this.#stopped || this.#cleared !== cleared) return
    // What is not in the log any more was removed by somebody else.
    for (const id of due) {
      const entry = entries.get(id)
      if (entry !== undefined) this.#releaseOne(entry)
    }
    this.#parts.released?.()
  }

  /** One that cannot be released must not keep the others. */
  #releaseOne(entry: LogEntry): void {
    try {
      this.#parts.release(entry)
    } catch (error) {
      this.#parts.onFault(error)
      this.add(entry.id, this.#parts.clock.now() + READ_AGAIN_MS)
    }
  }
}

/** What to read to get all of these ids, which ascend: from where on, and how many. */
function runsOf(ids: readonly number[]): Array<[from: number, limit: number]> {
  const runs: Array<[number, number]> = []
  let from = ids[0]!
  for (let i = 1; i <= ids.length; i++) {
    const last = ids[i - 1]!
    if (i < ids.length && ids[i]! - last <= NEAR) continue
    runs.push([from, last - from + 1])
    from = ids[i]!
  }
  return runs
}
