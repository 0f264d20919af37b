/**
 * The rules of one queue: a state machine. Commands come in as method calls, with the time where it matters; what is to
 * be done about them goes out through `Effects`. It has no clock, no chance and no I/O, so that random histories can be
 * run against it (test/property/queue-state.test.ts). It changes in place: a queue passes 200,000 messages a second.
 *
 * A message is in exactly one place: on disk only (backlog), ready, held by a seat, delayed, or gone.
 */

import type { LogEntry, Settlement } from '../../src/plugin.ts'
import { backoffDelay } from './backoff.ts'
import type { Entry, Seat } from './consumer.ts'
import { Delayed } from './delayed.ts'
import type { DeadReason, Effects, ReturnReason, Rules } from './effects.ts'
import { Ready } from './ready.ts'
import { Seats } from './seats.ts'

/** Ticks come no closer than this, so that a thousand deadlines in a row are a few ticks. Milliseconds. */
const TICK_MS = 10

/** PUBACK/PUBREC with one of these: this message will never do (not authorized, topic invalid, payload invalid). */
const REJECTIONS: readonly number[] = [0x87, 0x90, 0x99]

export class QueueState {
  /** Messages in the queue, wherever they are. */
  length = 0
  /** Set when the broker stops: nothing is delivered and no time is asked for any more. */
  stopped = false
  readonly #rules: Rules
  readonly #effects: Effects
  readonly #seats = new Seats()
  readonly #ready = new Ready()
  readonly #delayed = new Delayed()
  #wakeAt = Infinity

  constructor(rules: Rules, effects: Effects) {
    this.#rules = rules
    this.#effects = effects
  }

  get counts(): { ready: number; delayed: number; backlog: number; held: number } {
    const ready = this.#ready.length
    const delayed = this.#delayed.length
    const backlog = this.#ready.backlog.length
    return { ready, delayed, backlog, held: this.length - ready - delayed - backlog }
  }

  get seats(): ReadonlySet<Seat> {
    return this.#seats.all
  }

  /** The log was found in the store with so many messages; all of them are read when somebody comes. */
  restore(count: number, firstId: number, nextId: number): void {
    this.length = count
    this.#ready.backlog.restore(count, firstId, nextId)
  }

  /**
   * After `restore`, before any seat is attached: the seat's client had this message in hand when the broker ended, and has it
   * still. Returns false when that cannot be.
   */
  resumed(entry: Entry, seat: Seat): boolean {
    if (!this.#ready.backlog.claim(entry.id)) return false
    this.#hold(entry, seat)
    return true
  }

  /** A message is safe on disk. Ids ascend. Nothing is delivered before `pump`. */
  committed(entry: Entry): void {
    this.length++
    this.#ready.add(entry, this.#seats.active > 0)
  }

  /** Messages were read, as asked for with `load`. */
  loaded(found: readonly LogEntry[], now: number): void {
    const missing = this.#ready.addRead(found)
    if (missing > 0) this.#left(missing)
    this.pump(now)
  }

  /** The store could not read. Call `pump` to try again. */
  loadFailed(): void {
    this.#ready.backlog.reading = false
  }

  /** A consumer subscribes; `attached` when it is active. */
  seat(seat: Seat): void {
    this.#seats.all.add(seat)
  }

  /** A seat's consumer has become active. What it still held from before has all the time again. */
  attached(seat: Seat, now: number): void {
    for (let entry = seat.held.first; entry !== null; entry = entry.next) entry.since = now
    if (seat.held.length > 0) this.#wake(now + this.#rules.ackTimeoutMs)
    this.#seats.activate(seat)
    this.pump(now)
  }

  /**
   * A seat's consumer is no longer active. What it holds stays with it: lost messages are told as such, and those of a
   * QoS 2 session wait for it, however long. Call `pump` when every seat of the session is detached.
   */
  detached(seat: Seat): void {
    this.#seats.deactivate(seat)
  }

  /** A seat, detached if it was attached, is no more. What it held goes back. Call `pump` afterwards. */
  unseat(seat: Seat): void {
    this.#seats.all.delete(seat)
    for (let entry = seat.held.first; entry !== null; entry = seat.held.first) {
      this.#letGo(entry, seat)
      this.#effects.withdraw(entry, seat)
      this.#comeBack(entry, seat, 'consumer-gone', null)
    }
  }

  /** A seat's consumer has room again: it is served last. */
  makeRoom(seat: Seat): void {
    this.#seats.makeRoom(seat)
  }

  /** A client has settled a message, or its outbox has. */
  settled(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number, now: number): void {
    if (entry.holder === seat) this.#settledInTime(seat, entry, settlement, reasonCode, now)
    else this.#settledLate(seat, entry, settlement, reasonCode)
    seat.consumer.resume(now)
    this.pump(now)
  }

  #settledInTime(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number, now: number): void {
    const { consumer } = seat
    const mayDie = this.#rules.maxDeliveries < Infinity
    this.#letGo(entry, seat)
    if (settlement === 'acknowledged') {
      consumer.late = 0
      entry.gone = true
      this.#effects.acknowledged(entry, seat)
      this.#left(1)
    } else if (settlement === 'lost') {
      this.#comeBack(entry, seat, 'consumer-gone', null)
    } else if (mayDie && settlement === 'undeliverable') {
      this.#die(entry, 'undeliverable')
    } else if (mayDie && REJECTIONS.includes(reasonCode)) {
      this.#die(entry, 'rejected')
    } else {
      consumer.late = 0
      entry.dueAt = now + backoffDelay(this.#rules.backoff, entry.deliveries, entry.id)
      this.#comeBack(entry, seat, 'refused', seat)
    }
  }

  /** The time that `wake` asked for has come. */
  tick(now: number): void {
    this.#wakeAt = Infinity
    for (let entry = this.#delayed.takeDue(now); entry !== null; entry = this.#delayed.takeDue(now)) {
      entry.dueAt = 0
      this.#ready.giveBack(entry)
    }
    let next = this.#delayed.nextDueAt
    for (const seat of this.#seats.all) {
      if (!seat.consumer.active) continue
      this.#timeOut(seat, now)
      if (seat.held.first !== null) next = Math.min(next, seat.held.first.since + this.#rules.ackTimeoutMs)
    }
    if (next < Infinity) this.#wake(Math.max(next, now + TICK_MS))
    // Others first: what timed out is theirs. Then those at which it did, for they have room again.
    this.pump(now)
    for (const seat of this.#seats.all) if (seat.consumer.late > 0) seat.consumer.resume(now)
  }

  /** Deliver what can be delivered, to consumers with room in turn; read more when memory runs low. */
  pump(now: number): void {
    if (this.stopped) return
    const seats = this.#seats
    const ready = this.#ready
    let unserved = 0
    while (ready.length > 0 && unserved < seats.inTurn) {
      const seat = seats.next()
      if (seat === null) break
      const entry = this.#take(seat, now)
      if (entry === null) {
        // What is left is for others, who have no room now and are served when they do.
        seats.unserved(seat)
        unserved++
      } else {
        unserved = 0
        this.#deliver(entry, seat, now)
      }
    }
    if (seats.active > 0 && ready.wantsRead) this.#effects.load(ready.backlog.nextId, ready.backlog.beginRead())
  }

  #take(seat: Seat, now: number): Entry | null {
    const alone = this.#ready.choosy && this.#seats.isAlone(seat)
    for (;;) {
      const entry = this.#ready.take(seat, alone)
      if (entry === null) return null
      const { expiresAt } = entry.message
      if (expiresAt !== 0 && expiresAt <= now) {
        entry.gone = true
        this.#effects.expired(entry)
        this.#left(1)
      } else if (entry.deliveries >= this.#rules.maxDeliveries) {
        // The limit was lowered while it was on disk.
        this.#die(entry, 'max-deliveries')
      } else {
        return entry
      }
    }
  }

  #deliver(entry: Entry, seat: Seat, now: number): void {
    entry.avoid = null
    entry.since = now
    this.#hold(entry, seat)
    this.#seats.served(seat)
    this.#effects.deliver(entry, seat)
    this.#wake(now + this.#rules.ackTimeoutMs)
  }

  #hold(entry: Entry, seat: Seat): void {
    entry.deliveries++
    entry.holder = seat
    seat.held.push(entry)
    seat.consumer.held++
  }

