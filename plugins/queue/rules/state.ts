/**
 * The rules of one queue: a state machine. Commands come in as method calls, with the time where it matters; what is to
 * be done about them goes out through `Effects`. It has no clock, no chance and no I/O, so that random histories can be
 * run against it (test/property/queue-state.test.ts). It changes in place: a queue passes 200,000 messages a second.
 *
 * Here is what delivers: who has room is given what waits. Where messages are is kept by `Contents`.
 */

import type { LogEntry, Settlement } from '../../../src/plugin.ts'
import { Alarm } from './alarm.ts'
import { Budget } from './budget.ts'
import type { Entry, Seat } from './consumer.ts'
import { Contents } from './contents.ts'
import type { Effects, Limit, Rules } from './effects.ts'
import { Eviction } from './eviction.ts'
import { Seats } from './seats.ts'
import { Settlements } from './settlements.ts'

export class QueueState {
  readonly contents: Contents
  /** Nothing is delivered. What consumers have is theirs. Call `pump` when it ends. */
  paused = false
  #stopped = false
  /** The parts below have them, too: they change in place. */
  readonly #rules: Rules
  readonly #effects: Effects
  readonly #seats = new Seats()
  readonly #alarm: Alarm
  readonly #settlements: Settlements
  readonly #eviction: Eviction
  readonly #load: Effects['load']
  readonly #hungry = (): boolean => this.#seats.hungry

