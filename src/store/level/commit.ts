/**
 * Group commit: what is written in one turn of the event loop is one atomic batch, and while one batch is being written
 * the next one fills. So a thousand publishers in a turn share one fsync, and nobody waits longer than two of them. What nobody
 * waits for (most removals, and marks) goes with the next batch that somebody does wait for, if one comes soon.
 */

import { Operations } from './operations.ts'
import type { Writer } from './writer.ts'

/** Something that decides what it writes when the batch is closed: a hundred changes in one turn are one write. */
export interface Part {
  /** Add to the batch what is to be written now. */
  seal(operations: Operations): void
  /** The batch that it was sealed into was written. */
  written?(): void
}

interface Batch {
  /** null: remove the key; a function: made when the batch is closed. The last write of a key wins. */
  writes: Map<string, Buffer | (() => Buffer) | null>
  parts: Set<Part>
  bytes: number
  /** Set when somebody waits; then the batch is synced. */
  waiting: Waiting | null
}

interface Waiting {
  promise: Promise<void>
  resolve: () => void
  reject: (error: unknown) => void
}

/** How long what nobody waits for may wait for company: a batch of its own costs a hundred times what it holds. */
const COMPANY_MS = 5

const DONE = Promise.resolve()

export class Commit {
  readonly #writer: Writer
  #open: Batch | null = null
  #running: Batch | null = null
  /** Until the open batch is written though nobody waits for it; null: somebody does, or there is none. */
  #company: NodeJS.Timeout | null = null

  constructor(writer: Writer) {
    this.#writer = writer
  }

  /** Bytes of messages that are not written yet. */
  get bytes(): number {
    return (this.#open?.bytes ?? 0) + (this.#running?.bytes ?? 0)
  }

  /** @param value a function is called when the batch is closed: what is put a thousand times in a turn is made once */
  put(key: string, value: Buffer | (() => Buffer)): void {
    this.#filling().writes.set(key, value)
  }

  del(key: string): void {
    this.#filling().writes.set(key, null)
  }

  /** Let `part` write into the open batch. More than once a batch is the same as once. */
  join(part: Part): void {
    this.#filling().parts.add(part)
  }

  /** A part of the open batch has become larger. */
  grow(bytes: number): void {
    this.#filling().bytes += bytes
  }

  /** See Store.durable(). */
  durable(): Promise<void> {
    if (this.#open === null) {
      // A batch under way covers the caller only if it is synced. One that is not must be followed by one that is.
      if (this.#running?.waiting) return this.#running.waiting.promise
      if (this.#running === null && !this.#writer.unsynced) return DONE
    }
    const batch = this.#filling()
    if (batch.waiting === null) {
      batch.waiting = newWaiting()
      if (this.#running === null) setImmediate(this.#write)
    }
    return batch.waiting.promise
  }

  /** Write and sync what is waiting. A fault has been reported by then; closing goes on. */
  async drain(): Promise<void> {
    do await this.durable().catch(() => {})
    while (this.#open !== null || this.#running !== null)
  }

  #filling(): Batch {
    if (this.#open === null) {
      this.#open = { writes: new Map(), parts: new Set(), bytes: 0, waiting: null }
      if (this.#running === null) this.#await()
    }
    return this.#open
  }

  readonly #write = (): void => {
    const batch = this.#open
    if (batch === null || this.#running !== null) return
    if (this.#company !== null) clearTimeout(this.#company)
    this.#company = null
    this.#open = null
    this.#running = batch
    const operations = new Operations()
    for (const [key, value] of batch.writes) {
      if (value === null) operations.del(key)
      else operations.put(key, typeof value === 'function' ? value() : value)
    }
    for (const part of batch.parts) part.seal(operations)
    this.#writer.write(operations, batch.waiting !== null).then(
      () => this.#settle(batch),
      (error: unknown) => this.#givenUp(batch, error),
    )
  }

  #settle(batch: Batch): void {
    this.#running = null
    for (const part of batch.parts) part.written?.()
    batch.waiting?.resolve()
    if (this.#open === null) return
    if (this.#open.waiting === null) this.#await()
    else this.#write()
  }

  #await(): void {
    this.#company ??= setTimeout(this.#write, COMPANY_MS)
  }

  /** The store is being closed, and could not write. */
  #givenUp(batch: Batch, error: unknown): void {
    this.#running = null
    batch.waiting?.reject(error)
    if (this.#open !== null) this.#write()
  }
}

function newWaiting(): Waiting {
  const waiting = {} as Waiting
  waiting.promise = new Promise<void>((resolve, reject) => {
    waiting.resolve = resolve
    waiting.reject = reject
  })
  // Whoever waits hears of it; where nobody listens any more, the fault has been reported.
  waiting.promise.catch(() => {})
  return waiting
}
