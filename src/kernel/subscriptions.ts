/** Subscriptions of sessions: checked, allowed, given to the namespace that owns the filter, and kept. */

import { isDeepStrictEqual } from 'node:util'
import type { EventMap, Events } from '../core/events.ts'
import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { filterBehind, filterProblem } from '../core/topics.ts'
import type { Session } from '../session/session.ts'
import type { Sessions } from '../session/sessions.ts'
import { placesOf } from '../session/subscription-map.ts'
import type { Store } from '../store/store.ts'
import type { Access } from './access.ts'
import type { Namespaces, Place } from './namespaces.ts'
import type { AfterGrant, Logger, Namespace, Subscription } from './plugin-contract.ts'

type RemovalReason = EventMap['subscription.removed']['reason']

/** Subscriptions and messages that are looked at in one turn when the rules change: a few milliseconds. */
const SLICE = 1_000

export interface SubscriptionsParts {
  access: Access
  namespaces: Namespaces
  sessions: Sessions
  store: Store
  events: Events
  log: Logger
  maxTopicLevels: number
  /** Bytes of the longest filter. Default: what MQTT can say. */
  maxTopicBytes?: number
  /** How many one session may have. Default: any number. */
  maxSubscriptions?: number
}

export class Subscriptions {
  readonly #parts: SubscriptionsParts

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts
  }

  /**
   * Grant a subscription. Resolves when it is safe, with what is to be run after the client was told. Rejects with a
   * Refusal: 0x8f (no filter), 0x87 (not allowed), 0x97 (too many), or what the namespace says.
   */
  async add(session: Session, subscription: Subscription): Promise<AfterGrant | undefined> {
    const { filter, qos } = subscription
    const { sessions, events } = this.#parts
    const { clientId } = session
    try {
      this.#check(session, filter)
      const place = this.#placeOf(filter)
      const { namespace } = place
      const { connected } = session
      const { epoch } = this.#parts.access
      const after = await namespace.subscribe(session, shownAt(place, subscription), false)
      if (sessions.get(clientId) !== session) {
        namespace.unsubscribe(session, place.filter)
        throw new Refusal(ReasonCode.UnspecifiedError, 'the session has ended meanwhile')
      }
      if (this.#isFull(session, filter)) {
        this.#end(session, place) // others of the same packet were granted meanwhile
        throw this.#full()
      }
      if (this.#parts.access.epoch !== epoch) this.#checkAgain(session, place, filter)
      const before = session.subscriptions.get(filter)
      session.subscriptions.set(filter, subscription)
      sessions.save(session)
      if (session.persistent) await this.#makeSafe(session, subscription, before)
      // Another one in its place is of the same packet [MQTT-3.8.4-5].
      if (sessions.get(clientId) === session && !session.subscriptions.has(filter)) {
        throw new Refusal(ReasonCode.NotAuthorized, 'the rules have changed meanwhile')
      }
      if (connected && !session.connected) namespace.detach?.(session, false)
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
      try {
        await this.#subscribeAgain(session, subscription)
      } catch (error) {
        session.subscriptions.delete(filter)
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

  /**
   * Take from a session what its client may not read, by the rules of now: subscriptions, and messages that are on their way. To
   * be done before a client that is back is sent anything.
   */
  review(session: Session): void {
    const { access } = this.#parts
    if (access.open) return
    for (const filter of session.subscriptions.keys()) {
      if (!access.maySubscribe(session, this.accessTopic(filter))) this.remove(session, filter, 'not-authorized')
    }
    if (session.outbox.size === 0) return
    const known = new Map<string, boolean>()
    session.outbox.revoke((topic) => {
      const readable = known.get(topic) ?? access.maySubscribe(session, topic)
      known.set(topic, readable)
      return readable
    })
  }

  /** The rules have changed: review every session, those of connected clients first, a slice a turn of the event loop. */
  async reviewAll(): Promise<void> {
    let left = SLICE
    for (const connected of [true, false]) {
      for (const session of this.#parts.sessions.values()) {
        if (session.connected !== connected) continue
        left -= 1 + session.subscriptions.size + session.outbox.size
        this.review(session)
        if (left > 0) continue
        await new Promise(setImmediate)
        left = SLICE
      }
    }
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
  }

  /**
   * The client is told that it is subscribed once that is on disk; or it is not subscribed. What it asks for again waits
   * for no disk that fails: a consumer that has come back goes on.
   */
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
    const { access, events, maxTopicLevels, maxTopicBytes } = this.#parts
    const problem = filterProblem(filter, maxTopicLevels, maxTopicBytes)
    if (problem !== null) throw new Refusal(ReasonCode.TopicFilterInvalid, problem)
    if (this.#isFull(session, filter)) throw this.#full()
    if (access.maySubscribe(session, this.accessTopic(filter))) return
    const { clientId, username, address } = session
    events.emit('access.denied', { clientId, username, address, action: 'subscribe', topic: filter })
    throw new Refusal(ReasonCode.NotAuthorized, 'not allowed to subscribe to this filter')
  }

  /** Whether the session has as many as it may, and this one is not among them. */
  #isFull({ subscriptions }: Session, filter: string): boolean {
    const { maxSubscriptions = Infinity } = this.#parts
    return subscriptions.places + placesOf(filter) > maxSubscriptions && !subscriptions.has(filter)
  }

  #full(): Refusal {
    return new Refusal(ReasonCode.QuotaExceeded, `a client has at most ${this.#parts.maxSubscriptions} subscriptions`)
  }

  /** The rules have changed while the namespace was asked. */
  #checkAgain(session: Session, place: Place, filter: string): void {
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
