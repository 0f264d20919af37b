/** One queue in operation: its rules, and what they want done: in the store, at the consumers' outboxes, as events. */

import {
  type Interrupted,
  type LogEntry,
  Message,
  type PluginContext,
  QueueCounters,
  type ResumingOutbox,
  type SessionView,
  type Settlement,
  type Timer,
} from '../../src/plugin.ts'
import type { Budget } from './budget.ts'
import { type Consumer, Entry, Seat, type SeatOwner } from './consumer.ts'
import type { DeadReason, Effects, ReturnReason, Rules } from './effects.ts'
import { Entrance } from './entrance.ts'
import { groupOf } from './instructions.ts'
import { topicOf } from './names.ts'
import type { QueueOptions, QueuePolicy } from './options.ts'
import type { Policies } from './policies.ts'
import { DeliveryProperties } from './properties.ts'
import { DELAYED, firstIdOf, type LaneSummary, laneOf, QueueLog } from './queue-log.ts'
import type { Outcome, Receipts } from './receipts.ts'
import { QueueState } from './state.ts'

/** How long to wait when the store could not read. */
const READ_AGAIN_MS = 1000

/** Messages read at once where all are looked at. */
const READ_AT_ONCE = 1000

export interface QueueParts {
  name: string
  policies: Policies
  context: PluginContext<QueueOptions>
  /** Memory for the messages of all queues. */
  budget: Budget
  /** Append a message to a lane of this queue. It was in the store before, elsewhere. */
  append(queue: Queue, message: Message, lane: number): void
  /** Move a message of this queue to its dead letter queue. */
  deadLetter(queue: Queue, entry: Entry, reason: DeadReason, deadLetterQueue: string): void
  receipts: Receipts
  /** The session's connection is gone: none of its consumers may be given anything. */
  lost(session: SessionView): void
  /** The queue holds nothing, and nobody asks for this very queue. */
  useless(queue: Queue): void
}

export class Queue implements Effects, SeatOwner {
  readonly name: string
  readonly topic: string
  readonly state: QueueState
  readonly log: QueueLog
  readonly entrance: Entrance
  /** Since the queue came to be, or was found in the store. Each is counted in the broker's as well. */
  readonly counters = new QueueCounters()
  readonly #totals: QueueCounters
  /** Whether it is there for dead letters: those are as they are, whatever their producers asked for. */
  forDeadLetters: boolean
  #policy: QueuePolicy
  #deadLetterQueue: string | null
  /** Seats of consumers that named this very queue. */
  #namedSeats = 0
  readonly #parts: QueueParts
  readonly #context: PluginContext<QueueOptions>
  readonly #properties: DeliveryProperties
  #timer: Timer | null = null
  #readTimer: Timer | null = null

