/**
 * What one session subscribed to in a namespace of few topics, and how each of them reaches it: once, however many of its
 * subscriptions match (MQTT 5.0, 3.3.4). What was found is kept by topic, so it is for topics that the broker thinks up.
 */

import { matches } from '../core/topics.ts'
import type { Subscription } from './plugin-contract.ts'

export interface Route {
  /** With the retain flag of the message: one of the subscriptions wants it as published [MQTT-3.3.1-13]. */
  readonly retainAsPublished: boolean
  /** Identifiers of all subscriptions that match [MQTT-3.3.4-3]; null: they have none. */
  readonly identifiers: readonly number[] | null
}

export class SubscriptionSet {
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #routes = new Map<string, Route | null>()

  get size(): number {
    return this.#subscriptions.size
  }

  /** Returns whether there was none on this filter. */
  add(subscription: Subscription): boolean {
    const isNew = !this.#subscriptions.has(subscription.filter)
    this.#subscriptions.set(subscription.filter, subscription)
    this.#routes.clear()
    return isNew
  }

  remove(filter: string): void {
    this.#subscriptions.delete(filter)
    this.#routes.clear()
  }

  /** Whether it still has this very subscription. */
  holds(subscription: Subscription): boolean {
    return this.#subscriptions.get(subscription.filter) === subscription
  }

  /** Null: no subscription matches. */
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
      retainAsPublished: matching.some(({ retainAsPublished }) => retainAsPublished),
      identifiers: identifiers.length > 0 ? identifiers : null,
    }
  }
}
