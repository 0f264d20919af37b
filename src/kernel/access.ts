/**
 * Access control: two chains, who you are and what you may do. The first that answers decides.
 *
 * A listener may name its authenticators. When nobody answers: with no authenticator at all everyone is let in; otherwise no
 * one. Likewise for authorizers.
 */

import { type Action, type Grants, grantsOf, NO_GRANTS } from '../core/grants.ts'
import type { KnownTopic } from '../core/known-topic.ts'
import { PublishRights, type Session } from '../session/session.ts'
import type { AuthenticationMethod, Authenticator, Authorizer, Credentials, SessionView } from './plugin-contract.ts'

/** So many topics of one client are remembered as decided; then it begins anew. */
const MAX_REMEMBERED = 1_000
/** And of all clients together: about a hundred megabytes at most. */
const MAX_REMEMBERED_IN_ALL = 250_000
/** Longer topics are asked about each time: ten thousand clients that make them up must not fill the memory. */
const MAX_REMEMBERED_LENGTH = 256

export interface Admission {
  /** Name of the authenticator. */
  readonly by: string
  readonly username: string | null
  /** When the proof is void, in milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null
  readonly grants: Grants
  /** Whether the name was proved. */
  readonly proved: boolean
}

export class Access {
  readonly #authenticators: Authenticator[] = []
  /** Of listeners that name theirs. */
  readonly #chains = new Map<string, readonly Authenticator[]>()
  readonly #methods: AuthenticationMethod[] = []
  /** Names that listeners have chosen. */
  readonly #chosen = new Map<string, readonly string[]>()
  readonly #authorizers: Authorizer[] = []
  /** Whether everything is allowed, as far as anyone knows: then nothing is asked, and nothing remembered. */
  #open = true
  /** How often the rules have changed. */
  #epoch = 0
  /** Sessions that have decisions remembered, and how many were since all were forgotten. */
  #deciding = new Set<Session>()
  #remembered = 0

  addAuthenticator(authenticator: Authenticator): void {
    this.#authenticators.push(authenticator)
  }

  addMethod(method: AuthenticationMethod): void {
    this.#methods.push(method)
  }

  /** The method of enhanced authentication that clients of this listener may use under that name, if there is one. */
  methodFor(listener: string, method: string): AuthenticationMethod | null {
    const names = this.#chosen.get(listener)
    const found = this.#methods.find((one) => one.method === method)
    return found !== undefined && (names?.includes(found.name) ?? true) ? found : null
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

  /** Of those who come by `listener`, ask the authenticators of these names only, in this order; null: all. */
  setChain(listener: string, names: readonly string[] | null): void {
    this.#chosen.delete(listener)
    this.#chains.delete(listener)
    if (names === null) return
    const byName = new Map(this.#authenticators.map((authenticator) => [authenticator.name, authenticator]))
    this.#chosen.set(listener, names)
    // A method of enhanced authentication is asked for by the client, never in a chain.
    this.#chains.set(
      listener,
      names.flatMap((name) => byName.get(name) ?? []),
    )
  }

  /** Names of the authenticators there are, methods of enhanced authentication among them. */
  get authenticators(): string[] {
    return [...this.#authenticators, ...this.#methods].map(({ name }) => name)
  }

  /** Who lets these credentials in, and as which user; null when nobody does. */
  async authenticate(credentials: Credentials): Promise<Admission | null> {
    const { username, listener } = credentials
    const named = this.#chains.get(listener)
    for (const authenticator of named ?? this.#authenticators) {
      if (named === undefined && authenticator.onlyByName) continue
      const by = authenticator.name
      const decision = await authenticator.authenticate(credentials)
      if (decision === 'deny') return null
      if (decision === null) continue
      const proved = !(authenticator.unproved ?? false)
      if (decision === 'allow') return { ...plainly(by, username), proved: proved && username !== null }
      const { expiresAt = null } = decision
      return { by, username: decision.username, grants: grantsOf(decision), proved, expiresAt }
    }
    return this.#authenticators.length > 0 || this.#methods.length > 0
      ? null
      : { ...plainly('nobody asked', username), proved: false }
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
    if (++this.#remembered > MAX_REMEMBERED_IN_ALL) this.#forgetAll()
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
    return this.#open || this.#decide(session, 'subscribe', filter)
  }

  /** Rules have changed: forget what was decided. */
  changed(): void {
    this.#epoch++
    this.#open = this.#allowAll()
    this.#forgetAll()
  }

  #forgetAll(): void {
    for (const session of this.#deciding) session.publishRights = null
    this.#deciding.clear()
    this.#remembered = 0
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

/** Let in under the name that was given, for as long as the client likes. */
function plainly(by: string, username: string | null): Omit<Admission, 'proved'> {
  return { by, username, grants: NO_GRANTS, expiresAt: null }
}
