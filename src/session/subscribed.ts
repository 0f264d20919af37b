/** What one session is subscribed to, by filter; counted, so that nobody has to ask all sessions how many there are. */

import type { Counters } from '../core/counters.ts'
import { isShared } from '../core/topics.ts'
import type { SubscriptionRecord } from '../store/store.ts'

export class Subscribed extends Map<string, SubscriptionRecord> {
  readonly #counters: Counters

  constructor(counters: Counters) {
    super()
    this.#counters = counters
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
    if (isShared(filter)) this.#counters.sharedSubscriptions += sign
    else this.#counters.subscriptions += sign
  }
}
