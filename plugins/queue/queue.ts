/** One queue in operation: its rules, and what they want done: in the store, at the consumers' outboxes, as events. */

import type {
  Interrupted,
  LogEntry,
  PluginContext,
  ResumingOutbox,
  SessionView,
  Settlement,
  Timer,
} from '../../src/plugin.ts'
import { type Consumer, Entry, Seat, type SeatOwner } from './consumer.ts'
import type { DeadReason, Effects, ReturnReason } from './effects.ts'
import { isDeadLetterQueue, topicOf } from './names.ts'
import type { QueueOptions } from './options.ts'
import { DeliveryProperties } from './properties.ts'
import { QueueState } from './state.ts'

/** How long to wait when the store could not read. */
const READ_AGAIN_MS = 1000

export interface QueueParts {
  name: string
  context: PluginContext<QueueOptions>
  /** Move a message of this queue to its dead letter queue. */
  deadLetter(queue: Queue, entry: Entry, reason: DeadReason): void
  /** The session's connection is gone: none of its consumers may be given anything. */
  lost(session: SessionView): void
  /** The queue holds nothing, and nobody asks for this very queue. */
  useless(queue: Queue): void
}

export class Queue implements Effects, SeatOwner {
  readonly name: string
  readonly topic: string
  readonly state: QueueState
  /** Messages appended whose batch is not on disk yet. */
  uncommitted = 0
  /** Seats of consumers that named this very queue. */
  #namedSeats = 0
  readonly #parts: QueueParts
  readonly #context: PluginContext<QueueOptions>
  readonly #properties: DeliveryProperties
  #timer: Timer | null = null
  #readTimer: Timer | null = null

  constructor(parts: QueueParts) {
    const { name, context } = parts
    this.#parts = parts
    this.#context = context
    this.name = name
    this.topic = topicOf(name)
    this.#properties = new DeliveryProperties(name)
    const { ackTimeout, maxDeliveries, backoff } = context.options
    const limit = isDeadLetterQueue(name) ? Infinity : maxDeliveries
    this.state = new QueueState({ ackTimeoutMs: ackTimeout, maxDeliveries: limit, backoff }, this)
  }

  /** Whether it holds nothing, and no consumer asked for this very queue (rather than for all that match a filter). */
  get isUseless(): boolean {
    return this.state.length === 0 && this.uncommitted === 0 && this.#namedSeats === 0
  }

  /** It may be that nobody needs it any more. */
  checkUse(): void {
    if (this.isUseless) this.#parts.useless(this)
  }

  /** Nothing is delivered and no timer runs from here on. */
  stop(): void {
    this.state.stopped = true
    this.#timer?.cancel()
    this.#readTimer?.cancel()
  }

  /** The queue is being forgotten: nobody has a seat here any more. */
  close(): void {
    for (const seat of this.state.seats) {
      if (seat.consumer.active) this.detach(seat)
      this.unseat(seat)
    }
    this.stop()
  }

