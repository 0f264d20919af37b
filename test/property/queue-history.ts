/** One queue's state machine under random commands, its effects carried out in a model, and the model checked. */

import assert from 'node:assert/strict'
import { Consumer, Entry, Seat, type SeatOwner } from '../../plugins/queue/consumer.ts'
import type { DeadReason, Effects, ReturnReason } from '../../plugins/queue/effects.ts'
import { QueueState } from '../../plugins/queue/state.ts'
import { type LogEntry, Message, type SessionView, type Settlement } from '../../src/plugin.ts'

export interface Step {
  kind:
    | 'enqueue'
    | 'enqueue-expiring'
    | 'append'
    | 'join'
    | 'leave'
    | 'attach'
    | 'detach'
    | 'acknowledge'
    | 'refuse'
    | 'reject'
    | 'undeliverable'
    | 'wait'
    | 'read'
    | 'restart'
  a: number
  b: number
}

const ACK_TIMEOUT_MS = 200

interface Handed {
  entry: Entry
  seat: Seat
}

export class QueueHistory implements Effects, SeatOwner {
  readonly delivered: number[] = []
  readonly #maxDeliveries: number
  #state: QueueState
  #now = 1_000_000
  #wakeAt = Infinity
  #nextId = 1
  #clients = 0
  /** What was written. */
  readonly #log = new Map<number, LogEntry>()
  /** Of these, what is not known to be on disk. */
  readonly #uncommitted = new Set<number>()
  readonly #holders = new Map<number, Seat>()
  readonly #entries = new Map<number, Entry>()
  /** Who let a message's time run out, or refused it: somebody else is to have it, if there is somebody. */
  readonly #avoid = new Map<number, SessionView>()
  /** What clients have and have not settled, timed out or not. */
  #handed: Handed[] = []
  #seats: Seat[] = []
  #read: { fromId: number; limit: number } | null = null

  constructor({ maxDeliveries }: { maxDeliveries: number }) {
    this.#maxDeliveries = maxDeliveries
    this.#state = this.#open()
  }

  get waiting(): number {
    return this.#log.size
  }