  constructor(parts: QueueParts) {
    const { name, policies, context } = parts
    this.#parts = parts
    this.#context = context
    this.#totals = context.counters.queues
    this.name = name
    this.topic = topicOf(name)
    this.#properties = new DeliveryProperties(name)
    this.#policy = policies.of(name)
    this.#deadLetterQueue = policies.deadLetterQueueOf(name)
    this.forDeadLetters = policies.isForDeadLetters(name)
    this.log = new QueueLog(context.store.queues, name)
    this.state = new QueueState(this.#rules(), this, parts.budget)
    this.entrance = new Entrance({
      name,
      context,
      log: this.log,
      state: this.state,
      policy: this.#policy,
      refused: () => this.refused(),
      append: (message, lane) => parts.append(this, message, lane),
      checkUse: () => this.checkUse(),
    })
  }

  /** Its policy is another from now on, for what is in the queue too. */
  change(policies: Policies): void {
    this.#policy = policies.of(this.name)
    this.#deadLetterQueue = policies.deadLetterQueueOf(this.name)
    this.forDeadLetters = policies.isForDeadLetters(this.name)
    this.entrance.change(this.#policy)
    this.state.change(this.#rules(), this.#context.clock.now())
  }

  /** Whether it holds nothing, and no consumer asked for this very queue (rather than for all that match a filter). */
  get isUseless(): boolean {
    const { length, uncommitted } = this.state.contents
    return length === 0 && uncommitted === 0 && !this.isNamed && !this.state.paused && this.entrance.idle
  }

  /** Whether a client subscribes to this very queue. */
  get isNamed(): boolean {
    return this.#namedSeats > 0
  }

  /** A message was not taken on. */
  refused(): void {
    this.counters.refused++
    this.#totals.refused++
  }

  /** It may be that nobody needs it any more. */
  checkUse(): void {
    if (this.isUseless) this.#parts.useless(this)
  }

  /** Nothing is delivered and no timer runs from here on. */
  stop(): void {
    this.state.stop()
    this.entrance.stop()
    this.#timer?.cancel()
    this.#readTimer?.cancel()
    this.#parts.budget.forget(this)
  }

  /** The queue is being forgotten: nobody has a seat here any more. */
  close(): void {
    for (const seat of this.state.seats) {
      if (seat.consumer.active) this.detach(seat)
      this.unseat(seat)
    }
    this.stop()
  }

  /** What was found in the store of it: a lane, or another part. */
  async restore(part: LaneSummary | string): Promise<void> {
    if (part === 'dedup') await this.entrance.restoreIds()
    else if (part === 'state')
      this.state.paused = true // there is nothing else to remember
    else if (typeof part !== 'object') return
    else if (part.lane === DELAYED) this.entrance.restore(part)
    else this.state.restore(part.count, part.firstId, part.nextId)
  }

  /** Deliver nothing until it is resumed. That outlives a restart: a log with an entry says so. */
  pause(): void {
    const { store, events } = this.#context
    if (this.state.paused) return
    this.state.paused = true
    const message = Message.of({ topic: '', payload: Buffer.from('paused') })
    store.queues.append(this.#stateLog, { message, qos: 0, retain: false, identifiers: null })
    events.emit('queue.paused', { queue: this.name })
  }

  resume(): void {
    const { store, events } = this.#context
    if (!this.state.paused) return
    this.state.paused = false
    store.queues.clear(this.#stateLog)
    events.emit('queue.resumed', { queue: this.name })
    this.pump()
    this.checkUse()
  }

  /**
   * Remove what no consumer has. Returns how many messages that were.
   * @param known messages whose publishers want to hear of them, of those that are on disk only
   */
  purge(known: readonly Entry[]): number {
    const onDisk = (from: number, to: number): void => {
      this.log.removeRange(from, to)
      for (const entry of known) if (entry.id >= from && entry.id < to) this.#tell(entry, 'dropped', 'purged', null)
    }
    this.entrance.purge(onDisk)
    const messages = this.state.purge((entry) => this.#purged(entry), onDisk)
    this.#countPurged(messages)
    this.#context.events.emit('queue.purged', { queue: this.name, messages })
    this.checkUse()
    return messages
  }

  /** Remove all there is. Returns how many messages that were. */
  empty(known: readonly Entry[]): number {
    const waiting = this.purge(known)
    const held = this.state.takeBack((entry) => this.#purged(entry))
    this.#countPurged(held)
    this.entrance.forgetIds()
    this.resume()
    this.checkUse()
    return waiting + held
  }

  #countPurged(messages: number): void {
    this.counters.purged += messages
    this.#totals.purged += messages
  }

  /** Take out a dead letter that goes back to where it came from. Returns whether it could be had. */
  redrive(id: number, message: Message): boolean {
    if (!this.state.contents.extract(id, message.payloadLength)) return false
    this.log.remove(id)
    this.counters.redriven++
    this.#totals.redriven++
    return true
  }

  #purged(entry: Entry): void {
    this.log.remove(entry.id)
    this.#tell(entry, 'dropped', 'purged', null)
  }

  /** Messages in the store whose publishers want to hear what becomes of them. Reads all of it if there are any such. */
  async readWanted(): Promise<Entry[]> {
    const { receipts } = this.#parts
    const wanted: Entry[] = []
    for (const first of [...this.log.lanes, firstIdOf(DELAYED)]) {
      for (let from = first; receipts.wanted && !this.forDeadLetters; ) {
        const entries = await this.log.read(from, READ_AT_ONCE)
        if (entries.length === 0) break
        from = entries.at(-1)!.id + 1
        for (const { id, message, mark } of entries) {
          if (receipts.wantedFor(message)) wanted.push(new Entry(id, message, mark, null))
        }
      }
    }
    return wanted
  }

  get #stateLog(): string {
    return `${this.name}#state`
  }

  /** A message is on disk. */
  committed(entry: Entry): void {
    if (laneOf(entry.id) === DELAYED) this.#delayed(entry)
    else this.#enqueued(entry)
  }

  /** It could not be written. Nobody was told that it is safe, so it must not come up after a restart. */
  failed(entry: Entry): void {
    const { id } = entry
    const { events } = this.#context
    this.log.remove(id)
    this.state.contents.failed(entry)
    this.entrance.failed(entry)
    this.#countDropped()
    if (events.wants('queue.dropped')) events.emit('queue.dropped', { queue: this.name, id, reason: 'store-failed' })
    this.checkUse()
  }

  #delayed(entry: Entry): void {
    this.entrance.delay(entry)
    this.counters.delayed++
    this.#totals.delayed++
  }

  #enqueued(entry: Entry): void {
    this.state.committed(entry)
    this.counters.enqueued++
    this.#totals.enqueued++
    const { events } = this.#context
    if (!events.wants('queue.enqueued')) return
    const { from, qos, payloadLength } = entry.message
    events.emit('queue.enqueued', { queue: this.name, id: entry.id, clientId: from, qos, bytes: payloadLength })
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
  resumeDelivery(seat: Seat, stored: LogEntry, outbox: ResumingOutbox, interrupted: Interrupted): void {
    const { id, message, mark } = stored
    const entry = new Entry(id, message, mark, this.forDeadLetters ? null : groupOf(message))
    if (!this.state.resumed(entry, seat)) return
    // Which protocol its client speaks is known when it comes; before 5.0 nobody looks at the properties.
    const properties = this.#properties.of(entry)
    outbox.resume(interrupted, { message, properties, receiver: seat, token: entry })
  }

  #rules(): Rules {
    const { ackTimeout, maxDeliveries, backoff, maxLength, maxBytes, overflow, exclusive } = this.#policy
    return {
      ackTimeoutMs: ackTimeout,
      maxDeliveries: this.forDeadLetters ? Infinity : maxDeliveries,
      backoff,
      exclusiveConsumer: exclusive === 'consumer' || exclusive === 'both',
      grouped: !this.forDeadLetters,
      maxLength: maxLength ?? Infinity,
      maxBytes: maxBytes ?? Infinity,
      dropsOldest: overflow === 'drop-oldest',
    }
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
    this.counters.delivered++
    this.#totals.delivered++
    const { events } = this.#context
    if (!events.wants('queue.delivered')) return
    events.emit('queue.delivered', { queue: this.name, id, consumer: session.clientId, deliveries })
  }

  withdraw(entry: Entry, seat: Seat): void {
    seat.consumer.session.outbox.withdraw(seat, entry)
  }

  acknowledged(entry: Entry, seat: Seat): void {
    const { id } = entry
    const { events } = this.#context
    this.log.remove(id)
    this.counters.acknowledged++
    this.#totals.acknowledged++
    this.#tell(entry, 'acknowledged', null, seat)
    if (!events.wants('queue.acknowledged')) return
    events.emit('queue.acknowledged', { queue: this.name, id, consumer: seat.consumer.session.clientId })
  }

  returned({ id, deliveries }: Entry, seat: Seat, reason: ReturnReason): void {
    const { events } = this.#context
    this.log.mark(id, deliveries)
    this.counters.redelivered++
    this.#totals.redelivered++
    if (!events.wants('queue.redelivered')) return
    const consumer = seat.consumer.session.clientId
    events.emit('queue.redelivered', { queue: this.name, id, consumer, reason, deliveries })
  }

  dead(entry: Entry, reason: DeadReason): void {
    const drops = reason === 'expired' && this.#policy.expired === 'drop'
    if (this.#deadLetterQueue === null || drops) {
      this.#drop(entry, reason)
    } else {
      this.counters.deadLettered++
      this.#totals.deadLettered++
      this.#tell(entry, 'dead', reason, null)
      this.#parts.deadLetter(this, entry, reason, this.#deadLetterQueue)
    }
  }

  #drop(entry: Entry, reason: DeadReason): void {
    const { id } = entry
    const { events } = this.#context
    this.log.remove(id)
    if (reason === 'expired') {
      this.counters.expired++
      this.#totals.expired++
      this.#tell(entry, 'expired', null, null)
      if (events.wants('queue.expired')) events.emit('queue.expired', { queue: this.name, id })
      return
    }
    this.#countDropped()
    this.#tell(entry, 'dropped', reason, null)
    if (events.wants('queue.dropped')) events.emit('queue.dropped', { queue: this.name, id, reason })
  }

  #countDropped(): void {
    this.counters.dropped++
    this.#totals.dropped++
  }

