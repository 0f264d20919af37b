/** One session that reads status: what it subscribed to, and which events it therefore wants. */

import { EVENT_TYPES, type EventType, matches, type SessionView } from '../../src/plugin.ts'
import { eventTopic } from './event-topic.ts'

/** How a topic reaches a reader: with the identifiers of all its subscriptions that match, or (no route) not at all. */
export interface Route {
  readonly identifiers: readonly number[] | null
}

export class Reader {
  readonly session: SessionView
  connected: boolean
  /** Events that are being listened to on its behalf: kept by the feed. */
  listening: readonly EventType[] = []
  /** Subscription identifiers by filter; 0: none. */
  readonly #subscriptions = new Map<string, number>()
  /** Topics asked for before. There are as many as event types, and one. */
  readonly #routes = new Map<string, Route | null>()

  constructor(session: SessionView) {
    this.session = session
    this.connected = session.connected
  }

  /** Whether it has no subscription left. */
  get idle(): boolean {
    return this.#subscriptions.size === 0
  }

  subscribe(filter: string, identifier: number): void {
    this.#subscriptions.set(filter, identifier)
    this.#routes.clear()
  }

  unsubscribe(filter: string): void {
    this.#subscriptions.delete(filter)
    this.#routes.clear()
  }

  /** Null: none of its filters matches. However many do, it gets the message once, as everywhere. */
  route(topic: string): Route | null {
    let route = this.#routes.get(topic)
    if (route === undefined) {
      route = this.#find(topic)
      this.#routes.set(topic, route)
    }
    return route
  }

  /** The events that it wants now: none while it is not connected. */
  wants(statusTopic: string): readonly EventType[] {
    if (!this.connected) return []
    if (this.route(statusTopic) !== null) return EVENT_TYPES
    return EVENT_TYPES.filter((type) => this.route(eventTopic(type)) !== null)
  }

  #find(topic: string): Route | null {
    const matching = [...this.#subscriptions].filter(([filter]) => matches(filter, topic))
    if (matching.length === 0) return null
    const identifiers = matching.map(([, identifier]) => identifier).filter((identifier) => identifier !== 0)
    return { identifiers: identifiers.length > 0 ? identifiers : null }
  }
}
