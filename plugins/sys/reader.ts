/** One session that reads `$SYS`: what it subscribed to, and which values it has. */

import { type Route, type SessionView, type Subscription, SubscriptionSet } from '../../src/plugin.ts'
import type { Posted } from './board.ts'

export class Reader {
  readonly session: SessionView
  readonly #subscriptions = new SubscriptionSet()
  /** By topic, the value that the client was sent last. */
  readonly #has = new Map<string, string>()

  constructor(session: SessionView) {
    this.session = session
  }

  /** Whether it has no subscription left. */
  get idle(): boolean {
    return this.#subscriptions.size === 0
  }

  /** Returns whether there was none on this filter. */
  subscribe(subscription: Subscription): boolean {
    return this.#subscriptions.add(subscription)
  }

  unsubscribe(filter: string): void {
    this.#subscriptions.remove(filter)
    for (const topic of this.#has.keys()) if (this.route(topic) === null) this.#has.delete(topic)
  }

  /** Whether it still has this very subscription. */
  holds(subscription: Subscription): boolean {
    return this.#subscriptions.holds(subscription)
  }

  /** From this value on it is told of changes, if it was not already. */
  begin({ topic, text }: Posted): void {
    if (!this.#has.has(topic)) this.#has.set(topic, text)
  }

  knows({ topic, text }: Posted): boolean {
    return this.#has.get(topic) === text
  }

  /** The value was sent; or it could not be (too slow), and is due until it is. */
  told({ topic, text }: Posted, sent: boolean): void {
    if (sent) this.#has.set(topic, text)
    else this.#has.delete(topic)
  }

  /** Null: none of its filters matches. */
  route(topic: string): Route | null {
    return this.#subscriptions.route(topic)
  }
}