  /** A receipt for its publisher, if that wants one. What becomes of a dead letter is not its business any more. */
  #tell({ id, message, deliveries }: Entry, outcome: Outcome, reason: string | null, seat: Seat | null): void {
    const { receipts } = this.#parts
    if (this.forDeadLetters || !receipts.wantedFor(message)) return
    const consumer = seat?.consumer.session.clientId ?? null
    receipts.tell(message, { queue: this.name, id, outcome, reason, consumer, deliveries })
  }

  emptied(): void {
    const { events } = this.#context
    if (events.wants('queue.emptied')) events.emit('queue.emptied', { queue: this.name })
    this.checkUse()
  }

  load(fromId: number, limit: number): void {
    const { clock, log } = this.#context
    this.log
      .read(fromId, limit)
      .then((found) => this.state.loaded(fromId, found, clock.now()))
      .catch((error: unknown) => {
        log.error({ err: error, queue: this.name }, 'the messages of a queue could not be read; trying again')
        this.state.loadFailed(fromId)
        if (!this.state.stopped) this.#readTimer = clock.after(READ_AGAIN_MS, () => this.pump())
      })
      .finally(() => this.#parts.budget.feed())
  }

  starved(): void {
    this.#parts.budget.starve(this)
  }

  wake(at: number): void {
    const { clock } = this.#context
    this.#timer?.cancel()
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => this.state.tick(clock.now()))
  }
}
