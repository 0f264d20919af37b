/** Subscriptions of sessions: checked, allowed, given to the namespace that owns the filter, and kept. */

import { isDeepStrictEqual } from 'node:util'
import type { EventMap, Events } from '../core/events.ts'
import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { LEVEL_BYTES, SharedRoom, SUBSCRIPTION_BYTES } from '../core/shared-room.ts'
import { filterBehind, filterProblem } from '../core/topics.ts'
import type { Session } from '../session/session.ts'
import type { Sessions } from '../session/sessions.ts'
import { placesOf } from '../session/subscribed.ts'
import type { Store } from '../store/store.ts'
import type { Access } from './access.ts'
import { tellDenied } from './denial.ts'
import type { Namespaces, Place } from './namespaces.ts'
import type { AfterGrant, Logger, Namespace, Subscription } from './plugin-contract.ts'

type RemovalReason = EventMap['subscription.removed']['reason']

export interface SubscriptionsParts {
  access: Access
  namespaces: Namespaces
  sessions: Sessions
  store: Store
  events: Events
  log: Logger
  limits: SubscriptionLimits
  /** Memory that all clients share. Default: any. */
  room?: SharedRoom
}

export interface SubscriptionLimits {
  maxTopicLevels: number
  /** Bytes of the longest filter. */
  maxTopicBytes: number
  /** How many one session may have. */
  maxSubscriptions: number
}

