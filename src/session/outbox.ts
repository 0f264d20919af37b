/**
 * What goes to one client: QoS 0 straight out, QoS 1 and 2 through a window with packet identifiers, until settled.
 *
 * It never waits for a socket and nobody waits for it: what cannot be sent now is dropped (QoS 0) or kept, within limits.
 * It outlives the connection when the session does: unsettled messages are then sent again, in order, before anything new.
 */

import type { Counters } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import type { Message, QoS } from '../core/message.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import type { LogEntry, MessageLog } from '../store/store.ts'
import { PUBREL, writeAcknowledgement } from '../wire/acknowledgement-writer.ts'
import type { Carrier } from './carrier.ts'
import { Delivery, RELEASED, restored, SENT, WAITING } from './delivery.ts'
import { Fifo } from './fifo.ts'
import { Inflight } from './inflight.ts'
import { Ledger } from './ledger.ts'
import type {
  BorrowingOutbox,
  Interrupted,
  OutboxContract,
  Outgoing,
  Receiver,
  Resumed,
  ResumingOutbox,
  Settlement,
} from './outbox-contract.ts'
import { Transmitter } from './transmitter.ts'
import { isExpired, Waiting } from './waiting.ts'

export interface OutboxLimits {
  maxInflight: number
  /** Messages, and bytes of payload, that wait beyond those in flight. */
  maxQueued: number
  maxQueuedBytes: number
}

export interface OutboxParts {
  clientId: string
  limits: OutboxLimits
  events: Events
  counters: Counters
  now: () => number
  /** Where the messages of a persistent session are kept. */
  log: MessageLog
  /** Resolves when what was written to the log is on disk. */
  durable: () => Promise<void>
}

/** What `enqueue` did with a message. */
export type Enqueued = 'dropped' | 'sent' | 'stored'

export class Outbox implements OutboxContract, BorrowingOutbox, ResumingOutbox {
  /** Called when there may be room again for what need not come now; null: nobody wants to hear of it. */
  onSpareRoom: (() => void) | null = null
  onRoom: (() => void) | null = null
  readonly #parts: OutboxParts
  readonly #transmitter: Transmitter
  readonly #ledger: Ledger
  readonly #inflight = new Inflight()
  readonly #waiting = new Waiting()
  /** Those in flight that the present connection has not been sent yet. */
  readonly #again = new Fifo<Delivery>()
  /** Those in flight whose messages a namespace has, and has not brought since the restart. */
  #interrupted: readonly Delivery[] = NONE