  /** @param budget memory that it shares with other queues */
  constructor(rules: Rules, effects: Effects, budget = new Budget()) {
    this.#rules = { ...rules }
    this.#effects = effects
    this.#load = effects.load.bind(effects)
    this.contents = new Contents(effects, budget)
    this.#alarm = new Alarm(effects)
    const shared = { rules: this.#rules, contents: this.contents, alarm: this.#alarm }
    this.#settlements = new Settlements({ ...shared, effects })
    this.#eviction = new Eviction({ ...shared, load: this.#load, starved: () => effects.starved() })
    this.#seats.change(rules.exclusiveConsumer)
  }

  /** Other rules from now on, for what is in the queue too. */
  change(rules: Rules, now: number): void {
    Object.assign(this.#rules, rules)
    this.#seats.change(rules.exclusiveConsumer)
    this.tick(now)
  }

  /** The broker stops, or the queue is no more: nothing is delivered and no time is asked for from here on. */
  stop(): void {
    this.#stopped = true
    this.#alarm.stop()
  }

  get stopped(): boolean {
    return this.#stopped
  }

  get seats(): ReadonlySet<Seat> {
    return this.#seats.all
  }

  /** Where a message is that is in memory and not ready. Looks at all in consumers' hands. */
  find(id: number): { where: 'delivered' | 'resting'; deliveries: number } | null {
    for (const entry of this.#seats.held()) {
      if (entry.id === id) return { where: 'delivered', deliveries: entry.deliveries }
    }
    const resting = this.contents.resting.find(id)
    return resting === undefined ? null : { where: 'resting', deliveries: resting.deliveries }
  }

  /** The limit that one more message of so many bytes would go beyond; null: there is room. */
  limitFor(bytes: number): Limit | null {
    const { maxLength, maxBytes } = this.#rules
    const { length, uncommitted, scheduled, bytes: held } = this.contents
    if (length + uncommitted + scheduled >= maxLength) return 'maxLength'
    return held.total + bytes > maxBytes ? 'maxBytes' : null
  }

  /** A log was found in the store with so many messages; all of them are read when somebody comes. */
  restore(count: number, firstId: number, nextId: number): void {
    this.contents.restore(count, firstId, nextId)
    this.#eviction.unseen()
  }

  /**
   * After `restore`, before any seat is attached: the seat's client had this message in hand when the broker ended, and has it
   * still. Returns false when that cannot be.
   */
  resumed(entry: Entry, seat: Seat): boolean {
    if (this.contents.waiting.extract(entry.id) === undefined) return false
    this.#eviction.saw(entry.message)
    if (entry.group !== null) this.contents.groups.occupy(entry)
    seat.hold(entry)
    return true
  }

  /** A message is safe on disk. Ids ascend. Nothing is delivered, and nothing gives way to it, before `pump`. */
  committed(entry: Entry): void {
    this.#eviction.saw(entry.message)
    this.contents.committed(entry, this.#seats.active > 0)
  }

  /** Messages were read from `fromId` on, as asked for with `load`. */
  loaded(fromId: number, found: readonly LogEntry[], now: number): void {
    const missing = this.contents.waiting.addRead(fromId, found, this.#rules.grouped)
    if (missing > 0) this.contents.missing(missing)
    for (const { message } of found) this.#eviction.saw(message)
    this.pump(now)
  }

  /** The store could not read. Call `pump` to try again. */
  loadFailed(fromId: number): void {
    this.contents.waiting.readFailed(fromId)
    this.#eviction.unseen()
  }

  /** A consumer subscribes; `attached` when it is active. */
  seat(seat: Seat): void {
    this.#seats.all.add(seat)
  }

  /** A seat's consumer has become active. What it still held from before has all the time again. */
  attached(seat: Seat, now: number): void {
    for (let entry = seat.held.first; entry !== null; entry = entry.next) entry.since = now
    if (seat.held.length > 0) this.#alarm.set(now + this.#rules.ackTimeoutMs)
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
    this.#settlements.leave(seat)
  }

  /** A seat's consumer has room again: it is served last. */
  makeRoom(seat: Seat): void {
    this.#seats.makeRoom(seat)
  }

  /** A client has settled a message, or its outbox has. */
  settled(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number, now: number): void {
    if (entry.holder === seat) this.#settlements.inTime(seat, entry, settlement, reasonCode, now)
    else this.#settlements.late(seat, entry, settlement, reasonCode)
    seat.consumer.resume(now)
    this.pump(now)
  }

  /** All that wait are gone; what consumers have is theirs. As Contents.purge(). */
  purge(gone: (entry: Entry) => void, onDisk: (from: number, to: number) => void): number {
    let heldBytes = 0
    for (const { message } of this.#seats.held()) heldBytes += message.payloadLength
    return this.contents.purge(heldBytes, gone, onDisk)
  }

  /** What consumers have is gone, too. Returns how many messages that were. */
  takeBack(gone: (entry: Entry) => void): number {
    let count = 0
    for (const seat of this.#seats.all) count += this.#settlements.takeBack(seat, gone)
    return count
  }

  /** The time that `wake` asked for has come. */
  tick(now: number): void {
    const { resting, waiting } = this.contents
    this.#alarm.rang()
    for (let entry = resting.takeDue(now); entry !== null; entry = resting.takeDue(now)) {
      entry.dueAt = 0
      waiting.giveBack(entry)
    }
    let next = resting.nextDueAt
    for (const seat of this.#seats.all) {
      if (!seat.consumer.active) continue
      this.#settlements.timeOut(seat, now)
      if (seat.held.first !== null) next = Math.min(next, seat.held.first.since + this.#rules.ackTimeoutMs)
    }
    this.#alarm.setAfter(now, next)
    // Others first: what timed out is theirs. Then those at which it did, for they have room again.
    this.pump(now)
    for (const seat of this.#seats.all) if (seat.consumer.late > 0) seat.consumer.resume(now)
  }

  /** Deliver what can be delivered, to consumers with room in turn; read more when memory runs low. */
  pump(now: number): void {
    if (this.#stopped) return
    this.#eviction.trim()
    if (!this.paused) this.#serve(now)
    this.#eviction.expire(now)
  }

  #serve(now: number): void {
    const seats = this.#seats
    const { waiting } = this.contents
    let unserved = 0
    while (waiting.length > 0 && unserved < seats.inTurn) {
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
    if (seats.active > 0 && waiting.load(this.#load, this.#hungry)) this.#effects.starved()
  }

  #take(seat: Seat, now: number): Entry | null {
    const { waiting, groups } = this.contents
    const alone = waiting.choosy && this.#seats.isAlone(seat)
    for (;;) {
      const entry = waiting.take(seat, alone, !groups.full)
      if (entry === null) return null
      const { expiresAt } = entry.message
      if (expiresAt !== 0 && expiresAt <= now) {
        this.contents.die(entry, 'expired')
      } else if (entry.deliveries >= this.#rules.maxDeliveries) {
        // The limit was lowered while it was on disk.
        this.contents.die(entry, 'max-deliveries')
      } else if (entry.group === null || groups.admits(entry)) {
        return entry
      }
    }
  }

  #deliver(entry: Entry, seat: Seat, now: number): void {
    entry.avoid = null
    entry.since = now
    seat.hold(entry)
    this.#seats.served(seat)
    this.#effects.deliver(entry, seat)
    this.#alarm.set(now + this.#rules.ackTimeoutMs)
  }
}
