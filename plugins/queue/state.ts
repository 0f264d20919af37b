/**
 * The rules of one queue: a state machine. Commands come in as method calls, with the time where it matters; what is to
 * be done about them goes out through `Effects`. It has no clock, no chance and no I/O, so that random histories can be
 * run against it (test/property/queue-state.test.ts). It changes in place: a queue passes 200,000 messages a second.
 *
 * A message is in exactly one place: on disk only (backlog), ready, held by a seat, delayed, or gone.
 */

import type { LogEntry, Settlement } from '../../src/plugin.ts'
import { backoffDelay } from './backoff.ts'
import { Budget } from './budget.ts'
import { ByteCount } from './byte-count.ts'
import { Entry, type Seat } from './consumer.ts'
import { Delayed } from './delayed.ts'
import type { DeadReason, Effects, Limit, ReturnReason, Rules } from './effects.ts'
import { Groups } from './groups.ts'
import { Seats } from './seats.ts'
import { Waiting } from './waiting.ts'

/** Ticks come no closer than this, so that a thousand deadlines in a row are a few ticks. Milliseconds. */
const TICK_MS = 10

/** Read at once where nobody consumes, and what is read may have expired. */
const EXPIRING_MESSAGES = 100

/** PUBACK/PUBREC with one of these: this message will never do (not authorized, topic invalid, payload invalid). */
const REJECTIONS: readonly number[] = [0x87, 0x90, 0x99]

export class QueueState {
  /** Messages in the queue, wherever they are. */
  length = 0
  /** Messages that were written but are not safe yet. */
  uncommitted = 0
  /** Messages that are not in the queue before their delay is over. */
  scheduled = 0
  /** Of all these. */
  readonly bytes = new ByteCount()
  /** Set when the broker stops: nothing is delivered and no time is asked for any more. */
  stopped = false
  /** Nothing is delivered. What consumers have is theirs. Call `pump` when it ends. */
  paused = false
  #rules: Rules
  readonly #effects: Effects
  readonly #seats = new Seats()
  readonly #waiting: Waiting
  readonly #groups = new Groups()
  readonly #delayed = new Delayed()
  readonly #load: (fromId: number, limit: number) => void
  readonly #hungry = (): boolean => this.#seats.hungry
  #wakeAt = Infinity
  #uncommittedBytes = 0
  /** Whether a message that expires has been seen: where none was, nobody looks for those whose time is up. */
  #expiring = false
  /** Whether there may be such messages that nobody has seen, since before a restart. */
  #unseen = false

  /** @param budget memory that it shares with other queues */
  constructor(rules: Rules, effects: Effects, budget = new Budget()) {
    this.#waiting = new Waiting(budget)
    this.#rules = rules
    this.#seats.change(rules.exclusiveConsumer)
    this.#effects = effects
    this.#load = effects.load.bind(effects)
  }

  /** Other rules from now on, for what is in the queue too. */
  change(rules: Rules, now: number): void {
    this.#rules = rules
    this.#seats.change(rules.exclusiveConsumer)
    this.tick(now)
  }

  /** Where messages are: ready in memory and on disk only, set aside for their groups, resting, in consumers' hands. */
  get counts(): { ready: number; backlog: number; aside: number; delayed: number; held: number } {
    const ready = this.#waiting.length
    const backlog = this.#waiting.onDisk
    const aside = this.#groups.length
    const delayed = this.#delayed.length
    return { ready, backlog, aside, delayed, held: this.length - ready - backlog - aside - delayed }
  }

  get seats(): ReadonlySet<Seat> {
    return this.#seats.all
  }

  /** A log was found in the store with so many messages; all of them are read when somebody comes. */
  restore(count: number, firstId: number, nextId: number): void {
    this.length += count
    this.#waiting.restore(count, firstId, nextId)
    this.#unseen = true
    this.bytes.restore(firstId, nextId)
  }

