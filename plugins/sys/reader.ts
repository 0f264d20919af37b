/** One session that reads `$SYS`: what it subscribed to, and which values it has. */

import { matches, type SessionView, type Subscription } from '../../src/plugin.ts'
import type { Posted } from './board.ts'

/** How a topic reaches a reader: once, however many of its subscriptions match. */
export interface Route {
  /** With the retain flag: one of them wants it as published [MQTT-3.3.1-13]. */
  readonly retain: boolean
  readonly identifiers: readonly number[] | null
}

export class Reader {
  readonly session: SessionView
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #routes = new Map<string, Route | null>()
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
    const isNew = !this.#subscriptions.has(subscription.filter)
    this.#subscriptions.set(subscription.filter, subscription)
    this.#routes.clear()
    return isNew
  }

  unsubscribe(filter: string): void {
    this.#subscriptions.delete(filter)
    this.#routes.clear()
    for (const topic of this.#has.keys()) if (this.route(topic) === null) this.#has.delete(topic)
  }

  /** Whether it still has this very subscription. */
  holds(subscription: Subscription): boolean {
    return this.#subscriptions.get(subscription.filter) === subscription
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
    let route = this.#routes.get(topic)
    if (route === undefined) {
      route = this.#find(topic)
      this.#routes.set(topic, route)
    }
    return route
  }

  #find(topic: string): Route | null {
    const matching = [...this.#subscriptions.values()].filter(({ filter }) => matches(filter, topic))
    if (matching.length === 0) return null
    const identifiers = matching.map(({ identifier }) => identifier).filter((identifier) => identifier !== 0)
    return {
      retain: matching.some(({ retainAsPublished }) => retainAsPublished),
      identifiers: identifiers.length > 0 ? identifiers : null,
    }
  }
}