  pump(): void {
    this.state.pump(this.#context.clock.now())
  }

  /** Give a consumer its seat here. It is active when the consumer is. */
  seat(consumer: Consumer): void {
    const seat = new Seat(consumer, this)
    consumer.seats.add(seat)
    if (consumer.filter === this.topic) this.#namedSeats++
    this.state.seat(seat)
    if (consumer.active) this.attach(seat)
  }

  attach(seat: Seat): void {
    const { events, clock } = this.#context
    const { session, qos } = seat.consumer
    if (events.wants('queue.consumer-added')) {
      events.emit('queue.consumer-added', { queue: this.name, consumer: session.clientId, qos })
    }
    this.state.attached(seat, clock.now())
  }

  detach(seat: Seat): void {
    const { events } = this.#context
    this.state.detached(seat)
    if (!events.wants('queue.consumer-removed')) return
    events.emit('queue.consumer-removed', { queue: this.name, consumer: seat.consumer.session.clientId })
  }

  unseat(seat: Seat): void {
    seat.consumer.seats.delete(seat)
    if (seat.consumer.filter === this.topic) this.#namedSeats--
    this.state.unseat(seat)
    this.pump()
    this.checkUse()
  }

  settled(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number): void {
    // The first of many that are lost: the next to get them must not be the one that is gone, on another seat.
    if (settlement === 'lost' && seat.consumer.active) this.#parts.lost(seat.consumer.session)
    this.state.settled(seat, entry, settlement, reasonCode, this.#context.clock.now())
  }

  roomFor(seat: Seat, now: number): void {
    this.state.makeRoom(seat)
    this.state.pump(now)
  }

  /** After a restart, before anybody is attached: the seat's client has this message in hand, and goes on with it. */
  resume(seat: Seat, { id, message, mark }: LogEntry, outbox: ResumingOutbox, interrupted: Interrupted): void {
    const entry = new Entry(id, message, mark)
    if (!this.state.resumed(entry, seat)) return
    // Which protocol its client speaks is known when it comes; before 5.0 nobody looks at the properties.
    const properties = this.#properties.of(entry)
    outbox.resume(interrupted, { message, properties, receiver: seat, token: entry })
  }

  /** Messages as they are in the store. */
  read(fromId: number, limit: number): Promise<LogEntry[]> {
    return this.#context.store.queues.read(this.name, fromId, limit)
  }

  // What the rules want.

  deliver(entry: Entry, seat: Seat): void {
    const { session, qos, identifiers } = seat.consumer
    const properties = session.protocolVersion === 5 ? this.#properties.of(entry) : null
    const { message, id, deliveries } = entry
    session.outbox.deliver({
      message,
      qos,
      retain: false,
      identifiers,
      properties,
      receiver: seat,
      token: entry,
      reference: id,
    })
    const { events } = this.#context
    if (!events.wants('queue.delivered')) return
    events.emit('queue.delivered', { queue: this.name, id, consumer: session.clientId, deliveries })
  }

  withdraw(entry: Entry, seat: Seat): void {
    seat.consumer.session.outbox.withdraw(seat, entry)
  }

  acknowledged({ id }: Entry, seat: Seat): void {
    const { store, events } = this.#context
    store.queues.remove(this.name, id)
    if (!events.wants('queue.acknowledged')) return
    events.emit('queue.acknowledged', { queue: this.name, id, consumer: seat.consumer.session.clientId })
  }

  returned({ id, deliveries }: Entry, seat: Seat, reason: ReturnReason): void {
    const { store, events } = this.#context
    store.queues.mark(this.name, id, deliveries)
    if (!events.wants('queue.redelivered')) return
    const consumer = seat.consumer.session.clientId
    events.emit('queue.redelivered', { queue: this.name, id, consumer, reason, deliveries })
  }

  dead(entry: Entry, reason: DeadReason): void {
    this.#parts.deadLetter(this, entry, reason)
  }

  expired({ id }: Entry): void {
    const { store, events } = this.#context
    store.queues.remove(this.name, id)
    if (events.wants('queue.expired')) events.emit('queue.expired', { queue: this.name, id })
  }

  emptied(): void {
    const { events } = this.#context
    if (events.wants('queue.emptied')) events.emit('queue.emptied', { queue: this.name })
    this.checkUse()
  }

  load(fromId: number, limit: number): void {
    const { clock, log } = this.#context
    this.read(fromId, limit)
      .then((found) => this.state.loaded(found, clock.now()))
      .catch((error: unknown) => {
        log.error({ err: error, queue: this.name }, 'the messages of a queue could not be read; trying again')
        this.state.loadFailed()
        if (!this.state.stopped) this.#readTimer = clock.after(READ_AGAIN_MS, () => this.pump())
      })
  }

  wake(at: number): void {
    const { clock } = this.#context
    this.#timer?.cancel()
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => this.state.tick(clock.now()))
  }
}
