/** One queue's state machine under random commands, its effects carried out in a model, and the model checked. */

import assert from 'node:assert/strict'
import { groupOf } from '../../plugins/queue/records/instructions.ts'
import { firstIdOf, laneOf } from '../../plugins/queue/records/queue-log.ts'
import { Budget } from '../../plugins/queue/rules/budget.ts'
import { Client, Consumer, Entry, Seat, type SeatOwner } from '../../plugins/queue/rules/consumer.ts'
import type { DeadReason, Effects, ReturnReason } from '../../plugins/queue/rules/effects.ts'
import { QueueState } from '../../plugins/queue/rules/state.ts'
import { type LogEntry, Message, type SessionView, type Settlement, userProperties } from '../../src/plugin.ts'

export interface Step {
  kind:
    | 'enqueue'
    | 'enqueue-expiring'
    | 'append'
    | 'enqueue-priority'
    | 'enqueue-group'
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

export interface HistoryRules {
  maxDeliveries: number
  maxLength?: number
  exclusive?: boolean
  /** Bytes of memory for what waits. */
  memory?: number
}

interface Handed {
  entry: Entry
  seat: Seat
}

export class QueueHistory implements Effects, SeatOwner {
  readonly topic = 'queue/q'
  readonly delivered: number[] = []
  readonly #maxDeliveries: number
  readonly #maxLength: number
  readonly #exclusive: boolean
  readonly #memory: number
  #budget = new Budget()
  /** Who is served where one is at a time. */
  #owner: Seat | null = null
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
  /** Delivered since the start, and still in the queue. */
  readonly #touched = new Set<number>()
  /** Who let a message's time run out, or refused it: somebody else is to have it, if there is somebody. */
  readonly #avoid = new Map<number, SessionView>()
  /** What clients have and have not settled, timed out or not. */
  #handed: Handed[] = []
  #seats: Seat[] = []
  /** Reads that are under way, by lane. */
  readonly #reads = new Map<number, { fromId: number; limit: number }>()