  #letGo(entry: Entry, seat: Seat): void {
    seat.held.remove(entry)
    seat.consumer.held--
    entry.holder = null
  }

  /** What was held comes back: to be delivered again, after its backoff if it has one, or it was the last time. */
  #comeBack(entry: Entry, seat: Seat, reason: ReturnReason, avoid: Seat | null): void {
    if (entry.deliveries >= this.#rules.maxDeliveries) {
      this.#die(entry, 'max-deliveries')
      return
    }
    this.#effects.returned(entry, seat, reason)
    entry.avoid = avoid
    if (entry.dueAt === 0) {
      this.#ready.giveBack(entry)
    } else {
      this.#delayed.push(entry)
      this.#wake(entry.dueAt)
    }
  }

  /** It timed out, or its consumer unsubscribed, and the client answers all the same: that counts if nobody has it. */
  #settledLate(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number): void {
    if (seat.consumer.late > 0) seat.consumer.late--
    if (entry.gone || entry.holder !== null) return
    const mayDie = this.#rules.maxDeliveries < Infinity
    const rejected = mayDie && settlement === 'refused' && REJECTIONS.includes(reasonCode)
    if (settlement !== 'acknowledged' && !rejected) return
    if (entry.dueAt > 0) this.#delayed.forget()
    else this.#ready.forget()
    if (rejected) {
      this.#die(entry, 'rejected')
      return
    }
    entry.gone = true
    this.#effects.acknowledged(entry, seat)
    this.#left(1)
  }

  #timeOut(seat: Seat, now: number): void {
    const deadline = now - this.#rules.ackTimeoutMs
    for (let entry = seat.held.first; entry !== null && entry.since <= deadline; entry = seat.held.first) {
      this.#letGo(entry, seat)
      seat.consumer.late++
      this.#effects.withdraw(entry, seat)
      this.#comeBack(entry, seat, 'timeout', seat)
    }
  }

  #die(entry: Entry, reason: DeadReason): void {
    entry.gone = true
    this.#effects.dead(entry, reason)
    this.#left(1)
  }

  #left(count: number): void {
    this.length -= count
    if (this.length === 0) this.#effects.emptied()
  }

  #wake(at: number): void {
    if (at >= this.#wakeAt || this.stopped) return
    this.#wakeAt = at
    this.#effects.wake(at)
  }
}
