/**
 * What waits for one client, what is in flight to it, and what may be sent next: the state behind an outbox. The outbox gives to
 * it, `answers.ts` and `losses.ts` take from it what is settled or given up.
 */

import type { Counters } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import { ReasonCode } from '../core/reason-codes.ts'
import { DELIVERY_BYTES, MESSAGE_BYTES, SharedRoom } from '../core/shared-room.ts'
import type { MessageLog } from '../store/store.ts'
import type { Carrier } from './carrier.ts'
import { type Delivery, RELEASED, SENT, settle } from './delivery.ts'
import { Fifo } from './fifo.ts'
import { Inflight } from './inflight.ts'
import { Ledger } from './ledger.ts'
import { Transmitter } from './transmitter.ts'
import { isExpired, Waiting } from './waiting.ts'

/** Bytes that may always be on their way to a client that takes them as they come. */
const MIN_HELD = 65_536

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
  /** Memory that all sessions share. Default: any. */
  room?: SharedRoom
}

export class Sending {
  /** Called whenever there may be room again, and when there may be some for what need not come now; null: nobody asks. */
  onRoom: (() => void) | null = null
  onSpareRoom: (() => void) | null = null
  readonly parts: OutboxParts
  readonly transmitter: Transmitter
  readonly ledger: Ledger
  readonly inflight: Inflight
  readonly waiting = new Waiting()
  /** Those in flight that the present connection has not been sent yet. */
  readonly again = new Fifo<Delivery>()
  readonly room: SharedRoom
  /** Bytes of memory that is held for this session, as if it shared no message with others. */
  #held = 0

  constructor(parts: OutboxParts) {
    this.parts = parts
    this.room = parts.room ?? new SharedRoom()
    this.ledger = new Ledger(parts)
    this.inflight = new Inflight(parts.counters)
    const { clientId, events, now, durable } = parts
    this.transmitter = new Transmitter({
      clientId,
      events,
      now,
      durable,
      tooLarge: (delivery) => this.#tooLarge(delivery),
      taken: (delivery) => settle(delivery, 'acknowledged', 0),
    })
  }

  get window(): number {
    return Math.min(this.parts.limits.maxInflight, this.transmitter.carrier?.receiveMaximum ?? Infinity)
  }

  /** The client has the message, or it need not have it: what is left of the exchange is its identifier. */
  release(delivery: Delivery): void {
    delivery.state = RELEASED
    delivery.message = null
    this.letGo(delivery)
    this.ledger.mark(delivery)
  }

  /** Send it, or let it wait for those before it. */
  queue(delivery: Delivery): void {
    const carrier = this.transmitter.carrier
    // Nothing overtakes what waits: order is per publisher and topic [MQTT-4.6.0-6].
    if (carrier !== null && this.waiting.length === 0 && this.#hasRoom(carrier, delivery))
      this.#start(carrier, delivery)
    else this.wait(delivery)
  }

  wait(delivery: Delivery): void {
    this.hold(delivery)
    this.waiting.push(delivery)
  }

  /** The message stays in memory for this delivery. What a namespace is responsible for is counted by that. */
  hold(delivery: Delivery): void {
    const { message, own } = delivery
    if (!own || message === null || delivery.holding !== null) return
    delivery.holding = message
    this.#held += DELIVERY_BYTES + message.weight
    this.room.used += message.holders++ === 0 ? DELIVERY_BYTES + MESSAGE_BYTES + message.weight : DELIVERY_BYTES
  }

  /** It does so no longer. */
  letGo(delivery: Delivery): void {
    const message = delivery.holding
    if (message === null) return
    delivery.holding = null
    this.#held -= DELIVERY_BYTES + message.weight
    this.room.used -= --message.holders === 0 ? DELIVERY_BYTES + MESSAGE_BYTES + message.weight : DELIVERY_BYTES
  }

  /** Whether another message has to be kept for which there is no room, among all that is kept for all clients. */
  get hasNoRoom(): boolean {
    if (this.#held < this.room.share) return false
    if (this.#held >= MIN_HELD) return true
    const { carrier } = this.transmitter
    return carrier === null || this.waiting.length > 0 || carrier.out.congested || this.inflight.size >= this.window
  }

  #hasRoom(carrier: Carrier, delivery: Delivery): boolean {
    if (carrier.out.congested) return false
    if (delivery.qos === 0) return true
    return this.inflight.size - this.again.length < this.window // [MQTT-3.3.4-9]
  }

  /** There may be room: send what waits for it, and tell those who have more. */
  pump(): void {
    const carrier = this.transmitter.carrier
    if (carrier === null) return
    this.#sendWaiting(carrier)
    this.onRoom?.()
    this.onSpareRoom?.()
  }

  #sendWaiting(carrier: Carrier): void {
    for (let next = this.again.peek(); next !== undefined; next = this.again.peek()) {
      if (next.state === SENT && !this.#hasRoom(carrier, next)) return
      this.again.shift()
      this.#resend(carrier, next)
    }
    for (let next = this.waiting.peek(); next !== undefined; next = this.waiting.peek()) {
      if (!this.#hasRoom(carrier, next)) return
      this.waiting.shift()
      this.#start(carrier, next)
    }
  }

  #resend(carrier: Carrier, delivery: Delivery): void {
    if (this.inflight.get(delivery.packetId) !== delivery) return // settled meanwhile
    delivery.dup = true // [MQTT-3.3.1-1]
    this.transmitter.send(carrier, delivery)
  }

  #start(carrier: Carrier, delivery: Delivery): void {
    if (delivery.message!.expiresAt !== 0 && isExpired(delivery, this.parts.now())) {
      this.expire(delivery)
      return
    }
    if (delivery.qos > 0) {
      this.inflight.add(delivery)
      if (delivery.reference !== 0 && delivery.qos === 2 && this.transmitter.persistent) this.ledger.assign(delivery)
      this.ledger.mark(delivery)
    }
    // Sent once, it need not be kept if the session ends with the connection.
    if (delivery.qos > 0 && this.transmitter.persistent) this.hold(delivery)
    else this.letGo(delivery)
    this.transmitter.send(carrier, delivery)
  }

  /** Whether no more may wait. */
  get isFull(): boolean {
    const { maxQueued, maxQueuedBytes } = this.parts.limits
    return this.waiting.length >= maxQueued || this.waiting.bytes >= maxQueuedBytes
  }

  /** Its time is up before it was sent. */
  expire(delivery: Delivery): void {
    const { clientId, events } = this.parts
    this.letGo(delivery)
    this.ledger.remove(delivery) // [MQTT-3.3.2-5]
    if (events.wants('message.expired')) events.emit('message.expired', { clientId, topic: delivery.topic })
    if (delivery.receiver !== null) queueMicrotask(() => settle(delivery, 'undeliverable', 0))
  }

  /** As if it had been delivered [MQTT-3.1.2-25]. */
  #tooLarge(delivery: Delivery): void {
    this.finish(delivery)
    queueMicrotask(() => {
      settle(delivery, 'undeliverable', ReasonCode.PacketTooLarge)
      this.pump() // others may have waited for its place
    })
  }

  /** The exchange is over: its identifier is free. */
  finish(delivery: Delivery): void {
    this.inflight.delete(delivery)
    this.letGo(delivery)
    this.ledger.remove(delivery)
  }
}
