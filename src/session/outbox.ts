/**
 * What goes to one client: QoS 0 straight out, QoS 1 and 2 through a window with packet identifiers, until settled.
 *
 * It never waits for a socket and nobody waits for it: what cannot be sent now is dropped (QoS 0) or kept, within limits.
 * It outlives the connection when the session does: unsettled messages are then sent again, in order, before anything new.
 */

import type { Message, QoS } from '../core/message.ts'
import type { LogEntry } from '../store/store.ts'
import { acknowledged, completed, received } from './answers.ts'
import type { Carrier } from './carrier.ts'
import { Delivery, packetIdOf, RELEASED, restored, SENT, settle, WAITING } from './delivery.ts'
import type { Inflight } from './inflight.ts'
import type { Ledger } from './ledger.ts'
import { lose, revoke } from './losses.ts'
import type {
  BorrowingOutbox,
  Interrupted,
  OutboxContract,
  Outgoing,
  Receiver,
  Resumed,
  ResumingOutbox,
} from './outbox-contract.ts'
import { type OutboxParts, Sending } from './sending.ts'
import type { Transmitter } from './transmitter.ts'
import type { Waiting } from './waiting.ts'

export type { OutboxLimits, OutboxParts } from './sending.ts'

/** What `enqueue` did with a message. */
export type Enqueued = 'dropped' | 'no-room' | 'sent' | 'stored'

export class Outbox implements OutboxContract, BorrowingOutbox, ResumingOutbox {
  readonly #sending: Sending
  // Parts of it, at hand for each message.
  readonly #transmitter: Transmitter
  readonly #ledger: Ledger
  readonly #inflight: Inflight
  readonly #waiting: Waiting
  /** Those in flight whose messages a namespace has, and has not brought since the restart. */
  #interrupted: readonly Delivery[] = NONE

  constructor(parts: OutboxParts) {
    const sending = new Sending(parts)
    this.#sending = sending
    this.#transmitter = sending.transmitter
    this.#ledger = sending.ledger
    this.#inflight = sending.inflight
    this.#waiting = sending.waiting
  }

  get onRoom(): (() => void) | null {
    return this.#sending.onRoom
  }

  set onRoom(onRoom: (() => void) | null) {
    this.#sending.onRoom = onRoom
  }

  /** Called when there may be room again for what need not come now; null: nobody wants to hear of it. */
  get onSpareRoom(): (() => void) | null {
    return this.#sending.onSpareRoom
  }

  set onSpareRoom(onSpareRoom: (() => void) | null) {
    this.#sending.onSpareRoom = onSpareRoom
  }

  /** Whether the session outlives its connection, so that what waits is stored and may be sent twice. */
  get persistent(): boolean {
    return this.#transmitter.persistent
  }

  set persistent(persistent: boolean) {
    this.#transmitter.persistent = persistent
  }

  get writable(): boolean {
    return this.#transmitter.carrier !== null && !this.#transmitter.carrier.out.congested
  }

  get window(): number {
    return this.#sending.window
  }

  /** QoS 1 and 2 messages that were sent and are not settled. */
  get inflight(): number {
    return this.#inflight.size
  }

  /** Messages that wait or are in flight. */
  get size(): number {
    return this.#waiting.length + this.#inflight.size
  }

  /**
   * Whether more can be given to it that need not come now, like retained messages: nothing of it is dropped, and no more
   * of it waits than keeps the window full, so that there is room for what comes live.
   */
  hasSpareRoom(qos: QoS): boolean {
    if (!this.writable) return false
    const { maxQueued, maxQueuedBytes } = this.#sending.parts.limits
    const { length, bytes } = this.#sending.waiting
    return qos === 0 || (length < Math.min(this.window, maxQueued / 2) && bytes < maxQueuedBytes / 2)
  }

  send(message: Message, retain: boolean, identifiers: readonly number[] | null): boolean {
    const carrier = this.#transmitter.carrier
    if (carrier === null || carrier.out.congested) return false
    return this.#transmitter.send0(carrier, message, retain, identifiers)
  }

