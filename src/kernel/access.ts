/**
 * Access control: two chains, who you are and what you may do. The first that answers decides.
 *
 * When nobody answers: with no authenticator at all everyone is let in; otherwise no one. Likewise for authorizers.
 */

import { type Action, type Grants, grantsOf, NO_GRANTS } from '../core/grants.ts'
import type { Session } from '../session/session.ts'
import type { Authenticator, Authorizer, Credentials, SessionView } from './plugin-contract.ts'

/** So many topics of one client are remembered as decided; then it begins anew. */
const MAX_REMEMBERED = 1_000
/** Longer topics are asked about each time: ten thousand clients that make them up must not fill the memory. */
const MAX_REMEMBERED_LENGTH = 256

export interface Admission {
  /** Name of the authenticator. */
  readonly by: string
  readonly username: string | null
  readonly grants: Grants
  /** Whether the name was proved. */
  readonly proved: boolean
}

export class Access {
  readonly #authenticators: Authenticator[] = []
  readonly #authorizers: Authorizer[] = []
  /** Whether everything is allowed, as far as anyone knows: then nothing is asked, and nothing remembered. */
  #open = true
  /** How often the rules have changed. */
  #epoch = 0
  /** Sessions that have decisions remembered. */
  #deciding = new Set<Session>()

  addAuthenticator(authenticator: Authenticator): void {
    this.#authenticators.push(authenticator)
  }

  addAuthorizer(authorizer: Authorizer): void {
    this.#authorizers.push(authorizer)
    this.#open = this.#allowAll()
  }

  /** Whether everything is allowed to everybody. */
  get open(): boolean {
    return this.#open
  }

  /** Another number when the rules have changed. */
  get epoch(): number {
    return this.#epoch
  }

  /** Who lets these credentials in, and as which user; null when nobody does. */
  async authenticate(credentials: Credentials): Promise<Admission | null> {
    const { username } = credentials
    for (const authenticator of this.#authenticators) {
      const { name: by, unproved = false } = authenticator
      const decision = await authenticator.authenticate(credentials)
      if (decision === 'deny') return null
      if (decision === null) continue
      if (decision === 'allow') return { by, username, grants: NO_GRANTS, proved: !unproved && username !== null }
      return { by, username: decision.username, grants: grantsOf(decision), proved: !unproved }
    }
    if (this.#authenticators.length > 0) return null
    return { by: 'nobody asked', username, grants: NO_GRANTS, proved: false }
  }

  /** Remembered by session and topic: on the path of every message. */
  mayPublish(session: Session, topic: string): boolean {
    if (this.#open) return true
    const rights = session.publishRights
    const known = rights?.get(topic)
    if (known !== undefined) return known
    const allowed = this.#decide(session, 'publish', topic)
    if (topic.length > MAX_REMEMBERED_LENGTH) return allowed
    if (rights === null || rights.size >= MAX_REMEMBERED) {
      session.publishRights = new Map([[topic, allowed]])
      this.#deciding.add(session)
    } else {
      rights.set(topic, allowed)
    }
    return allowed
  }

  maySubscribe(session: SessionView, filter: string): boolean {
    return this.#open || this.#decide(session, 'subscribe', filter)
  }

  /** Rules have changed: forget what was decided. */
  changed(): void {
    this.#epoch++
    this.#open = this.#allowAll()
    for (const session of this.#deciding) session.publishRights = null
    this.#deciding.clear()
  }

  /** The client of `session` is gone. */
  forget(session: Session): void {
    session.publishRights = null
    this.#deciding.delete(session)
  }

  /** Whether nobody need be asked. */
  #allowAll(): boolean {
    const [first] = this.#authorizers
    return first === undefined || (first.allowsAll ?? false)
  }

  #decide(session: SessionView, action: Action, topic: string): boolean {
    for (const authorizer of this.#authorizers) {
      const decision = authorizer.authorize(session, action, topic)
      if (decision !== null) return decision === 'allow'
    }
    return this.#authorizers.length === 0
  }
}
