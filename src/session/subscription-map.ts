/**
 * The subscriptions of one session by filter, and how many they count for. A long filter counts for several: twenty thousand of
 * the longest that there are would be more than a gigabyte, in memory and in the record that the store keeps.
 */

import type { SubscriptionRecord } from '../store/store.ts'

/** Bytes of a filter that count as one. */
const BYTES_EACH = 256
/** Bytes that a character has at most. */
const MAX_BYTES_EACH = 3

/** How many subscriptions one on `filter` counts for. */
export function placesOf(filter: string): number {
  return filter.length * MAX_BYTES_EACH <= BYTES_EACH ? 1 : Math.ceil(Buffer.byteLength(filter) / BYTES_EACH)
}

export class SubscriptionMap extends Map<string, SubscriptionRecord> {
  #places = 0

  /** How many they count for. */
  get places(): number {
    return this.#places
  }

  override set(filter: string, subscription: SubscriptionRecord): this {
    if (!this.has(filter)) this.#places += placesOf(filter)
    return super.set(filter, subscription)
  }

  override delete(filter: string): boolean {
    if (!super.delete(filter)) return false
    this.#places -= placesOf(filter)
    return true
  }

  override clear(): void {
    super.clear()
    this.#places = 0
  }
}
