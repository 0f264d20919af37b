/** Publish/subscribe: the namespace that owns every topic that no other claims. */

import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import type { Message, QoS } from '../core/message.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { SharedRoom } from '../core/shared-room.ts'
import { isShared } from '../core/topics.ts'
import type { AfterGrant, Namespace, Subscription } from '../kernel/plugin-contract.ts'
import type { Enqueued } from '../session/outbox.ts'
import type { Store } from '../store/store.ts'
import { Retained, type RetainedLimits } from './retained.ts'
import { RetainedDelivery, type SendRetained } from './retained-delivery.ts'
import { RetainedExpiry } from './retained-expiry.ts'
import { SharedGroups } from './shared-groups.ts'
import type { Subscriber } from './subscriber.ts'
import { SubscriptionTree } from './subscription-tree.ts'
import type { TopicCursor } from './topic-cursor.ts'
import type { WaitingLimits } from './waiting-list.ts'

export interface PubSubParts {
  store: Store
  events: Events
  counters: Counters
  clock: Clock
  /** How much waits for a group of which nobody has room. */
  limits: WaitingLimits
  /** How much is retained. Default: any number. */
  retained?: RetainedLimits
  /** Memory that all clients share. Default: any. */
  room?: SharedRoom
}

export class PubSub implements Namespace {
  readonly #store: Store
  readonly #events: Events
  readonly #counters: Counters
  readonly #clock: Clock
  readonly #tree = new SubscriptionTree()
  readonly #retained: Retained
  readonly #delivery: RetainedDelivery
  readonly #expiry: RetainedExpiry
  readonly #groups: SharedGroups
  readonly sharing = true

  constructor(parts: PubSubParts) {
    const { store, events, counters, clock, limits, room = new SharedRoom() } = parts
    this.#store = store
    this.#events = events
    this.#counters = counters
    this.#clock = clock
    this.#retained = new Retained(parts.retained)
    this.#delivery = new RetainedDelivery(this.#retained, (...one) => this.#sendRetained(...one))
    const log = store.sessions.outgoing
    this.#groups = new SharedGroups({ tree: this.#tree, log, events, counters, now: clock.now, limits, room })
    const expire = this.#expire.bind(this)
    this.#expiry = new RetainedExpiry({ retained: this.#retained, clock, expire })
  }

  /** Retained messages, for counting. */
  get retainedCount(): number {
    return this.#retained.size
  }

  /** How much may be retained from now on; what is there stays. */
  set retainedLimits(limits: RetainedLimits) {
    this.#retained.limits = limits
  }

  /** Goes through the retained messages that `filter` matches; null: all, also those on topics with `$`. */
  retained(filter: string | null): TopicCursor<Message> {
    return filter === null ? this.#retained.everything() : this.#retained.cursor(filter)
  }

