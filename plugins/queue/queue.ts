/**
 * One queue in operation: its rules with the policy that it has, and what happens to it. Messages become safe, consumers
 * come and go, what they settle comes in. What the rules want done about it is in `Actions`.
 */

import type {
  Interrupted,
  LogEntry,
  Message,
  PluginContext,
  ResumingOutbox,
  SessionView,
  Settlement,
} from '../../src/plugin.ts'
import { type ActingQueue, Actions } from './actions.ts'
import { Entrance } from './entrance.ts'
import { Ledger } from './ledger.ts'
import { topicOf } from './names.ts'
import type { QueueOptions, QueuePolicy } from './options.ts'
import { type Policies, rulesOf } from './policies.ts'
import { DeliveryProperties } from './properties.ts'
import type { Quota } from './quota.ts'
import type { Receipts } from './receipts.ts'
import { groupOf } from './records/instructions.ts'
import { DELAYED, type LaneSummary, laneOf, QueueLog } from './records/queue-log.ts'
import type { Budget } from './rules/budget.ts'
import { type Consumer, Entry, Seat, type SeatOwner } from './rules/consumer.ts'
import type { DeadReason } from './rules/effects.ts'
import { QueueState } from './rules/state.ts'

export interface QueueParts {
  name: string
  policies: Policies
  context: PluginContext<QueueOptions>
  /** Memory for the messages of all queues. */
  budget: Budget
  quota: Quota
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

export class Queue implements ActingQueue, SeatOwner {
  readonly name: string
  readonly topic: string
  readonly log: QueueLog
  readonly ledger: Ledger
  readonly state: QueueState
  readonly entrance: Entrance
  /** Whether it is there for dead letters: those are as they are, whatever their producers asked for. */
  forDeadLetters = false
  deadLetterQueue: string | null = null
  expiredQueue: string | null = null
  /** Seats of consumers that named this very queue. */
  #namedSeats = 0
  readonly #parts: QueueParts
  readonly #context: PluginContext<QueueOptions>
  readonly #properties: DeliveryProperties
  readonly #actions: Actions

  constructor(parts: QueueParts) {
    const { name, policies, context, budget, quota } = parts
    this.#parts = parts
    this.#context = context
    this.name = name
    this.topic = topicOf(name)
    this.log = new QueueLog(context.store.queues, name)
    this.ledger = new Ledger(parts)
    const policy = this.#follow(policies)
    this.#properties = new DeliveryProperties(name)
    this.#actions = new Actions(this, context, this.#properties, budget)
    this.state = new QueueState(rulesOf(policy, this.forDeadLetters), this.#actions, budget)
    this.entrance = new Entrance({
      name,
      context,
      policy,
      quota,
      log: this.log,
      state: this.state,
      ledger: this.ledger,
      append: (message, lane) => parts.append(this, message, lane),
      checkUse: () => this.checkUse(),
    })
  }

  /** Its policy is another from now on, for what is in the queue too. */
  change(policies: Policies): void {
    const policy = this.#follow(policies)
    this.entrance.change(policy)
    this.state.change(rulesOf(policy, this.forDeadLetters), this.#context.clock.now())
  }

  #follow(policies: Policies): QueuePolicy {
    const policy = policies.of(this.name)
    this.forDeadLetters = policies.isForDeadLetters(this.name)
    this.ledger.tellsPublishers = !this.forDeadLetters
    this.deadLetterQueue = policies.deadLetterQueueOf(this.name)
    this.expiredQueue = policy.expired === 'drop' ? null : this.deadLetterQueue
    return policy
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

  /** It may be that nobody needs it any more. */
  checkUse(): void {
    if (this.isUseless) this.#parts.useless(this)
  }

  /** Nothing is delivered and no timer runs from here on. */
  stop(): void {
    this.state.stop()
    this.entrance.stop()
    this.#actions.stop()
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

  moveToDeadLetters(entry: Entry, reason: DeadReason, deadLetterQueue: string): void {
    this.#parts.deadLetter(this, entry, reason, deadLetterQueue)
  }

  /** A message is on disk. */
  committed(entry: Entry): void {
    if (laneOf(entry.id) === DELAYED) {
      this.entrance.delay(entry)
    } else {
      this.state.committed(entry)
      this.ledger.enqueued(entry)
    }
  }

  /** It could not be written. Nobody was told that it is safe, so it must not come up after a restart. */
  failed(entry: Entry): void {
    this.log.remove(entry.id)
    this.state.contents.failed(entry)
    this.entrance.failed(entry)
    this.ledger.failed(entry)
    this.checkUse()
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
}
