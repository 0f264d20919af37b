/**
 * Access control: two chains, who you are and what you may do. The first that answers decides.
 *
 * When nobody answers: with no authenticator at all everyone is let in; otherwise no one. Likewise for authorizers.
 */

import type { KnownTopic } from '../core/known-topic.ts'
import { PublishRights, type Session } from '../session/session.ts'
import type { Authenticator, Authorizer, Credentials, SessionView } from './plugin-contract.ts'

/** So many topics of one client are remembered as decided; then it begins anew. */
const MAX_REMEMBERED = 1_000
/** Longer topics are asked about each time: ten thousand clients that make them up must not fill the memory. */
const MAX_REMEMBERED_LENGTH = 256

export interface Admission {
  /** Name of the authenticator. */
  readonly by: string
  readonly username: string | null
}

export class Access {
  readonly #authenticators: Authenticator[] = []
  readonly #authorizers: Authorizer[] = []
  /** Whether everything is allowed, as far as anyone knows: then nothing is asked, and nothing remembered. */
  #open = true
  /** Sessions that have decisions remembered. */
  #deciding = new Set<Session>()

  addAuthenticator(authenticator: Authenticator): void {
    this.#authenticators.push(authenticator)
  }

  addAuthorizer(authorizer: Authorizer): void {
    this.#authorizers.push(authorizer)
    this.#open = this.#authorizers[0]!.allowsAll ?? false
  }

  /** Who lets these credentials in, and as which user; null when nobody does. */
  async authenticate(credentials: Credentials): Promise<Admission | null> {
    const { username } = credentials
    for (const authenticator of this.#authenticators) {
      const by = authenticator.name
      const decision = await authenticator.authenticate(credentials)
      if (decision === 'deny') return null
      if (decision === 'allow') return { by, username }
      if (decision !== null) return { by, username: decision.username }
    }
    return this.#authenticators.length === 0 ? { by: 'nobody asked', username } : null
  }

  /**
   * Remembered by session and topic: on the path of every message.
   * @param known the topic as the message knows it; null: it does not
   */
  mayPublish(session: Session, topic: string, known: KnownTopic | null = null): boolean {
    if (this.#open) return true
    const rights = session.publishRights
    if (known !== null && rights !== null && rights.allowed === known) return true
    const allowed = rights?.get(topic) ?? this.#decideOnPublish(session, topic)
    if (allowed && topic.length <= MAX_REMEMBERED_LENGTH) session.publishRights!.allowed = known
    return allowed
  }

  #decideOnPublish(session: Session, topic: string): boolean {
    const allowed = this.#decide(session, 'publish', topic)
    if (topic.length > MAX_REMEMBERED_LENGTH) return allowed
    const rights = session.publishRights
    if (rights === null || rights.size >= MAX_REMEMBERED) {
      session.publishRights = new PublishRights([[topic, allowed]])
      this.#deciding.add(session)
    } else {
      rights.set(topic, allowed)
    }
    return allowed
  }

  maySubscribe(session: SessionView, filter: string): boolean {
    return this.#decide(session, 'subscribe', filter)
  }

  /** Rules have changed: forget what was decided. */
  changed(): void {
    for (const session of this.#deciding) session.publishRights = null
    this.#deciding.clear()
  }

  /** The client of `session` is gone. */
  forget(session: Session): void {
    session.publishRights = null
    this.#deciding.delete(session)
  }

  #decide(session: SessionView, action: 'publish' | 'subscribe', topic: string): boolean {
    for (const authorizer of this.#authorizers) {
      const decision = authorizer.authorize(session, action, topic)
      if (decision !== null) return decision === 'allow'
    }
    return this.#authorizers.length === 0
  }
}
