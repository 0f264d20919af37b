/**
 * What becomes of a queue's messages: counted, for the queue and for the broker; told as events, as `wants` says to; and
 * told to their publishers, where those want a receipt. Nothing is done here to any message.
 */

import { Mark, type PluginContext, QueueCounters } from '../../src/plugin.ts'
import type { QueueOptions } from './options.ts'
import type { Outcome, Receipts } from './receipts.ts'
import type { Entry, Seat } from './rules/consumer.ts'
import type { DeadReason, ReturnReason } from './rules/effects.ts'

export interface LedgerParts {
  /** Of the queue. */
  name: string
  context: PluginContext<QueueOptions>
  receipts: Receipts
}

export class Ledger {
  /** Since the queue came to be, or was found in the store. */
  readonly counters = new QueueCounters()
  /** For the rates: of those that were enqueued, and of those that were acknowledged. */
  readonly marks = { in: new Mark(), out: new Mark() }
  /** Whether publishers may be told: what becomes of a dead letter is not their business any more. */
  tellsPublishers = true
  readonly #name: string
  readonly #events: PluginContext<QueueOptions>['events']
  readonly #receipts: Receipts
  /** Of all queues. */
  readonly #totals: QueueCounters

  constructor({ name, context, receipts }: LedgerParts) {
    this.#name = name
    this.#events = context.events
    this.#receipts = receipts
    this.#totals = context.counters.queues
  }

  /** A message was not taken on. */
  refused(): void {
    this.counters.refused++
    this.#totals.refused++
  }

  /** A message is safe, and its delay begins; until `dueAt`, milliseconds since the epoch. */
  delayed({ id, message }: Entry, dueAt: number): void {
    this.counters.delayed++
    this.#totals.delayed++
    if (!this.#events.wants('queue.delayed')) return
    const { from, qos, payloadLength } = message
    const data = { queue: this.#name, id, clientId: from, qos, bytes: payloadLength }
    this.#events.emit('queue.delayed', { ...data, dueAt: new Date(dueAt).toISOString() })
  }

  /** A message is safe, and can be delivered. */
  enqueued({ id, message }: Entry): void {
    this.counters.enqueued++
    this.#totals.enqueued++
    if (!this.#events.wants('queue.enqueued')) return
    const { from, qos, payloadLength } = message
    this.#events.emit('queue.enqueued', { queue: this.#name, id, clientId: from, qos, bytes: payloadLength })
  }

  /** A message could not be made safe. Its publisher has no acknowledgement, so there is nothing to tell it. */
  failed({ id }: Entry): void {
    this.#dropped(id, 'store-failed')
  }

  delivered({ id, deliveries }: Entry, { consumer }: Seat): void {
    this.counters.delivered++
    this.#totals.delivered++
    if (!this.#events.wants('queue.delivered')) return
    this.#events.emit('queue.delivered', { queue: this.#name, id, consumer: consumer.session.clientId, deliveries })
  }

  acknowledged(entry: Entry, seat: Seat): void {
    this.counters.acknowledged++
    this.#totals.acknowledged++
    this.#tell(entry, 'acknowledged', null, seat)
    if (!this.#events.wants('queue.acknowledged')) return
    const consumer = seat.consumer.session.clientId
    this.#events.emit('queue.acknowledged', { queue: this.#name, id: entry.id, consumer })
  }

  /** A message came back, and will be delivered again. */
  returned({ id, deliveries }: Entry, seat: Seat, reason: ReturnReason): void {
    this.counters.redelivered++
    this.#totals.redelivered++
    if (!this.#events.wants('queue.redelivered')) return
    const consumer = seat.consumer.session.clientId
    this.#events.emit('queue.redelivered', { queue: this.#name, id, consumer, reason, deliveries })
  }

  /** A message goes to the dead letter queue. Who moves it tells the event. */
  dead(entry: Entry, reason: DeadReason): void {
    this.counters.deadLettered++
    this.#totals.deadLettered++
    this.#tell(entry, 'dead', reason, null)
  }

  /** A message was given up, and goes nowhere. */
  dropped(entry: Entry, reason: DeadReason): void {
    if (reason === 'expired') {
      this.#expired(entry)
    } else {
      this.#tell(entry, 'dropped', reason, null)
      this.#dropped(entry.id, reason)
    }
  }

  /** An operator removed a message. These are counted together: see `countPurged`. */
  purged(entry: Entry): void {
    this.#tell(entry, 'dropped', 'purged', null)
  }

  countPurged(messages: number): void {
    this.counters.purged += messages
    this.#totals.purged += messages
  }

  /** A dead letter went back to where it came from. */
  redriven(): void {
    this.counters.redriven++
    this.#totals.redriven++
  }

  #expired(entry: Entry): void {
    this.counters.expired++
    this.#totals.expired++
    this.#tell(entry, 'expired', null, null)
    if (this.#events.wants('queue.expired')) this.#events.emit('queue.expired', { queue: this.#name, id: entry.id })
  }

  #dropped(id: number, reason: DeadReason | 'store-failed'): void {
    this.counters.dropped++
    this.#totals.dropped++
    if (this.#events.wants('queue.dropped')) this.#events.emit('queue.dropped', { queue: this.#name, id, reason })
  }

  #tell({ id, message, deliveries }: Entry, outcome: Outcome, reason: string | null, seat: Seat | null): void {
    if (!this.tellsPublishers || !this.#receipts.wantedFor(message)) return
    const consumer = seat?.consumer.session.clientId ?? null
    this.#receipts.tell(message, { queue: this.#name, id, outcome, reason, consumer, deliveries })
  }
}
