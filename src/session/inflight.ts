/** The window of one client: what was sent at QoS 1 or 2 and is not settled, by packet identifier, in the order of sending. */

import type { Counters } from '../core/counters.ts'
import { type Delivery, SENT } from './delivery.ts'

export class Inflight {
  /** Made when there is something to put in, like its neighbours': thousands of sessions never have anything. */
  #deliveries: Map<number, Delivery> = NONE
  #lastPacketId = 0
  readonly #counters: Counters

  constructor(counters: Counters) {
    this.#counters = counters
  }

  get size(): number {
    return this.#deliveries.size
  }

  get(packetId: number): Delivery | undefined {
    return this.#deliveries.get(packetId)
  }

  values(): IterableIterator<Delivery> {
    return this.#deliveries.values()
  }

  /** Give the delivery an identifier that is not in use [MQTT-2.2.1-4]. There is one: the window is never that wide. */
  add(delivery: Delivery): void {
    do this.#lastPacketId = this.#lastPacketId === 65_535 ? 1 : this.#lastPacketId + 1
    while (this.#deliveries.has(this.#lastPacketId))
    delivery.packetId = this.#lastPacketId
    delivery.state = SENT
    this.#put(delivery)
  }

  /** Take up a delivery that had its identifier before the broker was restarted. */
  restore(delivery: Delivery): void {
    this.#put(delivery)
  }

  delete(delivery: Delivery): void {
    if (this.#deliveries.delete(delivery.packetId)) this.#counters.inflight--
  }

  #put(delivery: Delivery): void {
    if (this.#deliveries === NONE) this.#deliveries = new Map()
    this.#deliveries.set(delivery.packetId, delivery)
    this.#counters.inflight++
  }
}

/** Stands for every empty window, and stays empty. */
const NONE = new Map<number, Delivery>()
