/** Every queue: made by use, found in the store, forgotten when it is of no use. */

import type { Message, PluginContext, SessionView, Timer } from '../../src/plugin.ts'
import { checkTopic, nameOf, topicOf } from './names.ts'
import type { QueueOptions } from './options.ts'
import type { Policies } from './policies.ts'
import { Queue } from './queue.ts'
import type { Quota } from './quota.ts'
import type { Receipts } from './receipts.ts'
import { partOf } from './records/queue-log.ts'
import type { Budget } from './rules/budget.ts'
import type { Entry } from './rules/consumer.ts'
import type { DeadReason } from './rules/effects.ts'

/**
 * How long an empty queue is remembered that only consumers with wildcards are at: it would else be made and forgotten
 * with every message. Milliseconds.
 */
const IDLE_MS = 10_000

export interface QueuesParts {
  context: PluginContext<QueueOptions>
  policies: Policies
  receipts: Receipts
  budget: Budget
  quota: Quota
  /** A queue has come to be: give a seat to those whose filters match it. */
  created(queue: Queue): void
  append(queue: Queue, message: Message, lane: number): void
  deadLetter(queue: Queue, entry: Entry, reason: DeadReason, deadLetterQueue: string): void
  lost(session: SessionView): void
}

export class Queues {
  readonly #parts: QueuesParts
  #policies: Policies
  /** By topic, which is what a message brings. */
  readonly #queues = new Map<string, Queue>()
  readonly #idle = new Set<Queue>()
  /** What is being read of the queues that were found. */
  readonly #restoring: Promise<void>[] = []
  #sweep: Timer | null = null

  constructor(parts: QueuesParts) {
    this.#parts = parts
    this.#policies = parts.policies
    const { context } = parts
    for (const log of context.store.queues.list()) {
      const found = partOf(log)
      if (found === null) continue
      const [name, part] = found
      const topic = topicOf(name)
      this.#restoring.push((this.#queues.get(topic) ?? this.#make(topic)).restore(part))
    }
  }

  /** Resolves when all is known of the queues in the store that has to be known before the first message comes. */
  async start(): Promise<void> {
    await Promise.all(this.#restoring.splice(0))
    this.#keep()
    await this.#measure()
  }

  values(): IterableIterator<Queue> {
    return this.#queues.values()
  }

  /** The queue on a topic, if there is one. */
  at(topic: string): Queue | undefined {
    return this.#queues.get(topic)
  }

  /**
   * The queue on a topic, made for a client if there is none.
   * @throws Refusal 0x90 when no queue can live there, 0x97 when there are too many
   */
  use(topic: string): Queue {
    const known = this.#queues.get(topic)
    if (known !== undefined) return known
    checkTopic(topic)
    this.#parts.quota.checkQueues(this.#queues.size)
    return this.open(topic)
  }

  /** Whether a client may make another queue. */
  get hasRoom(): boolean {
    return this.#parts.quota.hasRoomForQueue(this.#queues.size)
  }

  /**
   * The queue on a topic, made if there is none, however many there are: it is needed.
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

  /** Other policies from now on. */
  change(policies: Policies): void {
    this.#policies = policies
    for (const queue of [...this.#queues.values()]) {
      queue.change(policies)
      queue.checkUse()
    }
    this.#keep()
    this.#measure().catch((error: unknown) =>
      this.#parts.context.log.error({ error }, 'the size of a queue could not be read'),
    )
  }

  /** Forget a queue now, if nothing is in it and no client asked for this very queue. */
  forget(queue: Queue): void {
    if (queue.isUseless) this.#useless(queue, true)
  }

  stop(): void {
    this.#sweep?.cancel()
    for (const queue of this.#queues.values()) queue.stop()
  }

  /** Queues that a policy names are there from the start. */
  #keep(): void {
    for (const name of this.#policies.names) this.open(topicOf(name))
  }

  async #measure(): Promise<void> {
    for (const queue of [...this.#queues.values()]) {
      await queue.entrance.measure()
      queue.pump()
    }
  }

  #make(topic: string): Queue {
    const { context, receipts, budget, quota, append, deadLetter, lost } = this.#parts
    const name = nameOf(topic)
    const queue = new Queue({
      name,
      policies: this.#policies,
      context,
      receipts,
      budget,
      quota,
      append,
      deadLetter,
      lost,
      useless: (queue) => this.#useless(queue, false),
    })
    this.#queues.set(topic, queue)
    return queue
  }

  #useless(queue: Queue, forLong: boolean): void {
    if (this.#policies.isNamed(queue.name)) return
    if (forLong || queue.state.seats.size === 0) {
      this.#forget(queue)
      return
    }
    this.#idle.add(queue)
    this.#sweep ??= this.#parts.context.clock.after(IDLE_MS, () => {
      this.#sweep = null
      const idle = [...this.#idle]
      this.#idle.clear()
      for (const queue of idle) if (queue.isUseless) this.#useless(queue, true)
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
