/**
 * What the store keeps of one session's deliveries: each message of its own, if the session outlives its connection; and, at
 * QoS 2, which messages that a namespace keeps the client has in hand. Packet identifier and state are with each, so a restart
 * goes on where the exchange was.
 */

import type { Counters } from '../core/counters.ts'
import { Message } from '../core/message.ts'
import type { MessageLog, StoredMessage } from '../store/store.ts'
import { Delivery, markOf, withdrawnMarkOf } from './delivery.ts'

const NOTHING = Buffer.alloc(0)

export class Ledger {
  readonly #clientId: string
  readonly #log: MessageLog
  readonly #counters: Counters

  constructor(parts: { clientId: string; log: MessageLog; counters: Counters }) {
    this.#clientId = parts.clientId
    this.#log = parts.log
    this.#counters = parts.counters
  }

  /** Keep a message. Returns its entry in the log. */
  append(entry: StoredMessage): number {
    return this.#log.append(this.#clientId, entry)
  }

  /** The client is about to be sent a message that its namespace keeps: keep that it has it. Mark it next. */
  assign(delivery: Delivery): void {
    const { topic, qos, retain, identifiers, reference } = delivery
    const message = Message.of({ topic, payload: NOTHING })
    delivery.logId = this.append({ message, qos, retain, identifiers, reference })
  }

  /**
   * The entry of a delivery could not be read: its client may have the message, and know the identifier. Keeps, in place of it, that
   * the identifier is to be had back before another message has it.
   */
  replace(packetId: number): Delivery {
    const stored: StoredMessage = {
      message: Message.of({ topic: '', payload: NOTHING }),
      qos: 2,
      retain: false,
      identifiers: null,
    }
    const delivery = new Delivery(stored.message, 2, false, null, null, null, null, this.append(stored), true)
    delivery.packetId = packetId
    this.count(delivery, 1)
    return delivery
  }

  /** Keep its state and identifier with it. */
  mark(delivery: Delivery): void {
    if (delivery.logId === 0) return
    this.#log.mark(this.#clientId, delivery.logId, markOf(delivery))
    delivery.safe = delivery.qos < 2
  }

  /** The namespace does not count on this client any more. */
  withdraw(delivery: Delivery): void {
    if (delivery.logId === 0 || delivery.own) return
    this.#log.mark(this.#clientId, delivery.logId, withdrawnMarkOf(delivery))
  }

  /** It need not be kept any more. */
  remove(delivery: Delivery): void {
    if (delivery.logId === 0) return
    this.#log.remove(this.#clientId, delivery.logId)
    this.count(delivery, -1)
  }

  /** One more, or less, of the session's messages that is stored. */
  count({ logId, own, size }: Delivery, sign: 1 | -1): void {
    if (logId === 0 || !own) return
    this.#counters.queuedMessages += sign
    this.#counters.queuedBytes += sign * size
  }
}
