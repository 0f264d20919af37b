/** What waits for room in a client's window, in order, within limits of number and size. */

import type { Delivery } from './delivery.ts'
import { Fifo } from './fifo.ts'
import type { Receiver } from './outbox-contract.ts'

export class Waiting {
  readonly #deliveries = new Fifo<Delivery>()
  #bytes = 0
  /** It is no use to look for expired ones before this time. */
  #nextExpiry = Infinity

  get length(): number {
    return this.#deliveries.length
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes
  }

  push(delivery: Delivery): void {
    this.#bytes += delivery.message!.keep().payloadLength
    this.#expects(delivery)
    this.#deliveries.push(delivery)
  }

  peek(): Delivery | undefined {
    return this.#deliveries.peek()
  }

  shift(): void {
    this.#bytes -= this.#deliveries.shift()!.message!.payloadLength
  }

  /** Take out, and return, those that `leaves` names. */
  remove(leaves: (delivery: Delivery) => boolean): Delivery[] {
    const left: Delivery[] = []
    for (const delivery of this.#deliveries.drain()) {
      if (!leaves(delivery)) {
        this.#deliveries.push(delivery)
        continue
      }
      this.#bytes -= delivery.message!.payloadLength
      left.push(delivery)
    }
    return left
  }

  /**
   * Take out, and return, those of publish/subscribe whose time is up. That takes a look through all of them, so it is done
   * once a second at most, and only when one may be due: this is asked for each message that finds no room.
   */
  removeExpired(now: number): Delivery[] {
    if (now < this.#nextExpiry) return []
    this.#nextExpiry = Infinity
    const expired = this.remove((delivery) => {
      if (isExpired(delivery, now)) return true
      this.#expects(delivery)
      return false
    })
    this.#nextExpiry = Math.max(this.#nextExpiry, now + 1_000)
    return expired
  }

  withdraw(receiver: Receiver<unknown>, token: unknown): void {
    this.remove((delivery) => delivery.receiver === receiver && delivery.token === token)
  }

  #expects({ own, message }: Delivery): void {
    if (own && message!.expiresAt !== 0) this.#nextExpiry = Math.min(this.#nextExpiry, message!.expiresAt)
  }
}

/** Whether a message of publish/subscribe may not be sent any more [MQTT-3.3.2-5]. Others are their receiver's business. */
export function isExpired({ own, message }: Delivery, now: number): boolean {
  return own && message!.expiresAt !== 0 && message!.expiresAt <= now
}
