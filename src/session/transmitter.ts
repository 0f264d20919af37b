/**
 * Writes to the client's connection, while there is one: PUBLISH and PUBREL, each when it may go out.
 *
 * At QoS 2 in a session that is kept, that is when the store knows of it: a client must not see a packet identifier that a
 * restart would forget and give to another message, nor be asked to release one whose message would come again.
 */

import type { Events } from '../core/events.ts'
import type { Message, QoS } from '../core/message.ts'
import { PUBREL, writeAcknowledgement } from '../wire/acknowledgement-writer.ts'
import { writePublish } from '../wire/publish-encoder.ts'
import type { PublishOptions } from '../wire/publish-options.ts'
import type { Carrier } from './carrier.ts'
import { type Delivery, RELEASED } from './delivery.ts'

export interface TransmitterParts {
  clientId: string
  events: Events
  now: () => number
  /** Resolves when what was written to the store is on disk. */
  durable: () => Promise<void>
  /** The message is larger than the client takes. */
  tooLarge: (delivery: Delivery) => void
  /** The bytes of a QoS 0 delivery have left for the socket. */
  taken: (delivery: Delivery) => void
}

export class Transmitter {
  /** Whether what is sent may have to be sent again, on another connection. */
  persistent = false
  carrier: Carrier | null = null
  readonly #parts: TransmitterParts
  /** Messages that wait for the store before they are sent. */
  #held = 0
  /** QoS 0 deliveries whose bytes the socket has not taken yet; null: there never was one. */
  #leaving: Set<Delivery> | null = null

  constructor(parts: TransmitterParts) {
    this.#parts = parts
  }

  /** The connection is gone. Returns the QoS 0 deliveries that went with it. */
  detach(): Delivery[] {
    this.carrier = null
    const lost = [...(this.#leaving ?? [])]
    this.#leaving = null
    return lost
  }

  /** A QoS 0 message that nobody waits for. Returns whether it was written. */
  send0(carrier: Carrier, message: Message, retain: boolean, identifiers: readonly number[] | null): boolean {
    OPTIONS_0.retain = retain
    OPTIONS_0.identifiers = identifiers
    return this.#write(carrier, message, 0, OPTIONS_0)
  }

  /**
   * Send what it is the turn of: at once, or when the store has the state that it leads to. Messages behind one that waits
   * for the store wait with it, whatever their QoS: they keep the order in which they were published.
   */
  send(carrier: Carrier, delivery: Delivery): void {
    const { state, safe } = delivery
    const isMessage = state !== RELEASED
    if (safe && (this.#held === 0 || !isMessage)) {
      this.#sendNow(carrier, delivery)
      return
    }
    if (isMessage) {
      this.#held++
      delivery.message!.keep()
    }
    const end = (isSafe: boolean): void => {
      if (isMessage) this.#held--
      if (!isSafe || delivery.state !== state) return
      delivery.safe = true
      if (this.carrier === carrier) this.#sendNow(carrier, delivery)
    }
    // What could not be written is sent when the client comes back; the store has told of its trouble.
    this.#parts.durable().then(
      () => end(true),
      () => end(safe),
    )
  }

  #sendNow(carrier: Carrier, delivery: Delivery): void {
    if (delivery.state !== RELEASED) this.#publish(carrier, delivery)
    else writeAcknowledgement(carrier.out, carrier.version, PUBREL, delivery.packetId, 0)
  }

  #publish(carrier: Carrier, delivery: Delivery): void {
    const message = delivery.message!
    if (!this.#write(carrier, message, delivery.packetId, delivery)) {
      if (delivery.own) this.#dropped(carrier, message, delivery.qos)
      this.#parts.tooLarge(delivery)
      return
    }
    if (delivery.qos === 0) this.#watch(carrier, delivery)
    else if (this.persistent) message.keep()
    else delivery.message = null // a session that ends with its connection sends nothing twice
    if (delivery.own) this.#tellDelivered(message, delivery.qos)
  }

  #watch(carrier: Carrier, delivery: Delivery): void {
    this.#leaving ??= new Set()
    this.#leaving.add(delivery)
    carrier.out.afterFlush(() => {
      if (this.#leaving?.delete(delivery)) this.#parts.taken(delivery)
    })
  }

  #write(carrier: Carrier, message: Message, packetId: number, options: PublishOptions): boolean {
    const now = message.expiresAt === 0 ? 0 : this.#parts.now()
    const { out, version, maximumPacketSize, aliases } = carrier
    return writePublish(out, version, message, packetId, options, maximumPacketSize, now, aliases) > 0
  }

  #dropped(carrier: Carrier, message: Message, qos: QoS): void {
    carrier.out.counters.publishDropped++
    const { events, clientId } = this.#parts
    if (!events.wants('message.dropped')) return
    events.emit('message.dropped', { clientId, topic: message.topic, qos, reason: 'packet-too-large' })
  }

  #tellDelivered(message: Message, qos: QoS): void {
    const { events, clientId } = this.#parts
    if (!events.wants('message.delivered')) return
    events.emit('message.delivered', { clientId, topic: message.topic, qos, bytes: message.payloadLength })
  }
}

/** Options of the QoS 0 message being written: one object for all of them, read before anybody else writes. */
const OPTIONS_0: PublishOptions = { qos: 0, retain: false, dup: false, identifiers: null, properties: null }
