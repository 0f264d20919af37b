/**
 * What one session is subscribed to, by filter; counted, so that nobody has to ask all sessions how many there are. A long
 * filter takes the place of several: twenty thousand of the longest that there are would be more than a gigabyte, in memory and
 * in the record that the store keeps.
 */

import type { Counters } from '../core/counters.ts'
import { isShared } from '../core/topics.ts'
import type { SubscriptionRecord } from '../store/store.ts'

/** Bytes of a filter that take one place. */
const BYTES_EACH = 256
/** Bytes that a character has at most. */
const MAX_BYTES_EACH = 3

/** How many places a subscription on `filter` takes. */
export function placesOf(filter: string): number {
  return filter.length * MAX_BYTES_EACH <= BYTES_EACH ? 1 : Math.ceil(Buffer.byteLength(filter) / BYTES_EACH)
}

export class Subscribed extends Map<string, SubscriptionRecord> {
  readonly #counters: Counters
  #places = 0

  constructor(counters: Counters) {
    super()
    this.#counters = counters
  }

  /** How many places all of them take. */
  get places(): number {
    return this.#places
  }

  override set(filter: string, subscription: SubscriptionRecord): this {
    if (!this.has(filter)) this.#count(filter, 1)
    return super.set(filter, subscription)
  }

  override delete(filter: string): boolean {
    const was = super.delete(filter)
    if (was) this.#count(filter, -1)
    return was
  }

  override clear(): void {
    for (const filter of this.keys()) this.#count(filter, -1)
    super.clear()
  }

  #count(filter: string, sign: 1 | -1): void {
    this.#places += sign * placesOf(filter)
    if (isShared(filter)) this.#counters.sharedSubscriptions += sign
    else this.#counters.subscriptions += sign
  }
}