  /** A QoS 1 or 2 message of publish/subscribe. When it answers 'stored', it is safe once the store is durable. */
  enqueue(message: Message, qos: QoS, retain: boolean, identifiers: readonly number[] | null): Enqueued {
    const sending = this.#sending
    if (sending.isFull) for (const expired of this.#waiting.removeExpired(sending.parts.now())) sending.expire(expired)
    if (sending.isFull) return 'dropped'
    if (sending.hasNoRoom) {
      sending.room.short()
      return 'no-room'
    }
    let logId = 0
    if (this.persistent) logId = this.#ledger.append({ message: message.keep(), qos, retain, identifiers })
    const delivery = new Delivery(message, qos, retain, identifiers, null, null, null, logId, true)
    this.#ledger.count(delivery, 1)
    sending.queue(delivery)
    return logId === 0 ? 'sent' : 'stored'
  }

  deliver<Token>(outgoing: Outgoing<Token>): void {
    const { message, qos, retain, identifiers, properties, receiver, token, reference = 0 } = outgoing
    const known = receiver as Receiver<unknown> | null
    const delivery = new Delivery(message, qos, retain, identifiers, properties, known, token, 0, false)
    delivery.reference = reference
    this.#sending.queue(delivery)
  }

  withdraw<Token>(receiver: Receiver<Token>, token: Token): void {
    const known = receiver as Receiver<unknown>
    this.#waiting.withdraw(known, token)
    if (!this.persistent) return
    for (const delivery of this.#inflight.values()) {
      if (delivery.receiver === known && delivery.token === token) this.#ledger.withdraw(delivery)
    }
  }

  get interrupted(): readonly Interrupted[] {
    return this.#interrupted
  }

  resume<Token>(interrupted: Interrupted, { message, properties, receiver, token }: Resumed<Token>): void {
    const delivery = this.#interrupted.find((one) => one === interrupted)
    if (delivery === undefined) return
    this.#interrupted = this.#interrupted.filter((one) => one !== delivery)
    delivery.message = message
    delivery.properties = properties
    delivery.receiver = receiver as Receiver<unknown> | null
    delivery.token = token
  }

  takes(qos: QoS): boolean {
    if (!this.writable) return false
    const { again, window } = this.#sending
    return qos === 0 || (this.#waiting.length === 0 && again.length === 0 && this.#inflight.size < window)
  }

  lend<Token>(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[] | null,
    receiver: Receiver<Token>,
    token: Token,
    logId: number,
  ): void {
    const known = receiver as Receiver<unknown>
    this.#sending.queue(new Delivery(message, qos, retain, identifiers, null, known, token, logId, true))
  }

  reclaim<Token>(receiver: Receiver<Token>): void {
    lose(this.#sending, (delivery) => delivery.receiver === receiver && !delivery.inDoubt)
  }

  adopt<Token>(share: string, receiver: Receiver<Token>, tokenOf: (message: Message, logId: number) => Token): void {
    const take = (delivery: Delivery): boolean => {
      if (delivery.receiver !== null || delivery.token !== share || delivery.state === RELEASED) return false
      delivery.receiver = receiver as Receiver<unknown>
      delivery.token = tokenOf(delivery.message!, delivery.logId)
      return true
    }
    for (const delivery of this.#inflight.values()) take(delivery)
    for (const delivery of this.#waiting.remove(take)) {
      this.#sending.letGo(delivery)
      settle(delivery, 'lost', 0)
    }
  }

  /**
   * Take up what the store kept for this session.
   * @param lost marks of entries that could not be read. Their messages are gone; what the client knows of them is an identifier
   */
  restore(entries: readonly LogEntry[], lost: readonly number[] = []): void {
    for (const packetId of lost.map(packetIdOf)) {
      if (packetId === 0) continue
      const delivery = this.#ledger.replace(packetId)
      this.#sending.release(delivery)
      this.#inflight.restore(delivery)
    }
    for (const delivery of entries.map(restored)) {
      this.#ledger.count(delivery, 1)
      if (delivery.state !== WAITING) {
        this.#inflight.restore(delivery)
        if (delivery.state === SENT) this.#sending.hold(delivery)
      } else if (delivery.own) this.#sending.wait(delivery)
      else this.#ledger.remove(delivery) // its identifier is not known, so it was not sent
    }
    this.#interrupted = [...this.#inflight.values()].filter(({ own, state }) => !own && state === SENT)
  }

  /** The client is connected: send again what it has not settled, in order [MQTT-4.4.0-1], then what waits. */
  attach(carrier: Carrier): void {
    this.#transmitter.carrier = carrier
    carrier.out.onDrain = () => this.#sending.pump()
    for (const delivery of this.#interrupted) this.#sending.release(delivery)
    this.#interrupted = NONE
    for (const delivery of this.#inflight.values()) this.#sending.again.push(delivery)
    this.#sending.pump()
  }

  /** The connection is gone. `ended`: so is the session. */
  detach(ended: boolean): void {
    const leaving = this.#transmitter.detach()
    const leaves = (delivery: Delivery): boolean => {
      if (ended) return true
      return !delivery.own && (delivery.qos < 2 || delivery.state === WAITING)
    }
    this.#sending.again.drain()
    for (const delivery of leaving) settle(delivery, 'lost', 0)
    lose(this.#sending, leaves)
  }

  /**
   * The client may not read all topics any more: what is on its way and was not sent on this connection is given up, where
   * `readable` says so of its topic. What others are responsible for goes back to them.
   */
  revoke(readable: (topic: string) => boolean): void {
    revoke(this.#sending, readable)
  }

  /** PUBACK from the client. */
  acknowledged(packetId: number, reasonCode: number): void {
    acknowledged(this.#sending, packetId, reasonCode)
  }

  /** PUBREC from the client. */
  received(packetId: number, reasonCode: number): void {
    received(this.#sending, packetId, reasonCode)
  }

  /** PUBCOMP from the client. */
  completed(packetId: number): void {
    completed(this.#sending, packetId)
  }
}

/** Stands for every empty list of interrupted deliveries. */
const NONE: readonly Delivery[] = []
