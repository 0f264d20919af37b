/**
 * Messages between the moment they were written and the moment they are safe: only then may they be delivered, or a crash
 * could deliver one whose publisher has no acknowledgement and sends it again. One callback a batch, not a message.
 */

import type { PluginContext, Timer } from '../../src/plugin.ts'
import type { QueueOptions } from './options.ts'
import type { Queue } from './queue.ts'
import type { Entry } from './rules/consumer.ts'

/** How long to wait with what has to be written when the disk fails. */
const AGAIN_MS = 1000

interface Batch {
  readonly queues: Queue[]
  readonly entries: Entry[]
  /** Those that were elsewhere in the store before; null: none. */
  moved: Set<Entry> | null
}

export class Commits {
  readonly #context: PluginContext<QueueOptions>
  #promise: Promise<void> | null = null
  #batch: Batch = { queues: [], entries: [], moved: null }
  readonly #timers = new Set<Timer>()

  constructor(context: PluginContext<QueueOptions>) {
    this.#context = context
  }

  /**
   * A message was appended to the log, just now. Returns the store's own promise: whoever waits for it tells batches
   * apart by it.
   * @param moved it was elsewhere in the store before, so it must not be lost when the disk fails
   */
  add(queue: Queue, entry: Entry, moved: boolean): Promise<void> {
    queue.state.contents.appended(entry)
    return this.#wait(queue, entry, moved)
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel()
  }

  #wait(queue: Queue, entry: Entry, moved: boolean): Promise<void> {
    const promise = this.#context.store.durable()
    if (promise !== this.#promise) this.#begin(promise)
    this.#batch.queues.push(queue)
    this.#batch.entries.push(entry)
    if (moved) {
      this.#batch.moved ??= new Set()
      this.#batch.moved.add(entry)
    }
    return promise
  }

  #begin(promise: Promise<void>): void {
    const batch: Batch = { queues: [], entries: [], moved: null }
    this.#promise = promise
    this.#batch = batch
    promise.then(
      () => this.#guarded(promise, batch, () => this.#commit(batch)),
      () => this.#guarded(promise, batch, () => this.#fail(batch)),
    )
  }

  #guarded(promise: Promise<void>, batch: Batch, action: () => void): void {
    // A store that is always safe may give the same promise again: what comes next is another batch all the same.
    if (this.#promise === promise) this.#promise = null
    try {
      action()
    } catch (error) {
      this.#context.log.error({ err: error, messages: batch.entries.length }, 'a batch of queue messages went wrong')
    }
  }

  #commit({ queues, entries }: Batch): void {
    const touched = new Set<Queue>()
    let last: Queue | null = null
    for (let i = 0; i < entries.length; i++) {
      const queue = queues[i]!
      queue.committed(entries[i]!)
      if (queue !== last) touched.add(queue)
      last = queue
    }
    for (const queue of touched) queue.pump()
  }

  /**
   * It could not be written. A publisher has its message still, and sends it again. One that was moved here from elsewhere
   * in the store has nobody but us: the store keeps what it could not write, so it is waited for again.
   */
  #fail({ queues, entries, moved }: Batch): void {
    for (let i = 0; i < entries.length; i++) {
      const queue = queues[i]!
      const entry = entries[i]!
      if (!moved?.has(entry)) queue.failed(entry)
      else this.#later(() => void this.#wait(queue, entry, true))
    }
  }

  #later(action: () => void): void {
    const timer = this.#context.clock.after(AGAIN_MS, () => {
      this.#timers.delete(timer)
      action()
    })
    this.#timers.add(timer)
  }
}
