/** One session that reads status: what it subscribed to, and which events it therefore wants. */

import { EVENT_TYPES, type EventType, type SessionView, SubscriptionSet } from '../../src/plugin.ts'
import { eventTopic } from './event-topic.ts'

export class Reader {
  readonly session: SessionView
  readonly subscriptions = new SubscriptionSet()
  connected: boolean
  /** Sequence number of the last event before it began to read. */
  since: number
  /** Events that are being listened to on its behalf: kept by the feed. */
  listening: readonly EventType[] = []

  constructor(session: SessionView, since: number) {
    this.session = session
    this.connected = session.connected
    this.since = since
  }

  /** The events that it wants now: none while it is not connected. */
  wants(statusTopic: string): readonly EventType[] {
    if (!this.connected) return []
    if (this.subscriptions.route(statusTopic) !== null) return EVENT_TYPES
    return EVENT_TYPES.filter((type) => this.subscriptions.route(eventTopic(type)) !== null)
  }
}
