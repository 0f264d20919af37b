/** Every queue: made by use, found in the store, forgotten when it is of no use. */

import type { PluginContext, SessionView, Timer } from '../../src/plugin.ts'
import type { Entry } from './consumer.ts'
import type { DeadReason } from './effects.ts'
import { checkTopic, nameOf, topicOf } from './names.ts'
import type { QueueOptions } from './options.ts'
import { Queue } from './queue.ts'

/**
 * How long an empty queue is remembered that only consumers with wildcards are at: it would else be made and forgotten
 * with every message. Milliseconds.
 */
const IDLE_MS = 10_000

export interface QueuesParts {
  context: PluginContext<QueueOptions>
  /** A queue has come to be: give a seat to those whose filters match it. */
  created(queue: Queue): void
  deadLetter(queue: Queue, entry: Entry, reason: DeadReason): void
  lost(session: SessionView): void
}

export class Queues {
  readonly #parts: QueuesParts
  /** By topic, which is what a message brings. */
  readonly #queues = new Map<string, Queue>()
  readonly #idle = new Set<Queue>()
  #sweep: Timer | null = null

  constructor(parts: QueuesParts) {
    this.#parts = parts
    const { context } = parts
    for (const { name, count, firstId, nextId } of context.store.queues.list()) {
      this.#make(topicOf(name)).state.restore(count, firstId, nextId)
    }
  }

  values(): IterableIterator<Queue> {
    return this.#queues.values()
  }

  /** The queue on a topic, if there is one. */
  at(topic: string): Queue | undefined {
    return this.#queues.get(topic)
  }

  /**
   * The queue on a topic, made if there is none.
   * @throws Refusal 0x90 when no queue can live there
   */
  open(topic: string): Queue {
    const known = this.#queues.get(topic)
    if (known !== undefined) return known
    checkTopic(topic)
    const queue = this.#make(topic)
    this.#parts.context.events.emit('queue.created', { queue: queue.name })
    this.#parts.created(queue)
    return queue
  }

  stop(): void {
    this.#sweep?.cancel()
    for (const queue of this.#queues.values()) queue.stop()
  }

  #make(topic: string): Queue {
    const { context, deadLetter, lost } = this.#parts
    const queue = new Queue({
      name: nameOf(topic),
      context,
      deadLetter,
      lost,
      useless: (queue) => this.#useless(queue),
    })
    this.#queues.set(topic, queue)
    return queue
  }

  #useless(queue: Queue): void {
    if (queue.state.seats.size === 0) {
      this.#forget(queue)
      return
    }
    this.#idle.add(queue)
    this.#sweep ??= this.#parts.context.clock.after(IDLE_MS, () => {
      this.#sweep = null
      const idle = [...this.#idle]
      this.#idle.clear()
      for (const queue of idle) if (queue.isUseless) this.#forget(queue)
    })
  }

  #forget(queue: Queue): void {
    if (this.#queues.get(queue.topic) !== queue) return
    this.#queues.delete(queue.topic)
    this.#idle.delete(queue)
    queue.close()
    this.#parts.context.events.emit('queue.deleted', { queue: queue.name })
  }
}
