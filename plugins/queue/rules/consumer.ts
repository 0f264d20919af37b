/**
 * Who takes messages, and what is being taken.
 *
 * A Client is a session, which takes no more at once than its Receive Maximum says, over all of its subscriptions. A
 * Consumer is one of these; its prefetch counts over all queues that its filter matches. A Seat is
 * its place at one of these queues, and the receiver of what becomes of messages delivered there, so that a message and
 * its seat say everything about a settlement and nothing is allocated to tell them apart. An Entry is a message in memory.
 */

import {
  hasWildcard,
  type Message,
  matches,
  type QoS,
  type Receiver,
  type SessionView,
  type Settlement,
} from '../../../src/plugin.ts'
import { type Linked, LinkedList } from './linked-list.ts'

/** What a message costs in memory besides its bytes. About, as measured on Node 20. */
const OVERHEAD_BYTES = 400

export class Entry implements Linked<Entry> {
  readonly id: number
  readonly message: Message
  /** The group that it is in; null: none. */
  readonly group: string | null
  /** How often it was delivered, a delivery under way included. */
  deliveries: number
  /** Who has it; null: nobody. */
  holder: Seat | null = null
  /** Who should not have it next: let its time run out, or refused it. */
  avoid: Seat | null = null
  /** When it was delivered. */
  since = 0
  /** When its backoff ends; 0: it has none. */
  dueAt = 0
  /** It has left the queue. */
  gone = false
  previous: Entry | null = null
  next: Entry | null = null
  list: LinkedList<Entry> | null = null

  constructor(id: number, message: Message, deliveries: number, group: string | null) {
    this.id = id
    this.message = message
    this.deliveries = deliveries
    this.group = group
  }

  get bytes(): number {
    return this.message.end - this.message.start + OVERHEAD_BYTES
  }
}

/** How a message is delivered to a client. */
export interface Terms {
  readonly qos: QoS
  readonly identifiers: readonly number[] | null
}

/** Queues of which a client keeps in mind how it is served; then it begins anew. */
const MOST_TERMS = 10_000

export class Client {
  readonly session: SessionView
  /** Its subscriptions, by filter. */
  readonly consumers = new Map<string, Consumer>()
  /** How many it takes at once at QoS 1 and 2: what is beyond would wait in its outbox while others are idle. */
  window = Infinity
  /** Messages that it has and that have not timed out, and those that have, as its consumers count them. */
  held = 0
  late = 0
  /** Seats that found no room at the client, in order: the first of them is served when there is room again. */
  readonly waiting = new LinkedList<Seat>()

  /** How many of its subscriptions have wildcards. */
  #wild = 0
  /** By topic; null: no queue can match two of its subscriptions. */
  #terms: Map<string, Terms> | null = null

  constructor(session: SessionView) {
    this.session = session
  }

  add(consumer: Consumer): void {
    this.consumers.set(consumer.filter, consumer)
    if (consumer.wild) this.#wild++
  }

  remove(consumer: Consumer): void {
    this.consumers.delete(consumer.filter)
    if (consumer.wild) this.#wild--
    this.changed()
  }

  /** Its subscriptions have changed. */
  changed(): void {
    this.#terms = this.consumers.size > 1 && this.#wild > 0 ? new Map() : null
  }

  /**
   * What it is delivered at one of its seats: where several of its subscriptions match, at the highest QoS and with the identifiers of
   * all of them [MQTT-3.3.4-2] [MQTT-3.3.4-4].
   */
  termsAt({ consumer, owner }: Seat): Terms {
    const known = this.#terms
    if (known === null) return consumer
    let terms = known.get(owner.topic)
    if (terms === undefined) {
      if (known.size >= MOST_TERMS) known.clear()
      terms = this.#termsOn(owner.topic)
      known.set(owner.topic, terms)
    }
    return terms
  }

