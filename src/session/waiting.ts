/** What waits for room in a client's window, in order, within limits of number and size. */

import type { Delivery } from './delivery.ts'
import { Fifo } from './fifo.ts'
import type { Receiver } from './outbox-contract.ts'

export class Waiting {
  readonly #deliveries = new Fifo<Delivery>()
  #bytes = 0

  get length(): number {
    return this.#deliveries.length
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes
  }

  push(delivery: Delivery): void {
    this.#bytes += delivery.message!.keep().payloadLength
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

  withdraw(receiver: Receiver<unknown>, token: unknown): void {
    this.remove((delivery) => delivery.receiver === receiver && delivery.token === token)
  }
}
