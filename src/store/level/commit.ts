/**
 * Group commit: what is written in one turn of the event loop is one atomic batch, and while one batch is being written
 * the next one fills. So a thousand publishers in a turn share one fsync, and nobody waits longer than two of them.
 *
 * A batch that could not be written is not given up. Whoever waited for it is told, and its writes ride along, older
 * first, with the next batch: memory and disk tell the same story again as soon as the disk takes one.
 */

import { EventflowError } from '../../core/errors.ts'
import type { Chain, Database } from './database.ts'
import { SYNC_KEY } from './keys.ts'

/** Something that decides what it writes when the batch is closed: a hundred changes in one turn are one write. */
export interface Part {
  /** Add to the batch what is to be written now. Called again with a later batch when this one fails. */
  seal(chain: Chain): void
  /** The batch that it was sealed into was written, or was not. */
  settled?(failed: boolean): void
}

export interface CommitContext {
  database: Database
  onFault: (error: Error) => void
}

interface Batch {
  /** null: remove the key; a function: made when the batch is closed. The last write of a key wins. */
  writes: Map<string, Buffer | (() => Buffer) | null>
  parts: Set<Part>
  /** Set when somebody waits; then the batch is synced. */
  waiting: Waiting | null
}

interface Waiting {
  promise: Promise<void>
  resolve: () => void
  reject: (error: Error) => void
}

const DONE = Promise.resolve()
const EMPTY = Buffer.alloc(0)

export class Commit {
  readonly #database: Database
  readonly #onFault: (error: Error) => void
  #open: Batch | null = null
  #running: Batch | null = null
  /** What could not be written so far. */
  #failed: Batch | null = null
  /** Something was written without sync, because nobody waited for it, since the last sync. */
  #unsynced = false

  constructor(context: CommitContext) {
    this.#database = context.database
    this.#onFault = context.onFault
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

  /** See Store.durable(). */
  durable(): Promise<void> {
    if (this.#open === null) {
      // A batch under way covers the caller only if it is synced. One that is not must be followed by one that is.
      if (this.#running?.waiting) return this.#running.waiting.promise
      if (this.#running === null && this.#failed === null && !this.#unsynced) return DONE
    }
    const batch = this.#filling()
    batch.waiting ??= newWaiting()
    return batch.waiting.promise
  }

  /** Write and sync what is waiting. A fault has been reported by then; closing goes on. */
  async drain(): Promise<void> {
    do await this.durable().catch(() => {})
    while (this.#open !== null || this.#running !== null)
  }

  #filling(): Batch {
    if (this.#open === null) {
      this.#open = { writes: new Map(), parts: new Set(), waiting: null }
      if (this.#running === null) setImmediate(this.#write)
    }
    return this.#open
  }

  readonly #write = (): void => {
    const batch = this.#open
    if (batch === null) return
    this.#open = null
    this.#running = batch
    if (this.#failed !== null) {
      for (const [key, value] of batch.writes) this.#failed.writes.set(key, value)
      for (const part of batch.parts) this.#failed.parts.add(part)
      batch.writes = this.#failed.writes
      batch.parts = this.#failed.parts
      this.#failed = null
    }
    this.#hand(batch).then(
      () => this.#settle(batch, null),
      (cause: unknown) => this.#settle(batch, new EventflowError('STORE_FAILED', 'The store cannot write.', { cause })),
    )
  }

  /** Give the batch to the database. */
  async #hand(batch: Batch): Promise<void> {
    const sync = batch.waiting !== null
    const chain = this.#database.batch()
    for (const [key, value] of batch.writes) {
      if (value === null) chain.del(key)
      else chain.put(key, typeof value === 'function' ? value() : value)
    }
    for (const part of batch.parts) part.seal(chain)
    // All that was put was taken back in the same turn, yet what was written before may still have to be synced.
    if (chain.length === 0 && sync && this.#unsynced) chain.put(SYNC_KEY, EMPTY)
    if (chain.length === 0) return chain.close()
    await chain.write({ sync })
    this.#unsynced = !sync
  }

  #settle(batch: Batch, fault: EventflowError | null): void {
    this.#running = null
    if (fault !== null) this.#failed = batch
    for (const part of batch.parts) part.settled?.(fault !== null)
    if (fault === null) batch.waiting?.resolve()
    else batch.waiting?.reject(fault)
    if (this.#open !== null) this.#write()
    if (fault !== null) this.#onFault(fault)
  }
}

function newWaiting(): Waiting {
  const waiting = {} as Waiting
  waiting.promise = new Promise<void>((resolve, reject) => {
    waiting.resolve = resolve
    waiting.reject = reject
  })
  // Whoever waits hears of it; where nobody listens any more, onFault has been told.
  waiting.promise.catch(() => {})
  return waiting
}
