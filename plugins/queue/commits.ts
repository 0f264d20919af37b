/**
 * Messages between the moment they were written and the moment they are safe: only then may they be delivered, or a crash
 * could deliver one whose publisher has no acknowledgement and sends it again. One callback a batch, not a message.
 */

import type { PluginContext } from '../../src/plugin.ts'
import type { Entry } from './consumer.ts'
import type { QueueOptions } from './options.ts'
import type { Queue } from './queue.ts'

interface Batch {
  readonly queues: Queue[]
  readonly entries: Entry[]
}

export class Commits {
  readonly #context: PluginContext<QueueOptions>
  #promise: Promise<void> | null = null
  #batch: Batch = { queues: [], entries: [] }

  constructor(context: PluginContext<QueueOptions>) {
    this.#context = context
  }

  /**
   * A message was appended to the log, just now. Returns the store's own promise: whoever waits for it tells batches
   * apart by it.
   */
  add(queue: Queue, entry: Entry): Promise<void> {
    const promise = this.#context.store.durable()
    if (promise !== this.#promise) this.#begin(promise)
    queue.state.appended(entry)
    this.#batch.queues.push(queue)
    this.#batch.entries.push(entry)
    return promise
  }

  #begin(promise: Promise<void>): void {
    const batch: Batch = { queues: [], entries: [] }
    this.#promise = promise
    this.#batch = batch
    promise.then(
      () => this.#guarded(promise, batch, () => this.#commit(batch)),
      () => this.#guarded(promise, batch, () => this.#drop(batch)),
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
    const { events } = this.#context
    const tells = events.wants('queue.enqueued')
    const touched = new Set<Queue>()
    let last: Queue | null = null
    for (let i = 0; i < entries.length; i++) {
      const queue = queues[i]!
      const entry = entries[i]!
      queue.state.committed(entry)
      if (queue !== last) touched.add(queue)
      last = queue
      if (!tells) continue
      const { from, qos, payloadLength } = entry.message
      events.emit('queue.enqueued', { queue: queue.name, id: entry.id, clientId: from, qos, bytes: payloadLength })
    }
    for (const queue of touched) queue.pump()
  }

  /** It could not be written. Nobody was told that these messages are safe, so they must not come up after a restart. */
  #drop({ queues, entries }: Batch): void {
    const { store, events } = this.#context
    for (let i = 0; i < entries.length; i++) {
      const queue = queues[i]!
      const { id } = entries[i]!
      queue.state.failed(entries[i]!)
      store.queues.remove(queue.name, id)
      if (events.wants('queue.dropped')) {
        events.emit('queue.dropped', { queue: queue.name, id, reason: 'store-failed' })
      }
      queue.checkUse()
    }
  }
}