  /**
   * After `restore`, before any seat is attached: the seat's client had this message in hand when the broker ended, and has it
   * still. Returns false when that cannot be.
   */
  resumed(entry: Entry, seat: Seat): boolean {
    if (this.#waiting.extract(entry.id) === undefined) return false
    if (entry.group !== null) this.#groups.occupy(entry)
    this.#hold(entry, seat)
    return true
  }

  /** The limit that one more message of so many bytes would go beyond; null: there is room. */
  limitFor(bytes: number): Limit | null {
    const { maxLength, maxBytes } = this.#rules
    if (this.length + this.uncommitted + this.scheduled >= maxLength) return 'maxLength'
    return this.bytes.total + bytes > maxBytes ? 'maxBytes' : null
  }

  /** A message was written, and is not safe yet. */
  appended(entry: Entry): void {
    this.uncommitted++
    this.#uncommittedBytes += entry.message.payloadLength
    this.bytes.add(entry.message.payloadLength)
  }

  /** It could not be made safe, and is no more. */
  failed(entry: Entry): void {
    this.#safe(entry)
    this.bytes.remove(entry.id, entry.message.payloadLength)
  }

  /** A message is safe on disk, and its delay begins. */
  delayed(entry: Entry): void {
    this.#safe(entry)
    this.scheduled++
  }

  /** Its delay is over: it goes from there, and is appended anew. */
  due({ id, message }: LogEntry): void {
    this.scheduled--
    this.bytes.remove(id, message.payloadLength)
  }

  /** A message is safe on disk. Ids ascend. Nothing is delivered, and nothing gives way to it, before `pump`. */
  committed(entry: Entry): void {
    this.#safe(entry)
    this.length++
    if (entry.message.expiresAt !== 0) this.#expiring = true
    this.#waiting.add(entry, this.#seats.active > 0)
  }

  /** Messages were read from `fromId` on, as asked for with `load`. */
  loaded(fromId: number, found: readonly LogEntry[], now: number): void {
    const missing = this.#waiting.addRead(fromId, found, this.#rules.grouped)
    if (missing > 0) this.#lost(missing, -1, 0)
    this.#expiring ||= found.some(({ message }) => message.expiresAt !== 0)
    this.pump(now)
  }

  /** The store could not read. Call `pump` to try again. */
  loadFailed(fromId: number): void {
    this.#waiting.readFailed(fromId)
    this.#unseen = true
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
      this.#done(entry, seat)
    } else if (settlement === 'lost') {
      this.#comeBack(entry, seat, 'consumer-gone', null)
    } else if (mayDie && REJECTIONS.includes(reasonCode)) {
      this.#die(entry, 'rejected')
    } else {
      // One that is too large for this consumer may not be so for another.
      consumer.late = 0
      entry.dueAt = now + backoffDelay(this.#rules.backoff, entry.deliveries, entry.id)
      this.#comeBack(entry, seat, 'refused', seat)
    }
  }

  /**
   * Take out a message that nobody has, and that is in its place by priority: it is moved elsewhere. Returns whether it was.
   * @param bytes of its payload
   */
  extract(id: number, bytes: number): boolean {
    const entry = this.#waiting.extract(id)
    if (entry === undefined) return this.#extractResting(id)
    if (entry !== null) this.#left(entry)
    else this.#lost(1, id, bytes)
    return true
  }

  /**
   * All that wait are gone, wherever they wait; what consumers have is theirs. Returns how many were gone. What was in
   * memory is told one by one, what was on disk only as ranges of ids.
   */
  purge(gone: (entry: Entry) => void, onDisk: (from: number, to: number) => void): number {
    const before = this.length + this.scheduled
    this.scheduled = 0
    const inMemory = [...this.#groups.clear(), ...this.#delayed.takeAll()]
    this.length -= this.#waiting.onDisk
    for (const entry of inMemory.concat(this.#waiting.clear(onDisk))) {
      entry.gone = true
      gone(entry)
      this.length--
      if (entry.group !== null) this.#groups.left(entry)
    }
    this.bytes.reset(this.heldBytes + this.#uncommittedBytes)
    if (before > 0) this.#checkEmpty()
    return before - this.length
  }

  /** What consumers have is gone, too. */
  takeBack(gone: (entry: Entry) => void): number {
    let count = 0
    for (const seat of this.#seats.all) {
      for (let entry = seat.held.first; entry !== null; entry = seat.held.first) {
        this.#letGo(entry, seat)
        this.#effects.withdraw(entry, seat)
        entry.gone = true
        gone(entry)
        this.#left(entry)
        count++
      }
    }
    return count
  }

  /** Where a message is that is in memory and not ready. */
  find(id: number): { where: 'delivered' | 'resting'; deliveries: number } | null {
    for (const { held } of this.#seats.all) {
      for (let entry = held.first; entry !== null; entry = entry.next) {
        if (entry.id === id) return { where: 'delivered', deliveries: entry.deliveries }
      }
    }
    const resting = this.#delayed.find(id)
    return resting === undefined ? null : { where: 'resting', deliveries: resting.deliveries }
  }

  /** Bytes of payload in consumers' hands. */
  get heldBytes(): number {
    let bytes = 0
    for (const { held } of this.#seats.all) {
      for (let entry = held.first; entry !== null; entry = entry.next) bytes += entry.message.payloadLength
    }
    return bytes
  }

  #extractResting(id: number): boolean {
    const entry = this.#delayed.find(id)
    if (entry === undefined) return false
    entry.gone = true
    this.#delayed.forget()
    this.#left(entry)
    return true
  }

  /** The time that `wake` asked for has come. */
  tick(now: number): void {
    this.#wakeAt = Infinity
    for (let entry = this.#delayed.takeDue(now); entry !== null; entry = this.#delayed.takeDue(now)) {
      entry.dueAt = 0
      this.#waiting.giveBack(entry)
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
    this.#trim()
    if (!this.paused) this.#serve(now)
    if (this.#expiring || this.#unseen) this.#expire(now)
  }

  #serve(now: number): void {
    const seats = this.#seats
    const waiting = this.#waiting
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

  /** The oldest give way as long as there are too many. What consumers have is theirs. */
  #trim(): void {
    if (!this.#rules.dropsOldest) return
    const { maxLength, maxBytes } = this.#rules
    while (this.length + this.scheduled > maxLength || this.bytes.total > maxBytes) {
      const oldest = this.#waiting.takeOldest() ?? this.#groups.takeAny()
      if (oldest === null) return
      if (!(oldest instanceof Entry)) {
        const { backlog } = oldest
        if (!backlog.reading) this.#load(backlog.nextId, backlog.beginRead())
        return
      }
      this.#die(oldest, 'overflow')
    }
  }

  /** What comes first and has expired goes [MQTT-3.3.2-5], whether or not somebody is there who would be given it. */
  #expire(now: number): void {
    const waiting = this.#waiting
    for (let entry = waiting.takeExpired(now); entry !== null; entry = waiting.takeExpired(now))
      this.#die(entry, 'expired')
    this.#wake(Math.max(waiting.nextExpiresAt, now + TICK_MS))
    // After a restart one of each queue has to do: there may be thousands of queues.
    this.#unseen = waiting.loadFirst(this.#load, this.#expiring ? EXPIRING_MESSAGES : 1)
  }

  #take(seat: Seat, now: number): Entry | null {
    const alone = this.#waiting.choosy && this.#seats.isAlone(seat)
    for (;;) {
      const entry = this.#waiting.take(seat, alone, !this.#groups.full)
      if (entry === null) return null
      const { expiresAt } = entry.message
      if (expiresAt !== 0 && expiresAt <= now) {
        this.#die(entry, 'expired')
      } else if (entry.deliveries >= this.#rules.maxDeliveries) {
        // The limit was lowered while it was on disk.
        this.#die(entry, 'max-deliveries')
      } else if (entry.group === null || this.#groups.admits(entry)) {
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
      this.#waiting.giveBack(entry)
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
    else this.#waiting.forget(entry)
    if (rejected) {
      this.#die(entry, 'rejected')
      return
    }
    this.#done(entry, seat)
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

  /** It is no longer on its way to the disk. */
  #safe({ message }: Entry): void {
    this.uncommitted--
    this.#uncommittedBytes -= message.payloadLength
  }

  #done(entry: Entry, seat: Seat): void {
    entry.gone = true
    this.#effects.acknowledged(entry, seat)
    this.#left(entry)
  }

  #die(entry: Entry, reason: DeadReason): void {
    entry.gone = true
    this.#effects.dead(entry, reason)
    this.#left(entry)
  }

  #left(entry: Entry): void {
    const { id, message, group } = entry
    this.length--
    this.bytes.remove(id, message.payloadLength)
    const next = group === null ? null : this.#groups.left(entry)
    if (next !== null) this.#waiting.giveBack(next)
    this.#checkEmpty()
  }

  /** Delayed messages are in it, too. */
  #checkEmpty(): void {
    if (this.length + this.scheduled === 0) this.#effects.emptied()
  }

  /** So many messages are not in the log any more; if it is one that is known, its id and bytes. */
  #lost(count: number, id: number, bytes: number): void {
    this.length -= count
    if (id >= 0) this.bytes.remove(id, bytes)
    if (this.length > 0) return
    if (this.uncommitted + this.scheduled === 0) this.bytes.reset(0)
    this.#checkEmpty()
  }

  #wake(at: number): void {
    if (at >= this.#wakeAt || this.stopped) return
    this.#wakeAt = at
    this.#effects.wake(at)
  }
}