  constructor({ maxDeliveries, maxLength = Infinity, exclusive = false, memory = 1e8 }: HistoryRules) {
    this.#memory = memory
    this.#exclusive = exclusive
    this.#maxDeliveries = maxDeliveries
    this.#maxLength = maxLength
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
    else if (kind === 'enqueue-priority') this.enqueue(a % 8, 0, b % 10)
    else if (kind === 'enqueue-group') this.enqueue(a % 8, 0, b % 4 === 0 ? 9 : 0, `g${b % 3}`)
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
  enqueue(count: number, expiresAt: number, lane = 0, group: string | null = null): void {
    this.#append(count, expiresAt, lane, group)
    for (const id of this.#uncommitted) this.#state.committed(this.#entries.get(id)!)
    this.#uncommitted.clear()
    this.#state.pump(this.#now)
  }

  join(prefetch: number, qos: number): void {
    const session = { clientId: `c${this.#clients++}` } as SessionView
    const seat = new Seat(new Consumer(new Client(session), 'queue/q', prefetch), this)
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
    const { ready, held, resting, backlog, aside } = this.#state.contents.counts
    assert.equal(ready + held + resting + backlog + aside, this.#log.size - this.#uncommitted.size)
    assert.equal(this.#state.contents.uncommitted, this.#uncommitted.size)
    const room = this.#state.limitFor(0) === null
    assert.equal(room, this.#log.size < this.#maxLength)
    // What waits gives way to what is new; what is in hand, or rests, does not. What is on disk is read first.
    if (this.#reads.size === 0 && ready + backlog + aside > 0) assert(this.#state.contents.length <= this.#maxLength)
    assert.equal(held, this.#holders.size)
    if (this.#reads.size === 0) this.#checkMemory()
    assert(Math.min(ready, held, resting, backlog, aside) >= 0)
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
    if (this.#reads.size === 0) due = Math.min(due, this.#nextExpiry())
    // Nothing is due, and what will be has its alarm (ticks may be 10 ms apart).
    assert(due > this.#now - 10)
    assert(due === Infinity || this.#wakeAt <= Math.max(due, this.#now + 10))
    for (const { consumer, held: own } of this.#seats) {
      assert.equal(consumer.held, own.length)
      assert(consumer.held <= consumer.prefetch)
      if (!consumer.hasRoom || this.#reads.size > 0 || !this.#serves(consumer)) continue
      assert.equal(this.#firstFor(consumer.session), Infinity)
      this.#checkGroups(consumer.session)
    }
  }

  // Effects.

  starved(): void {
    assert.fail('a queue that is alone is never kept waiting')
  }

  deliver(entry: Entry, seat: Seat): void {
    const { id, message } = entry
    assert(this.#log.has(id) && !this.#uncommitted.has(id))
    assert(!this.#holders.has(id))
    assert(seat.consumer.active)
    assert(this.#serves(seat.consumer))
    assert(entry.deliveries <= this.#maxDeliveries)
    if (message.expiresAt !== 0) assert(message.expiresAt > this.#now)
    this.#entries.set(id, entry)
    this.#holders.set(id, seat)
    if (this.#avoid.get(id) === seat.consumer.session) assert(!this.#othersThan(seat.consumer.session))
    this.#avoid.delete(id)
    if (entry.group === null) assert(this.#firstFor(seat.consumer.session) > rank(id))
    else this.#checkTurn(entry)
    this.#touched.add(id)
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
    if (reason === 'overflow') {
      assert(this.#state.contents.length > this.#maxLength)
      if (entry.group === null) assert.equal(entry.id, this.#oldest())
    } else if (reason === 'expired') assert(entry.message.expiresAt <= this.#now)
    else assert(this.#maxDeliveries < Infinity)
    if (reason === 'max-deliveries') assert.equal(entry.deliveries, this.#maxDeliveries)
    this.#remove(entry.id)
  }

  emptied(): void {
    assert.equal(this.#log.size, this.#uncommitted.size)
  }

  load(fromId: number, limit: number): void {
    assert(!this.#reads.has(laneOf(fromId)))
    this.#reads.set(laneOf(fromId), { fromId, limit })
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
  #append(count: number, expiresAt: number, lane = 0, group: string | null = null): void {
    const properties = group === null ? null : userProperties([['group', group]])
    for (let i = 0; i < count; i++) {
      const id = firstIdOf(lane) + this.#nextId++
      const message = Message.of({ topic: 'queue/q', payload: Buffer.from(String(id)), properties, expiresAt })
      this.#log.set(id, { id, mark: 0, message, qos: 1, retain: false, identifiers: null })
      const entry = new Entry(id, message, 0, group)
      this.#entries.set(id, entry)
      this.#uncommitted.add(id)
      this.#state.contents.appended(entry)
    }
  }

  #open(): QueueState {
    const backoff = { initial: 100, max: 3000 }
    const [maxDeliveries, maxLength] = [this.#maxDeliveries, this.#maxLength]
    const limits = {
      exclusiveConsumer: this.#exclusive,
      grouped: true,
      maxDeliveries,
      maxLength,
      maxBytes: Infinity,
      dropsOldest: true,
    }
    this.#budget = new Budget(this.#memory)
    return new QueueState({ ackTimeoutMs: ACK_TIMEOUT_MS, backoff, ...limits }, this, this.#budget)
  }

  /** The process was killed and is back: all that is left is the log, and what consumers at QoS 2 had in hand. */
  #restart(): void {
    const kept = this.#seats.filter(({ consumer }) => consumer.qos === 2)
    const inHand = kept.map((seat) => [...this.#holders].filter(([, holder]) => holder === seat).map(([id]) => id))
    this.#seats = []
    this.#owner = null
    this.#handed = []
    this.#holders.clear()
    this.#avoid.clear()
    this.#uncommitted.clear() // they were written after all
    this.#touched.clear()
    this.#reads.clear()
    this.#wakeAt = Infinity
    for (const { id, message, mark } of this.#log.values())
      this.#entries.set(id, new Entry(id, message, mark, groupOf(message)))
    this.#state = this.#open()
    for (let lane = 0; lane < 10; lane++) {
      const ids = [...this.#log.keys()].filter((id) => laneOf(id) === lane)
      if (ids.length > 0) this.#state.restore(ids.length, Math.min(...ids), firstIdOf(lane) + this.#nextId)
    }
    for (const [i, { consumer }] of kept.entries()) this.#resume(consumer, inHand[i]!)
    this.#state.pump(this.#now)
  }

  /** A consumer whose session is kept has what it had. */
  #resume({ session, filter, prefetch }: Consumer, inHand: readonly number[]): void {
    const seat = new Seat(new Consumer(new Client(session), filter, prefetch), this)
    seat.consumer.qos = 2
    this.#seats.push(seat)
    this.#state.seat(seat)
    for (const id of inHand) {
      const entry = this.#entries.get(id)!
      assert(this.#state.resumed(entry, seat))
      this.#holders.set(id, seat)
      this.#touched.add(id)
      this.#handed.push({ entry, seat })
    }
  }

  #attach(seat: Seat): void {
    if (seat.consumer.active) return
    seat.consumer.active = true
    this.#owner ??= seat
    this.#state.attached(seat, this.#now)
  }

  #detach(seat: Seat): void {
    if (!seat.consumer.active) return
    seat.consumer.active = false
    seat.consumer.caughtUp()
    if (this.#owner === seat) this.#owner = this.#seats.find(({ consumer }) => consumer.active) ?? null
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
    const [lane, read] = [...this.#reads][0] ?? []
    if (lane === undefined || read === undefined) return
    const { fromId, limit } = read
    this.#reads.delete(lane)
    const found = [...this.#log.values()].filter(({ id }) => id >= fromId && laneOf(id) === lane).slice(0, limit)
    this.#state.loaded(fromId, found, this.#now)
  }

  #remove(id: number): void {
    assert(this.#log.delete(id))
    this.#holders.delete(id)
    this.#touched.delete(id)
  }

  /** Memory is not gone beyond but by one message of each priority: it is read all the same when nothing is free. */
  #checkMemory(): void {
    const priorities = new Set<number>()
    let largest = 0
    for (const id of this.#waiting()) {
      priorities.add(laneOf(id))
      largest = Math.max(largest, this.#entries.get(id)!.bytes)
    }
    assert(this.#budget.used >= 0)
    assert(this.#budget.used <= this.#memory + priorities.size * largest)
  }

  /** When the next message expires that is the first of its priority and in no group, which it may wait for. */
  #nextExpiry(): number {
    const lanes = new Set<number>()
    let next = Infinity
    for (const id of this.#waiting()) {
      const { message, group } = this.#entries.get(id)!
      if (!lanes.has(laneOf(id)) && group === null && message.expiresAt !== 0) next = Math.min(next, message.expiresAt)
      lanes.add(laneOf(id))
    }
    return next
  }

  /** The rank of the first message in no group that this session could be given now. */
  #firstFor(session: SessionView): number {
    const others = this.#othersThan(session)
    let first = Infinity
    for (const id of this.#waiting()) {
      if (this.#entries.get(id)!.group !== null) continue
      if (this.#avoid.get(id) !== session || !others) first = Math.min(first, rank(id))
    }
    return first
  }

  /** Of a group there is one on its way, and it is the next of its priority unless it was on its way already. */
  #checkTurn({ id, group }: Entry): void {
    for (const other of this.#log.keys()) {
      if (other === id || this.#entries.get(other)!.group !== group || this.#uncommitted.has(other)) continue
      assert(!this.#touched.has(other))
      if (!this.#touched.has(id) && laneOf(other) === laneOf(id)) assert(other > id)
    }
  }

  /** No group stands still while this session has room. */
  #checkGroups(session: SessionView): void {
    const others = this.#othersThan(session)
    for (const id of this.#waiting()) {
      const { group } = this.#entries.get(id)!
      if (group === null) continue
      const current = [...this.#touched].find((touched) => this.#entries.get(touched)!.group === group)
      assert(current !== undefined)
      if (this.#holders.has(current) || this.#entries.get(current)!.dueAt > 0) continue
      assert(this.#avoid.get(current) === session && others)
    }
  }

  /** Of those in no group, the first that waits, of the lowest priority. */
  #oldest(): number {
    return Math.min(...[...this.#waiting()].filter((id) => this.#entries.get(id)!.group === null))
  }

  *#waiting(): Iterable<number> {
    for (const id of this.#log.keys()) {
      if (this.#entries.get(id)!.dueAt === 0 && !this.#holders.has(id) && !this.#uncommitted.has(id)) yield id
    }
  }

  #serves(consumer: Consumer): boolean {
    return !this.#exclusive || this.#owner?.consumer === consumer
  }

  #othersThan(session: SessionView): boolean {
    if (this.#exclusive) return false
    return this.#seats.some(({ consumer }) => consumer.active && consumer.session !== session)
  }
}

/** Higher priorities first, within them the order of ids. */
function rank(id: number): number {
  return firstIdOf(9 - laneOf(id)) + (id % firstIdOf(1))
}