  run({ kind, a, b }: Step): void {
    const seat = this.#seats[a % Math.max(1, this.#seats.length)]
    const handed = this.#handed[a % Math.max(1, this.#handed.length)]
    if (kind === 'enqueue') this.enqueue(b % 10 === 0 ? a % 300 : a % 8, 0)
    else if (kind === 'enqueue-expiring') this.enqueue(a % 5, this.#now + (b % 2000))
    else if (kind === 'append') this.#append(a % 8, 0)
    else if (kind === 'join') this.join(1 + (a % 5), b % 3)
    else if (kind === 'wait') this.#wait(b % 2 === 0 ? a : a % 50)
    else if (kind === 'read') this.#answerRead()
    else if (kind === 'restart') this.#restart()
    else if (seat !== undefined && kind === 'leave') this.#leave(seat)
    else if (seat !== undefined && kind === 'attach') this.#attach(seat)
    else if (seat !== undefined && kind === 'detach') this.#detach(seat)
    else if (handed !== undefined && kind === 'acknowledge') this.#settle(handed, 'acknowledged', 0)
    else if (handed !== undefined && kind === 'refuse') this.#settle(handed, 'refused', 0x97)
    else if (handed !== undefined && kind === 'reject') this.#settle(handed, 'refused', 0x99)
    else if (handed !== undefined && kind === 'undeliverable') this.#settle(handed, 'undeliverable', 0x95)
  }

  /** Messages that are safe at once, and with them those before them. */
  enqueue(count: number, expiresAt: number): void {
    this.#append(count, expiresAt)
    for (const id of this.#uncommitted) this.#state.committed(this.#entries.get(id)!)
    this.#uncommitted.clear()
    this.#state.pump(this.#now)
  }

  join(prefetch: number, qos: number): void {
    const session = { clientId: `c${this.#clients++}` } as SessionView
    const seat = new Seat(new Consumer(session, 'queue/q', prefetch), this)
    seat.consumer.qos = qos as 0 | 1 | 2
    this.#seats.push(seat)
    this.#state.seat(seat)
    this.#attach(seat)
  }

  heldByConsumer(): number[] {
    return this.#seats.map((seat) => seat.consumer.held)
  }

  /** A consumer that acknowledges everything at once, until nothing is left. */
  drain(): void {
    for (const seat of this.#seats) this.#attach(seat)
    this.join(10, 1)
    this.enqueue(0, 0)
    for (let round = 0; this.#log.size > 0 && round < 10_000; round++) {
      this.#answerRead()
      while (this.#handed.length > 0) this.#settle(this.#handed[0]!, 'acknowledged', 0)
      this.#wait(100)
    }
  }

  /** What holds between any two commands. */
  check(): void {
    const { ready, held, delayed, backlog } = this.#state.counts
    assert.equal(ready + held + delayed + backlog, this.#log.size - this.#uncommitted.size)
    assert.equal(held, this.#holders.size)
    assert(Math.min(ready, held, delayed, backlog) >= 0)
    let due = Infinity
    for (const [id, seat] of this.#holders) {
      const entry = this.#entries.get(id)!
      assert.equal(entry.holder, seat)
      if (seat.consumer.active) due = Math.min(due, entry.since + ACK_TIMEOUT_MS)
    }
    for (const id of this.#log.keys()) {
      const { dueAt } = this.#entries.get(id)!
      if (dueAt > 0) due = Math.min(due, dueAt)
    }
    // Nothing is due, and what will be has its alarm (ticks may be 10 ms apart).
    assert(due > this.#now - 10)
    assert(due === Infinity || this.#wakeAt <= Math.max(due, this.#now + 10))
    for (const { consumer, held: own } of this.#seats) {
      assert.equal(consumer.held, own.length)
      assert(consumer.held <= consumer.prefetch)
      if (consumer.hasRoom && this.#read === null) assert.equal(this.#firstFor(consumer.session), Infinity)
    }
  }

  // Effects.

  deliver(entry: Entry, seat: Seat): void {
    const { id, message } = entry
    assert(this.#log.has(id) && !this.#uncommitted.has(id))
    assert(!this.#holders.has(id))
    assert(seat.consumer.active)
    assert(entry.deliveries <= this.#maxDeliveries)
    if (message.expiresAt !== 0) assert(message.expiresAt > this.#now)
    this.#entries.set(id, entry)
    this.#holders.set(id, seat)
    if (this.#avoid.get(id) === seat.consumer.session) assert(!this.#othersThan(seat.consumer.session))
    this.#avoid.delete(id)
    assert(this.#firstFor(seat.consumer.session) > id)
    this.#handed.push({ entry, seat })
    this.delivered.push(id)
  }

  withdraw({ id }: Entry, seat: Seat): void {
    assert.equal(this.#holders.get(id), seat)
    this.#holders.delete(id)
  }

  acknowledged({ id }: Entry): void {
    this.#remove(id)
  }

  returned({ id, deliveries }: Entry, seat: Seat, reason: ReturnReason): void {
    this.#holders.delete(id)
    if (reason !== 'consumer-gone') this.#avoid.set(id, seat.consumer.session)
    this.#log.get(id)!.mark = deliveries
  }

  dead(entry: Entry, reason: DeadReason): void {
    assert(this.#maxDeliveries < Infinity)
    if (reason === 'max-deliveries') assert.equal(entry.deliveries, this.#maxDeliveries)
    this.#remove(entry.id)
  }

  expired({ id, message }: Entry): void {
    assert(message.expiresAt <= this.#now)
    this.#remove(id)
  }

  emptied(): void {
    assert.equal(this.#log.size, this.#uncommitted.size)
  }

  load(fromId: number, limit: number): void {
    assert.equal(this.#read, null)
    this.#read = { fromId, limit }
  }

  wake(at: number): void {
    this.#wakeAt = at
  }

  // The queue as its seats see it.

  settled(): void {
    throw new Error('the history settles')
  }

  roomFor(seat: Seat, now: number): void {
    this.#state.makeRoom(seat)
    this.#state.pump(now)
  }

  attach(): void {}
  detach(): void {}
  unseat(): void {}
  pump(): void {}

  // Commands.

  /** Messages that are written, but not safe yet. */
  #append(count: number, expiresAt: number): void {
    for (let i = 0; i < count; i++) {
      const id = this.#nextId++
      const message = Message.of({ topic: 'queue/q', payload: Buffer.from(String(id)), expiresAt })
      this.#log.set(id, { id, mark: 0, message, qos: 1, retain: false, identifiers: null })
      this.#entries.set(id, new Entry(id, message, 0))
      this.#uncommitted.add(id)
    }
  }

  #open(): QueueState {
    const backoff = { initial: 100, max: 3000 }
    return new QueueState({ ackTimeoutMs: ACK_TIMEOUT_MS, backoff, maxDeliveries: this.#maxDeliveries }, this)
  }

  /** The process was killed and is back: all that is left is the log, and what consumers at QoS 2 had in hand. */
  #restart(): void {
    const kept = this.#seats.filter(({ consumer }) => consumer.qos === 2)
    const inHand = kept.map((seat) => [...this.#holders].filter(([, holder]) => holder === seat).map(([id]) => id))
    this.#seats = []
    this.#handed = []
    this.#holders.clear()
    this.#avoid.clear()
    this.#uncommitted.clear() // they were written after all
    this.#read = null
    this.#wakeAt = Infinity
    for (const { id, message, mark } of this.#log.values()) this.#entries.set(id, new Entry(id, message, mark))
    this.#state = this.#open()
    const firstId = Math.min(...this.#log.keys())
    if (this.#log.size > 0) this.#state.restore(this.#log.size, firstId, this.#nextId)
    for (const [i, { consumer }] of kept.entries()) this.#resume(consumer, inHand[i]!)
  }

  /** A consumer whose session is kept has what it had. */
  #resume({ session, filter, prefetch }: Consumer, inHand: readonly number[]): void {
    const seat = new Seat(new Consumer(session, filter, prefetch), this)
    seat.consumer.qos = 2
    this.#seats.push(seat)
    this.#state.seat(seat)
    for (const id of inHand) {
      const entry = this.#entries.get(id)!
      assert(this.#state.resumed(entry, seat))
      this.#holders.set(id, seat)
      this.#handed.push({ entry, seat })
    }
  }

  #attach(seat: Seat): void {
    if (seat.consumer.active) return
    seat.consumer.active = true
    this.#state.attached(seat, this.#now)
  }

  #detach(seat: Seat): void {
    if (!seat.consumer.active) return
    seat.consumer.active = false
    seat.consumer.late = 0
    this.#state.detached(seat)
    if (seat.consumer.qos < 2) {
      for (const handed of this.#handed.filter((one) => one.seat === seat)) this.#settle(handed, 'lost', 0)
    }
    this.#state.pump(this.#now)
  }

  #leave(seat: Seat): void {
    this.#detach(seat)
    this.#seats = this.#seats.filter((other) => other !== seat)
    this.#state.unseat(seat)
    this.#state.pump(this.#now)
  }

  #settle(handed: Handed, settlement: Settlement, reasonCode: number): void {
    const { entry, seat } = handed
    if (!seat.consumer.active && settlement !== 'lost' && this.#seats.includes(seat)) return // it is not there to say so
    this.#handed = this.#handed.filter((other) => other !== handed)
    this.#state.settled(seat, entry, settlement, reasonCode, this.#now)
  }

  #wait(ms: number): void {
    const until = this.#now + ms
    while (this.#wakeAt <= until) {
      this.#now = Math.max(this.#now, this.#wakeAt)
      this.#wakeAt = Infinity
      this.#state.tick(this.#now)
    }
    this.#now = until
  }

  #answerRead(): void {
    if (this.#read === null) return
    const { fromId, limit } = this.#read
    this.#read = null
    const found = [...this.#log.values()].filter(({ id }) => id >= fromId).slice(0, limit)
    this.#state.loaded(found, this.#now)
  }

  #remove(id: number): void {
    assert(this.#log.delete(id))
    this.#holders.delete(id)
  }

  /** The first message that this session could be given now. */
  #firstFor(session: SessionView): number {
    const others = this.#othersThan(session)
    for (const id of this.#log.keys()) {
      if (this.#entries.get(id)!.dueAt > 0 || this.#holders.has(id) || this.#uncommitted.has(id)) continue
      if (this.#avoid.get(id) !== session || !others) return id
    }
    return Infinity
  }

  #othersThan(session: SessionView): boolean {
    return this.#seats.some(({ consumer }) => consumer.active && consumer.session !== session)
  }
}