  /** Take up the retained messages that the store holds. */
  async load(): Promise<void> {
    for await (const message of this.#store.retained.load()) this.#retained.set(message)
    this.#countRetained()
    this.#expiry.watch()
  }

  /** Nothing is done any more by itself. */
  stop(): void {
    this.#expiry.stop()
  }

  accept(message: Message): void | Promise<void> {
    if (message.retain && message.payloadLength > 0 && !this.#retained.hasRoomFor(message)) {
      throw new Refusal(ReasonCode.QuotaExceeded, 'there is no room for another retained message')
    }
    let stored = false
    const { sessions: matches, groups } = this.#tree.match(message.topic, message.known)
    if (matches.length === 0 && groups.length === 0) message.unmatched = true
    const retainedUnderWay = this.#delivery.busy
    const tellDelivered = matches.length > 0 && this.#events.wants('message.delivered')
    for (let i = 0; i < matches.length; i++) {
      let match = matches[i]!
      if (match.forOwn !== undefined && match.session.clientId === message.from) {
        if (match.forOwn === null) continue
        match = match.forOwn
      }
      const { session, identifiers } = match
      if (retainedUnderWay) this.#delivery.before(session, message)
      const retain = match.retainAsPublished && message.retain
      const qos = message.qos < match.qos ? message.qos : match.qos
      if (qos === 0) {
        if (!session.connected) continue
        if (!session.outbox.send(message, retain, identifiers)) this.#dropped(session, message, 0)
        else if (tellDelivered) this.#delivered(session, message)
      } else if (this.#enqueue(session, message, qos, retain, identifiers) === 'stored') {
        stored = true
      }
    }
    for (let i = 0; i < groups.length; i++) if (groups[i]!.publish(message)) stored = true
    if (message.retain) {
      this.#retain(message)
      stored = true
    }
    if (stored) return this.#store.durable()
  }

  subscribe(session: Subscriber, subscription: Subscription, restored: boolean): AfterGrant | undefined {
    // Of retained messages a shared subscription gets none [MQTT 5.0, 3.3.1.3].
    if (isShared(subscription.filter)) return this.#groups.subscribe(session, subscription, restored)
    const isNew = this.#tree.add(session, subscription)
    const { retainHandling } = subscription
    if (restored || retainHandling === 2 || (retainHandling === 1 && !isNew)) return undefined // [MQTT-3.3.1-9..11]
    return () => {
      // It may have been given up meanwhile; another one in its place is of the same packet [MQTT-3.8.4-5].
      if (session.subscriptions.has(subscription.filter)) this.#delivery.begin(session, subscription)
    }
  }

  unsubscribe(session: Subscriber, filter: string): void {
    this.#delivery.cancel(session, filter)
    if (isShared(filter)) this.#groups.unsubscribe(session, filter)
    else this.#tree.remove(session, filter)
  }

  attach(session: Subscriber): void {
    this.#groups.attach(session)
  }

  detach(session: Subscriber, ended: boolean): void {
    this.#delivery.detach(session, ended)
    this.#groups.detach(session, ended)
    if (ended) for (const filter of session.subscriptions.keys()) this.#tree.remove(session, filter)
  }

  #enqueue(session: Subscriber, message: Message, qos: QoS, retain: boolean, ids: readonly number[] | null): Enqueued {
    const outcome = session.outbox.enqueue(message, qos, retain, ids)
    if (outcome === 'dropped') this.#dropped(session, message, qos, 'session-full')
    else if (outcome === 'no-room') this.#dropped(session, message, qos, 'no-room')
    return outcome
  }

  #retain(message: Message): void {
    const { topic } = message
    if (message.payloadLength === 0) {
      // An empty one deletes [MQTT-3.3.1-6].
      if (!this.#retained.delete(topic)) return
      this.#countRetained()
      this.#store.retained.remove(topic)
      this.#events.emit('message.retained-cleared', { topic })
      return
    }
    const own = message.copy()
    this.#retained.set(own)
    this.#countRetained()
    this.#store.retained.put(own)
    this.#expiry.watch()
    this.#events.emit('message.retained', { topic, bytes: message.payloadLength })
  }

  readonly #sendRetained: SendRetained = (session, subscription, message, identifiers) => {
    if (subscription.noLocal && message.from === session.clientId) return true // [MQTT-3.8.3-3]
    if (message.expiresAt !== 0 && message.expiresAt <= this.#clock.now()) {
      this.#expire(message)
      return true
    }
    const qos = message.qos < subscription.qos ? message.qos : subscription.qos
    if (qos > 0) {
      const outcome = this.#enqueue(session, message, qos, true, identifiers)
      return outcome === 'sent' || outcome === 'stored'
    }
    const sent = session.outbox.send(message, true, identifiers)
    if (!sent) this.#dropped(session, message, 0)
    else if (this.#events.wants('message.delivered')) this.#delivered(session, message)
    return sent
  }

  #expire(message: Message): void {
    const { topic } = message
    this.#retained.delete(topic)
    this.#countRetained()
    this.#store.retained.remove(topic)
    this.#events.emit('message.expired', { clientId: '', topic })
  }

  #countRetained(): void {
    this.#counters.retainedMessages = this.#retained.size
    this.#counters.retainedBytes = this.#retained.bytes
  }

  #delivered(session: Subscriber, { topic, payloadLength }: Message): void {
    this.#events.emit('message.delivered', { clientId: session.clientId, topic, qos: 0, bytes: payloadLength })
  }

  /** @param why left out: at QoS 0 it could not be sent */
  #dropped(session: Subscriber, { topic }: Message, qos: QoS, why?: 'session-full' | 'no-room'): void {
    this.#counters.publishDropped++
    // What is refused at QoS 0 although there is room for it is larger than the client takes.
    const reason = why ?? (session.outbox.writable ? 'packet-too-large' : 'slow')
    this.#events.emit('message.dropped', { clientId: session.clientId, topic, qos, reason })
  }
}