export class Subscriptions {
  readonly #parts: SubscriptionsParts
  /** For what is asked for from now on. */
  limits: SubscriptionLimits
  readonly #room: SharedRoom

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts
    this.#room = parts.room ?? new SharedRoom()
    this.limits = parts.limits
  }

  /**
   * Grant a subscription. Resolves when it is safe, with what is to be run after the client was told. Rejects with a
   * Refusal: 0x8f (no filter), 0x87 (not allowed), 0x97 (too many), or what the namespace says.
   */
  async add(session: Session, subscription: Subscription): Promise<AfterGrant | undefined> {
    const { filter, qos } = subscription
    const { events } = this.#parts
    const { clientId } = session
    try {
      this.#check(session, filter)
      const after = await this.#grant(session, subscription)
      events.emit('subscription.added', { clientId, filter, qos })
      return after
    } catch (error) {
      const { code: reasonCode, message: reason } = asRefusal(error)
      events.emit('subscription.refused', { clientId, filter, reasonCode, reason })
      throw error
    }
  }

  /** End a subscription. Returns whether there was one. */
  remove(session: Session, filter: string, reason: RemovalReason = 'unsubscribed'): boolean {
    if (!session.subscriptions.delete(filter)) return false
    this.#weigh(session, -weightOf(filter))
    this.#end(session, this.#placeOf(filter))
    this.#parts.sessions.save(session)
    this.#parts.events.emit('subscription.removed', { clientId: session.clientId, filter, reason })
    return true
  }

  /** A session was found in the store: subscribe it as it was, but for what a namespace no longer takes. */
  async restore(session: Session): Promise<void> {
    const { clientId } = session
    for (const subscription of session.subscriptions.values()) {
      const { filter } = subscription
      this.#weigh(session, weightOf(filter))
      try {
        await this.#subscribeAgain(session, subscription)
      } catch (error) {
        session.subscriptions.delete(filter)
        this.#weigh(session, -weightOf(filter))
        this.#parts.log.warn({ clientId, filter, error }, 'a subscription could not be restored')
      }
    }
  }

  /** A session was found in the store, and is subscribed: what was on its way to its client goes on. */
  async resume(session: Session): Promise<void> {
    const { outbox } = session
    if (outbox.interrupted.length === 0) return
    for (const namespace of this.#ownersOf(session)) await namespace.resume?.(session, outbox)
  }

  /** The session's client is back, and has its CONNACK. */
  attach(session: Session): void {
    for (const namespace of this.#ownersOf(session)) namespace.attach?.(session)
  }

  /** What access is asked about when a client subscribes to `filter`: what it could receive. */
  accessTopic(filter: string): string {
    return this.#parts.namespaces.canonical(filterBehind(filter))
  }

  /** The session's client is gone; `ended`: the session is too. */
  detach(session: Session, ended: boolean): void {
    for (const namespace of this.#ownersOf(session)) namespace.detach?.(session, ended)
    if (!ended) return
    const { clientId } = session
    for (const filter of session.subscriptions.keys()) {
      this.#parts.events.emit('subscription.removed', { clientId, filter, reason: 'session-ended' })
    }
    session.subscriptions.clear()
    this.#weigh(session, -session.subscriptionsWeight)
  }

  #weigh(session: Session, change: number): void {
    session.subscriptionsWeight += change
    this.#room.used += change
  }

  async #grant(session: Session, subscription: Subscription): Promise<AfterGrant | undefined> {
    const place = this.#placeOf(subscription.filter)
    const { namespace } = place
    const { connected } = session
    const { epoch } = this.#parts.access
    const after = await namespace.subscribe(session, shownAt(place, subscription), false)
    this.#checkAgain(session, place, subscription.filter, epoch)
    await this.#keep(session, subscription)
    if (connected && !session.connected) namespace.detach?.(session, false)
    return after
  }

  /** The client is told that it is subscribed once that is on disk; or it is not subscribed. */
  async #keep(session: Session, subscription: Subscription): Promise<void> {
    const { sessions } = this.#parts
    const { clientId, subscriptions } = session
    const { filter } = subscription
    const before = subscriptions.get(filter)
    subscriptions.set(filter, subscription)
    if (before === undefined) this.#weigh(session, weightOf(filter))
    sessions.save(session)
    if (!session.persistent) return
    await this.#makeSafe(session, subscription, before)
    // Another one in its place is of the same packet [MQTT-3.8.4-5].
    if (sessions.get(clientId) === session && !subscriptions.has(filter)) {
      throw new Refusal(ReasonCode.NotAuthorized, 'the rules have changed meanwhile')
    }
  }

  /** What a client asks for again waits for no disk that fails: a consumer that has come back goes on. */
  async #makeSafe(session: Session, subscription: Subscription, before: Subscription | undefined): Promise<void> {
    const { store } = this.#parts
    if (store.fault !== null && before !== undefined && isDeepStrictEqual(before, subscription)) return
    try {
      await store.durable()
    } catch (error) {
      this.remove(session, subscription.filter, 'not-stored')
      throw error
    }
  }

  #check(session: Session, filter: string): void {
    const { access, events } = this.#parts
    const { maxTopicLevels, maxTopicBytes } = this.limits
    const problem = filterProblem(filter, maxTopicLevels, maxTopicBytes)
    if (problem !== null) throw new Refusal(ReasonCode.TopicFilterInvalid, problem)
    if (this.#isFull(session, filter)) throw this.#full()
    this.#checkRoom(session, filter)
    if (access.maySubscribe(session, this.accessTopic(filter))) return
    tellDenied(events, session, 'subscribe', filter)
    throw new Refusal(ReasonCode.NotAuthorized, 'not allowed to subscribe to this filter')
  }

  /** Whether the session has as many as it may, and this one is not among them. */
  #isFull({ subscriptions }: Session, filter: string): boolean {
    return subscriptions.places + placesOf(filter) > this.limits.maxSubscriptions && !subscriptions.has(filter)
  }

  #checkRoom({ subscriptions, subscriptionsWeight }: Session, filter: string): void {
    if (subscriptionsWeight + weightOf(filter) < this.#room.share || subscriptions.has(filter)) return
    this.#room.short()
    throw new Refusal(ReasonCode.QuotaExceeded, 'there is no room for this subscription now')
  }

  #full(): Refusal {
    return new Refusal(ReasonCode.QuotaExceeded, `a client has at most ${this.limits.maxSubscriptions} subscriptions`)
  }

  /** While the namespace was asked the session may have ended, other filters been granted, and rules changed since `epoch`. */
  #checkAgain(session: Session, place: Place, filter: string, epoch: number): void {
    const { sessions, access } = this.#parts
    if (sessions.get(session.clientId) !== session) {
      place.namespace.unsubscribe(session, place.filter)
      throw new Refusal(ReasonCode.UnspecifiedError, 'the session has ended meanwhile')
    }
    if (this.#isFull(session, filter)) {
      this.#end(session, place) // others of the same packet were granted
      throw this.#full()
    }
    if (access.epoch === epoch) return
    try {
      this.#check(session, filter)
    } catch (error) {
      // It may have replaced one that was there.
      if (!this.remove(session, filter, 'not-authorized')) place.namespace.unsubscribe(session, place.filter)
      throw error
    }
  }

  /**
   * Several subscriptions of a session may be one to their namespace, as `queue/a`, `$q/a` and `$share/g/queue/a` are. It ends
   * with the last of them; until then it is what another of them asked for.
   */
  #end(session: Session, place: Place): void {
    const { clientId } = session
    // Where filters are shown as they are, none is another's; with very many of them to look through, that matters.
    const others = place.namespace.sharing ? [] : session.subscriptions.values()
    const ending = place.filter.slice(place.filter.indexOf('/')) // what all its names have in common
    for (const other of others) {
      if (!other.filter.endsWith(ending)) continue
      const { namespace, filter } = this.#placeOf(other.filter)
      if (namespace !== place.namespace || filter !== place.filter) continue
      this.#subscribeAgain(session, other).catch((error: unknown) =>
        this.#parts.log.error({ clientId, filter: other.filter, error }, 'a subscription could not be kept'),
      )
      return
    }
    place.namespace.unsubscribe(session, place.filter)
  }

  async #subscribeAgain(session: Session, subscription: Subscription): Promise<void> {
    const place = this.#placeOf(subscription.filter)
    await place.namespace.subscribe(session, shownAt(place, subscription), true)
  }

  #placeOf(filter: string): Place {
    return this.#parts.namespaces.placeOf(filter)
  }

  #ownersOf(session: Session): Set<Namespace> {
    const owners = new Set<Namespace>()
    for (const filter of session.subscriptions.keys()) owners.add(this.#placeOf(filter).namespace)
    return owners
  }
}

/** The subscription as its namespace sees it. */
function shownAt({ filter }: Place, subscription: Subscription): Subscription {
  return filter === subscription.filter ? subscription : { ...subscription, filter }
}

/** Bytes of memory that a subscription takes, where it shares no level of the tree with others. */
function weightOf(filter: string): number {
  let levels = 1
  for (let at = filter.indexOf('/'); at !== -1; at = filter.indexOf('/', at + 1)) levels++
  return SUBSCRIPTION_BYTES + LEVEL_BYTES * levels + filter.length
}