  constructor(parts: OutboxParts) {
    this.#parts = parts
    this.#ledger = new Ledger(parts)
    const { clientId, events, now, durable } = parts
    this.#transmitter = new Transmitter({
      clientId,
      events,
      now,
      durable,
      tooLarge: (delivery) => this.#tooLarge(delivery),
      taken: (delivery) => settle(delivery, 'acknowledged', 0),
    })
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
    return Math.min(this.#parts.limits.maxInflight, this.#transmitter.carrier?.receiveMaximum ?? Infinity)
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
    const { maxQueued, maxQueuedBytes } = this.#parts.limits
    const { length, bytes } = this.#waiting
    return qos === 0 || (length < Math.min(this.window, maxQueued / 2) && bytes < maxQueuedBytes / 2)
  }

  send(message: Message, retain: boolean, identifiers: readonly number[] | null): boolean {
    const carrier = this.#transmitter.carrier
    if (carrier === null || carrier.out.congested) return false
    return this.#transmitter.send0(carrier, message, retain, identifiers)
  }

  /** A QoS 1 or 2 message of publish/subscribe. When it answers 'stored', it is safe once the store is durable. */
  enqueue(message: Message, qos: QoS, retain: boolean, identifiers: readonly number[] | null): Enqueued {
    if (this.#isFull) for (const expired of this.#waiting.removeExpired(this.#parts.now())) this.#expire(expired)
    if (this.#isFull) return 'dropped'
    let logId = 0
    if (this.persistent) logId = this.#ledger.append({ message: message.keep(), qos, retain, identifiers })
    const delivery = new Delivery(message, qos, retain, identifiers, null, null, null, logId, true)
    this.#ledger.count(delivery, 1)
    this.#queue(delivery)
    return logId === 0 ? 'sent' : 'stored'
  }

  deliver<Token>(outgoing: Outgoing<Token>): void {
    const { message, qos, retain, identifiers, properties, receiver, token, reference = 0 } = outgoing
    const known = receiver as Receiver<unknown> | null
    const delivery = new Delivery(message, qos, retain, identifiers, properties, known, token, 0, false)
    delivery.reference = reference
    this.#queue(delivery)
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
    return qos === 0 || (this.#waiting.length === 0 && this.#again.length === 0 && this.#inflight.size < this.window)
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
    this.#queue(new Delivery(message, qos, retain, identifiers, null, known, token, logId, true))
  }

  reclaim<Token>(receiver: Receiver<Token>): void {
    this.#lose((delivery) => delivery.receiver === receiver && !delivery.inDoubt)
  }

  adopt<Token>(share: string, receiver: Receiver<Token>, tokenOf: (message: Message, logId: number) => Token): void {
    const take = (delivery: Delivery): boolean => {
      if (delivery.receiver !== null || delivery.token !== share || delivery.state === RELEASED) return false
      delivery.receiver = receiver as Receiver<unknown>
      delivery.token = tokenOf(delivery.message!, delivery.logId)
      return true
    }
    for (const delivery of this.#inflight.values()) take(delivery)
    for (const delivery of this.#waiting.remove(take)) settle(delivery, 'lost', 0)
  }

  /** Take up what the store kept for this session. */
  restore(entries: readonly LogEntry[]): void {
    for (const delivery of entries.map(restored)) {
      this.#ledger.count(delivery, 1)
      if (delivery.state !== WAITING) this.#inflight.restore(delivery)
      else if (delivery.own) this.#waiting.push(delivery)
      else this.#ledger.remove(delivery) // its identifier is not known, so it was not sent
    }
    this.#interrupted = [...this.#inflight.values()].filter(({ own, state }) => !own && state === SENT)
  }

  /** The client is connected: send again what it has not settled, in order [MQTT-4.4.0-1], then what waits. */
  attach(carrier: Carrier): void {
    this.#transmitter.carrier = carrier
    carrier.out.onDrain = () => this.#pump()
    for (const delivery of this.#interrupted) this.#release(delivery)
    this.#interrupted = NONE
    for (const delivery of this.#inflight.values()) this.#again.push(delivery)
    this.#pump()
  }

  /** The connection is gone. `ended`: so is the session. */
  detach(ended: boolean): void {
    const leaving = this.#transmitter.detach()
    const leaves = (delivery: Delivery): boolean => {
      if (ended) return true
      return !delivery.own && (delivery.qos < 2 || delivery.state === WAITING)
    }
    this.#again.drain()
    for (const delivery of leaving) settle(delivery, 'lost', 0)
    this.#lose(leaves)
  }

  /**
   * The client may not read all topics any more: what is on its way and was not sent on this connection is given up, where
   * `readable` says so of its topic. What others are responsible for goes back to them.
   */
  revoke(readable: (topic: string) => boolean): void {
    const leaves = ({ state, topic }: Delivery): boolean => state !== RELEASED && !readable(topic)
    const unsent = this.#transmitter.carrier === null ? [...this.#inflight.values()] : this.#again.toArray()
    for (const delivery of unsent) {
      if (this.#inflight.get(delivery.packetId) === delivery && leaves(delivery)) this.#revoke(delivery)
    }
    for (const delivery of this.#waiting.remove(leaves)) this.#revoke(delivery)
    this.#pump() // others may have waited for their places
  }

  /** The client may know the packet identifier of a QoS 2 message: what is left then is to have that back. */
  #revoke(delivery: Delivery): void {
    const { own, receiver, qos, topic, state } = delivery
    const inDoubt = state === SENT && qos === 2
    if (inDoubt) this.#release(delivery)
    else if (state === SENT) this.#inflight.delete(delivery)
    // What was lent goes back to its lender, stored as it is.
    if (!inDoubt && (!own || receiver === null)) this.#ledger.remove(delivery)
    settle(delivery, inDoubt && own ? 'in-doubt' : 'lost', 0)
    if (!own || receiver !== null) return
    const { clientId, counters, events } = this.#parts
    counters.publishDropped++
    if (events.wants('message.dropped')) {
      events.emit('message.dropped', { clientId, topic, qos, reason: 'not-authorized' })
    }
  }

  /** PUBACK from the client. */
  acknowledged(packetId: number, reasonCode: number): void {
    const delivery = this.#inflight.get(packetId)
    if (delivery === undefined) return // a late one for a message that was given up
    if (delivery.qos !== 1) throw new Refusal(ReasonCode.ProtocolError, 'PUBACK for a message of QoS 2')
    this.#finish(delivery)
    this.#settled(delivery, reasonCode)
    this.#pump()
  }

  /** PUBREC from the client. */
  received(packetId: number, reasonCode: number): void {
    const carrier = this.#transmitter.carrier
    if (carrier === null) return
    const delivery = this.#inflight.get(packetId)
    if (delivery === undefined) {
      if (reasonCode >= 0x80) return
      const answer = carrier.version === 5 ? ReasonCode.PacketIdentifierNotFound : 0
      writeAcknowledgement(carrier.out, carrier.version, PUBREL, packetId, answer)
      return
    }
    if (delivery.qos !== 2) throw new Refusal(ReasonCode.ProtocolError, 'PUBREC for a message of QoS 1')
    if (reasonCode >= 0x80) {
      this.#finish(delivery) // the exchange ends here [MQTT-4.3.3-4]
      this.#settled(delivery, reasonCode)
      this.#pump()
      return
    }
    if (delivery.state === SENT) {
      this.#release(delivery)
      this.#settled(delivery, reasonCode)
    }
    this.#transmitter.send(carrier, delivery)
  }

  /** PUBCOMP from the client. */
  completed(packetId: number): void {
    const delivery = this.#inflight.get(packetId)
    if (delivery === undefined) return
    if (delivery.state !== RELEASED) throw new Refusal(ReasonCode.ProtocolError, 'PUBCOMP before PUBREC')
    this.#finish(delivery)
    this.#pump()
  }

  /** The client has the message, or it need not have it: what is left of the exchange is its identifier. */
  #release(delivery: Delivery): void {
    delivery.state = RELEASED
    delivery.message = null
    this.#ledger.mark(delivery)
  }

  /** Give up, in order, those that `leaves` names. */
  #lose(leaves: (delivery: Delivery) => boolean): void {
    const lost = [...[...this.#inflight.values()].filter(leaves), ...this.#waiting.remove(leaves)]
    for (const delivery of lost) {
      if (delivery.packetId !== 0) this.#inflight.delete(delivery)
      const inDoubt = delivery.own && delivery.inDoubt
      // What was lent goes back to its lender, stored as it is.
      if (inDoubt || delivery.receiver === null) this.#ledger.count(delivery, -1)
      settle(delivery, inDoubt ? 'in-doubt' : 'lost', 0)
    }
  }

  #queue(delivery: Delivery): void {
    const carrier = this.#transmitter.carrier
    // Nothing overtakes what waits: order is per publisher and topic [MQTT-4.6.0-6].
    if (carrier !== null && this.#waiting.length === 0 && this.#hasRoom(carrier, delivery))
      this.#start(carrier, delivery)
    else this.#waiting.push(delivery)
  }

  #hasRoom(carrier: Carrier, delivery: Delivery): boolean {
    if (carrier.out.congested) return false
    if (delivery.qos === 0) return true
    return this.#inflight.size - this.#again.length < this.window // [MQTT-3.3.4-9]
  }

  #pump(): void {
    const carrier = this.#transmitter.carrier
    if (carrier === null) return
    this.#sendWaiting(carrier)
    this.onRoom?.()
    this.onSpareRoom?.()
  }

  #sendWaiting(carrier: Carrier): void {
    for (let next = this.#again.peek(); next !== undefined; next = this.#again.peek()) {
      if (next.state === SENT && !this.#hasRoom(carrier, next)) return
      this.#again.shift()
      this.#resend(carrier, next)
    }
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!this.#hasRoom(carrier, next)) return
      this.#waiting.shift()
      this.#start(carrier, next)
    }
  }

  #resend(carrier: Carrier, delivery: Delivery): void {
    if (this.#inflight.get(delivery.packetId) !== delivery) return // settled meanwhile
    delivery.dup = true // [MQTT-3.3.1-1]
    this.#transmitter.send(carrier, delivery)
  }

  #start(carrier: Carrier, delivery: Delivery): void {
    if (delivery.message!.expiresAt !== 0 && isExpired(delivery, this.#parts.now())) {
      this.#expire(delivery)
      return
    }
    if (delivery.qos > 0) {
      this.#inflight.add(delivery)
      if (delivery.reference !== 0 && delivery.qos === 2 && this.persistent) this.#ledger.assign(delivery)
      this.#ledger.mark(delivery)
    }
    this.#transmitter.send(carrier, delivery)
  }

  get #isFull(): boolean {
    const { maxQueued, maxQueuedBytes } = this.#parts.limits
    return this.#waiting.length >= maxQueued || this.#waiting.bytes >= maxQueuedBytes
  }

  #expire(delivery: Delivery): void {
    const { clientId, events } = this.#parts
    this.#ledger.remove(delivery) // [MQTT-3.3.2-5]
    if (events.wants('message.expired')) events.emit('message.expired', { clientId, topic: delivery.topic })
    if (delivery.receiver !== null) queueMicrotask(() => settle(delivery, 'undeliverable', 0))
  }

  /** As if it had been delivered [MQTT-3.1.2-25]. */
  #tooLarge(delivery: Delivery): void {
    this.#finish(delivery)
    queueMicrotask(() => {
      settle(delivery, 'undeliverable', ReasonCode.PacketTooLarge)
      this.#pump() // others may have waited for its place
    })
  }

  #finish(delivery: Delivery): void {
    this.#inflight.delete(delivery)
    this.#ledger.remove(delivery)
  }

  /** The client has settled a message: tell whoever handed it over. */
  #settled(delivery: Delivery, reasonCode: number): void {
    const refused = reasonCode >= 0x80
    settle(delivery, refused ? 'refused' : 'acknowledged', reasonCode)
    const { events, clientId } = this.#parts
    if (delivery.own && !refused && events.wants('message.acknowledged')) {
      events.emit('message.acknowledged', { clientId, topic: delivery.topic, qos: delivery.qos })
    }
  }
}

/** Stands for every empty list of interrupted deliveries. */
const NONE: readonly Delivery[] = []

function settle(delivery: Delivery, settlement: Settlement, reasonCode: number): void {
  const { receiver } = delivery
  delivery.receiver = null
  receiver?.settled(delivery.token, settlement, reasonCode)
}
