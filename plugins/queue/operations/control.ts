/**
 * Looking at queues and steering them: what programs call as `broker.queues`, and what an HTTP API or a command line stands
 * on. Nothing here is on the path of a message.
 */

import { EventflowError, type PluginContext, type QueueCounters } from '../../../src/plugin.ts'
import type { Engine } from '../engine.ts'
import { topicOf } from '../names.ts'
import type { QueueOptions, QueuePolicy } from '../options.ts'
import type { Queue } from '../queue.ts'
import { pause, unpause } from './pause.ts'
import { type PeekedMessage, peek } from './peek.ts'
import { empty, purge, readWanted } from './purge.ts'
import type { QueueRates, Rates } from './rates.ts'
import { type RedriveOptions, type RedriveResult, redrive } from './redrive.ts'
import { longestOf, type QueueTotals, totalsOf } from './totals.ts'

export interface QueueSummary {
  name: string
  /** Messages in all, wherever they are; but for those that are not on disk yet. */
  length: number
  /** Those that could be delivered, and those that wait for another of their group. */
  ready: number
  /** Those in consumers' hands. */
  inFlight: number
  /** Those whose delay is not over. */
  delayed: number
  /** Those that rest after a refusal. */
  resting: number
  /** Bytes of payload; null: not all is known, for there is no limit to them. */
  bytes: number | null
  /** Consumers that are connected. */
  consumers: number
  paused: boolean
  /** What became of its messages since it came to be, or was found in the store. */
  counters: Readonly<QueueCounters>
  rates: QueueRates
}

export interface ConsumerSummary {
  clientId: string
  /** The subscription's filter, `queue/orders`. */
  filter: string
  qos: number
  /** False: its client is away, in a session that goes on. */
  connected: boolean
  /** Messages of this queue in its hands. */
  inFlight: number
}

export interface QueueDetails extends Omit<QueueSummary, 'consumers'> {
  consumers: ConsumerSummary[]
  /** As `oldest` tells it; null: there is none. */
  oldestAt: number | null
  /** The queue for its dead letters; null: it has none. */
  deadLetterQueue: string | null
  /** The policy's filter; null: only the defaults. */
  match: string | null
  policy: QueuePolicy
}

/** Queues go by their names, without `queue/`. What is told to be done is safe when the promise resolves. */
export interface QueueControl {
  /** By name. */
  list(): QueueSummary[]
  /** The names of all, in no order: for who looks at a few of very many. */
  names(): Iterable<string>
  /** Of these queues, as far as there are any. */
  some(names: readonly string[]): QueueSummary[]
  /**
   * The same of those `limit` that hold the most messages, the longest first: without a look at the rest but for its length.
   * @param isWanted which names count; default: all
   */
  longest(limit: number, isWanted?: (name: string) => boolean): QueueSummary[]
  /** What all queues hold together: quick, however many they are. */
  totals(): QueueTotals
  /**
   * When the oldest message of each queue was received, milliseconds since the epoch; those whose delay is not over do not
   * count, and queues that have no other are left out. Reads a message of each queue: for every few seconds at most.
   */
  oldest(): Promise<ReadonlyMap<string, number>>
  /** @throws EventflowError QUEUE_UNKNOWN */
  show(name: string): Promise<QueueDetails>
  /**
   * Look at messages without consuming them, in the order of delivery; those in consumers' hands and delayed ones too.
   * @param limit default 10
   * @param maxBytes once their payloads have so many, no more are read
   * @throws EventflowError QUEUE_UNKNOWN
   */
  peek(name: string, limit?: number, maxBytes?: number): Promise<PeekedMessage[]>
  /**
   * Deliver nothing until `resume`, over restarts too. Messages are taken on. Makes the queue if there is none.
   * @throws Refusal 0x90 when no queue can have this name
   */
  pause(name: string): Promise<void>
  /** @throws EventflowError QUEUE_UNKNOWN */
  resume(name: string): Promise<void>
  /**
   * Remove every message that no consumer has. Returns how many there were.
   * @throws EventflowError QUEUE_UNKNOWN
   */
  purge(name: string): Promise<number>
  /**
   * Remove every message and all that is remembered of the queue. Returns how many messages there were.
   * @throws EventflowError QUEUE_UNKNOWN; QUEUE_IN_USE while a client subscribes to this very queue
   */
  delete(name: string): Promise<number>
  /**
   * Send dead letters back to the queues they come from, as they were, in batches that are each whole on disk or not at all.
   * @param name the queue that they are in, `dead/orders`
   * @throws EventflowError QUEUE_UNKNOWN
   */
  redrive(name: string, options?: RedriveOptions): Promise<RedriveResult>
  /** Other options from now on, `queue` in the configuration: for queues, consumers and messages that are there too. */
  change(options: QueueOptions): void
}