  #termsOn(topic: string): Terms {
    const matching = [...this.consumers.values()].filter(({ filter }) => matches(filter, topic))
    const identifiers = matching.flatMap(({ identifiers }) => identifiers ?? [])
    const qos = Math.max(...matching.map(({ qos }) => qos)) as QoS
    return { qos, identifiers: identifiers.length === 0 ? null : [...new Set(identifiers)] }
  }

  /** One that let time run out still has those messages: it gets fewer, but at least one, or it could never recover. */
  get hasRoom(): boolean {
    return this.held < (this.late === 0 ? this.window : Math.max(1, this.window - this.late))
  }

  /** There may be room again: serve those who wait for it, in turn. */
  resume(now: number): void {
    while (this.hasRoom) {
      const seat = this.waiting.first
      if (seat === null) return
      seat.owner.roomFor(seat, now)
    }
  }
}

export class Consumer {
  readonly client: Client
  readonly session: SessionView
  readonly filter: string
  /** Whether its filter has wildcards. */
  readonly wild: boolean
  prefetch: number
  qos: QoS = 0
  identifiers: readonly number[] | null = null
  /** Whether it can be given messages: its client is connected, and has its SUBACK. */
  active = false
  /** Messages that it has and that have not timed out. */
  held = 0
  /** Messages that timed out at it and that it has not settled since, as far as is known. */
  late = 0
  readonly seats = new Set<Seat>()
  /** Seats that found no room, in order: the first of them is served when there is room again. */
  readonly waiting = new LinkedList<Seat>()

  constructor(client: Client, filter: string, prefetch: number) {
    this.client = client
    this.session = client.session
    this.filter = filter
    this.wild = hasWildcard(filter)
    this.prefetch = prefetch
  }

  get hasRoom(): boolean {
    return this.active && !this.#isFull && (this.qos === 0 || this.client.hasRoom)
  }

  /** As with its client: what it let time run out for is still there. */
  get #isFull(): boolean {
    return this.held >= (this.late === 0 ? this.prefetch : Math.max(1, this.prefetch - this.late))
  }

  /** There is no room for this seat now. */
  wait(seat: Seat): void {
    const { waiting } = this.active && !this.#isFull ? this.client : this
    waiting.push(seat)
  }

  /** There may be room again, for it and for its client: serve those who wait for it, in turn. */
  resume(now: number): void {
    while (this.hasRoom) {
      const seat = this.waiting.first
      if (seat === null) break
      seat.owner.roomFor(seat, now)
    }
    if (this.client.waiting.first !== null) this.client.resume(now)
  }

  /** It let time run out for a message. */
  timedOut(): void {
    this.late++
    this.client.late++
  }

  /** It has settled one of these after all. */
  settledLate(): void {
    if (this.late === 0) return
    this.late--
    this.client.late--
  }

  /** It answers in time again, or it is gone, and what it had is settled or waits for it. */
  caughtUp(): void {
    this.client.late -= this.late
    this.late = 0
  }
}

/** The queue at which a seat is. */
export interface SeatOwner {
  readonly topic: string
  /** The seat's consumer has become active. */
  attach(seat: Seat): void
  /** The seat's consumer is no longer active. Pump when all of its session are. */
  detach(seat: Seat): void
  /** The seat, detached by now, is no more: what it held goes back. */
  unseat(seat: Seat): void
  /** Deliver what can be delivered. */
  pump(): void
  settled(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number): void
  /** The seat's consumer has room again: take the seat from those who wait, and deliver. */
  roomFor(seat: Seat, now: number): void
}

export class Seat implements Linked<Seat>, Receiver<Entry> {
  readonly consumer: Consumer
  readonly owner: SeatOwner
  /** What it has, in the order of delivery. */
  readonly held = new LinkedList<Entry>()
  previous: Seat | null = null
  next: Seat | null = null
  list: LinkedList<Seat> | null = null

  constructor(consumer: Consumer, owner: SeatOwner) {
    this.consumer = consumer
    this.owner = owner
  }

  /** It has this message from now on. */
  hold(entry: Entry): void {
    entry.deliveries++
    entry.holder = this
    this.held.push(entry)
    this.consumer.held++
    this.consumer.client.held++
  }

  /** It has it no longer. */
  letGo(entry: Entry): void {
    this.held.remove(entry)
    this.consumer.held--
    this.consumer.client.held--
    entry.holder = null
  }

  settled(entry: Entry, settlement: Settlement, reasonCode: number): void {
    this.owner.settled(this, entry, settlement, reasonCode)
  }
}
