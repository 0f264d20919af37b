/**
 * What waits for one client, what is in flight to it, and what may be sent next: the state behind an outbox. The outbox gives to
 * it, `answers.ts` and `losses.ts` take from it what is settled or given up.
 */

import type { Counters } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import { ReasonCode } from '../core/reason-codes.ts'
import type { MessageLog } from '../store/store.ts'
import type { Carrier } from './carrier.ts'
import { type Delivery, RELEASED, SENT, settle } from './delivery.ts'
import { Fifo } from './fifo.ts'
import { Inflight } from './inflight.ts'
import { Ledger } from './ledger.ts'
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

  constructor(parts: OutboxParts) {
    this.parts = parts
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
    this.ledger.mark(delivery)
  }

  /** Send it, or let it wait for those before it. */
  queue(delivery: Delivery): void {
    const carrier = this.transmitter.carrier
    // Nothing overtakes what waits: order is per publisher and topic [MQTT-4.6.0-6].
    if (carrier !== null && this.waiting.length === 0 && this.#hasRoom(carrier, delivery))
      this.#start(carrier, delivery)
    else this.waiting.push(delivery)
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
    this.ledger.remove(delivery)
  }
}
