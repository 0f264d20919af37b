/**
 * What a client may not read by the rules of now is taken from its session: subscriptions, and messages that are on their way.
 * Sending asks nobody, so this is done whenever something has changed: the rules, or whose session it is.
 */

import type { Session } from '../session/session.ts'
import type { Sessions } from '../session/sessions.ts'
import type { Access } from './access.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Subscriptions and messages that are looked at in one turn of the event loop: a few milliseconds. */
const SLICE = 1_000

export class Review {
  readonly #access: Access
  readonly #sessions: Sessions
  readonly #subscriptions: Subscriptions

  constructor(parts: { access: Access; sessions: Sessions; subscriptions: Subscriptions }) {
    this.#access = parts.access
    this.#sessions = parts.sessions
    this.#subscriptions = parts.subscriptions
  }

  /** To be done before a client that is back is sent anything. */
  one(session: Session): void {
    if (this.#access.open) return
    for (const filter of session.subscriptions.keys()) {
      const asked = this.#subscriptions.accessTopic(filter)
      if (!this.#access.maySubscribe(session, asked)) this.#subscriptions.remove(session, filter, 'not-authorized')
    }
    if (session.outbox.size > 0) this.#revoke(session)
  }

  /** The rules have changed: every session, those of connected clients first, a slice a turn. */
  async all(): Promise<void> {
    let left = SLICE
    for (const connected of [true, false]) {
      for (const session of this.#sessions.values()) {
        if (session.connected !== connected) continue
        left -= 1 + session.subscriptions.size + session.outbox.size
        this.one(session)
        if (left > 0) continue
        await new Promise(setImmediate)
        left = SLICE
      }
    }
  }

  /** Messages, of which many may be on one topic. */
  #revoke(session: Session): void {
    const known = new Map<string, boolean>()
    session.outbox.revoke((topic) => {
      const readable = known.get(topic) ?? this.#access.maySubscribe(session, topic)
      known.set(topic, readable)
      return readable
    })
  }
}