export class Control implements QueueControl {
  readonly #engine: Engine
  readonly #context: PluginContext<QueueOptions>
  readonly #rates: Rates

  constructor(engine: Engine, context: PluginContext<QueueOptions>, rates: Rates) {
    this.#engine = engine
    this.#context = context
    this.#rates = rates
  }

  list(): QueueSummary[] {
    return this.#engine.queues.map((queue) => summaryOf(queue, this.#rates)).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  *names(): Generator<string> {
    for (const { name } of this.#engine.queues) yield name
  }

  some(names: readonly string[]): QueueSummary[] {
    const found = names.flatMap((name) => this.#engine.queueAt(topicOf(name)) ?? [])
    return found.map((queue) => summaryOf(queue, this.#rates))
  }

  longest(limit: number, isWanted?: (name: string) => boolean): QueueSummary[] {
    const { queues } = this.#engine
    const wanted = isWanted === undefined ? queues : queues.filter(({ name }) => isWanted(name))
    return longestOf(wanted, limit).map((queue) => summaryOf(queue, this.#rates))
  }

  totals(): QueueTotals {
    return { ...totalsOf(this.#engine.queues), rates: this.#rates.ofAll }
  }

  async oldest(): Promise<ReadonlyMap<string, number>> {
    const oldest = new Map<string, number>()
    for (const queue of this.#engine.queues) {
      const at = await oldestOf(queue)
      if (at !== null) oldest.set(queue.name, at)
    }
    return oldest
  }

  async show(name: string): Promise<QueueDetails> {
    const queue = this.#find(name)
    const oldestAt = await oldestOf(queue)
    const consumers = consumersOf(queue)
    return { ...summaryOf(queue, this.#rates), consumers, oldestAt, ...this.#engine.policyOf(name) }
  }

  async peek(name: string, limit = 10, maxBytes = Infinity): Promise<PeekedMessage[]> {
    return peek(this.#find(name), limit, maxBytes)
  }

  async pause(name: string): Promise<void> {
    pause(this.#engine.open(topicOf(name)), this.#context)
    await this.#context.store.durable()
  }

  async resume(name: string): Promise<void> {
    unpause(this.#find(name), this.#context)
    await this.#context.store.durable()
  }

  async purge(name: string): Promise<number> {
    const queue = this.#find(name)
    const messages = purge(queue, await readWanted(queue, this.#engine.receipts), this.#context)
    await this.#context.store.durable()
    return messages
  }

  async delete(name: string): Promise<number> {
    const queue = this.#find(name)
    if (queue.isNamed) {
      throw new EventflowError('QUEUE_IN_USE', `a client subscribes to the queue '${name}'`)
    }
    const messages = empty(queue, await readWanted(queue, this.#engine.receipts), this.#context)
    this.#engine.forget(queue)
    await this.#context.store.durable()
    return messages
  }

  async redrive(name: string, options: RedriveOptions = {}): Promise<RedriveResult> {
    return redrive(this.#find(name), this.#engine, this.#context, options)
  }

  change(options: QueueOptions): void {
    this.#engine.change(options)
  }

  #find(name: string): Queue {
    const queue = this.#engine.queueAt(topicOf(name))
    if (queue === undefined) throw new EventflowError('QUEUE_UNKNOWN', `there is no queue '${name}'`)
    return queue
  }
}

function summaryOf({ name, state, ledger }: Queue, rates: Rates): QueueSummary {
  const { contents, seats, paused } = state
  const { ready, backlog, aside, resting, held } = contents.counts
  let consumers = 0
  for (const { consumer } of seats) if (consumer.active) consumers++
  return {
    name,
    length: contents.length + contents.scheduled,
    ready: ready + backlog + aside,
    inFlight: held,
    delayed: contents.scheduled,
    resting,
    bytes: contents.bytes.unknown ? null : contents.bytes.total,
    consumers,
    paused,
    counters: { ...ledger.counters },
    rates: rates.of(ledger),
  }
}

function consumersOf({ state }: Queue): ConsumerSummary[] {
  return [...state.seats].map(({ consumer, held }) => {
    const { session, filter, qos, active } = consumer
    return { clientId: session.clientId, filter, qos, connected: active, inFlight: held.length }
  })
}

async function oldestOf({ log, state }: Queue): Promise<number | null> {
  if (state.contents.length === 0) return null
  const firsts = (await Promise.all(log.lanes.map((fromId) => log.read(fromId, 1)))).flat()
  return firsts.length === 0 ? null : Math.min(...firsts.map(({ message }) => message.receivedAt))
}
