/** What the rules of a queue want done: in the store, at the outboxes of consumers, by the clock. Each is also in the ledger. */

import type { PluginContext, Timer } from '../../src/plugin.ts'
import type { Ledger } from './ledger.ts'
import type { QueueOptions } from './options.ts'
import type { DeliveryProperties } from './properties.ts'
import type { QueueLog } from './records/queue-log.ts'
import type { Budget, Starved } from './rules/budget.ts'
import type { Entry, Seat } from './rules/consumer.ts'
import type { DeadReason, Effects, ReturnReason } from './rules/effects.ts'
import type { QueueState } from './rules/state.ts'

/** How long to wait when the store could not read. */
const READ_AGAIN_MS = 1000

/** The queue that this is done for. */
export interface ActingQueue extends Starved {
  readonly name: string
  readonly log: QueueLog
  readonly ledger: Ledger
  readonly state: QueueState
  /** The queue for dead letters, and for what has expired; null: they are dropped. */
  readonly deadLetterQueue: string | null
  readonly expiredQueue: string | null
  moveToDeadLetters(entry: Entry, reason: DeadReason, deadLetterQueue: string): void
  /** It may be that nobody needs it any more. */
  checkUse(): void
}

export class Actions implements Effects {
  readonly #queue: ActingQueue
  readonly #context: PluginContext<QueueOptions>
  readonly #properties: DeliveryProperties
  readonly #budget: Budget
  #timer: Timer | null = null
  #readTimer: Timer | null = null

  // Not in one object, which would stay: there may be a hundred thousand queues.
  constructor(
    queue: ActingQueue,
    context: PluginContext<QueueOptions>,
    properties: DeliveryProperties,
    budget: Budget,
  ) {
    this.#queue = queue
    this.#context = context
    this.#properties = properties
    this.#budget = budget
  }

  /** No timer runs from here on. */
  stop(): void {
    this.#timer?.cancel()
    this.#readTimer?.cancel()
    this.#budget.forget(this.#queue)
  }

  deliver(entry: Entry, seat: Seat): void {
    const { client, session } = seat.consumer
    const { qos, identifiers } = client.termsAt(seat)
    const properties = session.protocolVersion === 5 ? this.#properties.of(entry) : null
    session.outbox.deliver({
      message: entry.message,
      qos,
      retain: false,
      identifiers,
      properties,
      receiver: seat,
      token: entry,
      reference: entry.id,
    })
    this.#queue.ledger.delivered(entry, seat)
  }

  withdraw(entry: Entry, seat: Seat): void {
    seat.consumer.session.outbox.withdraw(seat, entry)
  }

  acknowledged(entry: Entry, seat: Seat): void {
    this.#queue.log.remove(entry.id)
    this.#queue.ledger.acknowledged(entry, seat)
  }

  returned(entry: Entry, seat: Seat, reason: ReturnReason): void {
    this.#queue.log.mark(entry.id, entry.deliveries)
    this.#queue.ledger.returned(entry, seat, reason)
  }

  dead(entry: Entry, reason: DeadReason): void {
    const { deadLetterQueue, expiredQueue } = this.#queue
    const target = reason === 'expired' ? expiredQueue : deadLetterQueue
    if (target === null) {
      this.#queue.log.remove(entry.id)
      this.#queue.ledger.dropped(entry, reason)
    } else {
      this.#queue.ledger.dead(entry, reason)
      this.#queue.moveToDeadLetters(entry, reason, target)
    }
  }

  emptied(): void {
    const { events } = this.#context
    if (events.wants('queue.emptied')) events.emit('queue.emptied', { queue: this.#queue.name })
    this.#queue.checkUse()
  }

  load(fromId: number, limit: number): void {
    const { clock } = this.#context
    this.#queue.log
      .read(fromId, limit)
      .then((found) => this.#queue.state.loaded(fromId, found, clock.now()))
      .catch((error: unknown) => this.#loadFailed(fromId, error))
      .finally(() => this.#budget.feed())
  }

  #loadFailed(fromId: number, error: unknown): void {
    const { clock, log } = this.#context
    const { name, state } = this.#queue
    log.error({ err: error, queue: name }, 'the messages of a queue could not be read; trying again')
    state.loadFailed(fromId)
    if (!state.stopped) this.#readTimer = clock.after(READ_AGAIN_MS, () => this.#queue.pump())
  }

  starved(): void {
    this.#budget.starve(this.#queue)
  }

  wake(at: number): void {
    const { clock } = this.#context
    this.#timer?.cancel()
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => this.#queue.state.tick(clock.now()))
  }
}
