/** Who consumes: sessions and their subscriptions, with and without wildcards, and whether they are there. */

import {
  type AfterGrant,
  hasWildcard,
  matches,
  type PluginContext,
  type SessionView,
  type Subscription,
} from '../../src/plugin.ts'
import { checkFilter, nameOf } from './names.ts'
import type { QueueOptions } from './options.ts'
import type { Policies } from './policies.ts'
import type { Queue } from './queue.ts'
import type { Queues } from './queues.ts'
import { Client, Consumer, type Seat } from './rules/consumer.ts'

export class Consumers {
  readonly #context: PluginContext<QueueOptions>
  #policies: Policies
  readonly #queues: Queues
  readonly #clients = new Map<SessionView, Client>()
  /** Those that get a seat at queues to come. */
  readonly #wildcards = new Set<Consumer>()

  constructor(parts: { context: PluginContext<QueueOptions>; policies: Policies; queues: Queues }) {
    this.#context = parts.context
    this.#policies = parts.policies
    this.#queues = parts.queues
  }

  /**
   * Begin a subscription, or replace the one on the same filter: what is in flight stays.
   * @param restored it is one that was there before a restart, and is not refused
   * @throws Refusal 0x8f when the filter can match no queue, 0x97 when there are too many to make that one
   */
  subscribe(session: SessionView, { filter, qos, identifier }: Subscription, restored: boolean): AfterGrant {
    checkFilter(filter)
    if (!restored && !hasWildcard(filter)) this.#queues.use(filter)
    const consumer = this.#find(session, filter) ?? this.#add(session, filter)
    consumer.qos = qos
    consumer.identifiers = identifier > 0 ? [identifier] : null
    consumer.client.changed()
    return () => this.#activate(consumer)
  }

  unsubscribe(session: SessionView, filter: string): void {
    const consumer = this.#find(session, filter)
    if (consumer === undefined) return
    this.#deactivate(consumer)
    this.#remove(consumer)
  }

  /** The session's client is connected: all of its subscriptions are active. */
  attach(session: SessionView): void {
    for (const consumer of this.#of(session)) this.#activate(consumer)
  }

  /** The session's connection is gone. */
  detach(session: SessionView, ended: boolean): void {
    this.suspend(session)
    if (ended) for (const consumer of this.#of(session)) this.#remove(consumer)
  }

  /** Nothing more for this session until it attaches; what comes back from it goes to others. */
  suspend(session: SessionView): void {
    const active = this.#of(session).filter((consumer) => consumer.active)
    for (const consumer of active) this.#deactivate(consumer)
    // Only now: none of the session's seats may be given what another of them leaves.
    for (const { seats } of active) for (const { owner } of seats) owner.pump()
  }

  /** Other policies from now on. Who may hold less keeps what it has, and gets no more until it holds less. */
  change(policies: Policies): void {
    this.#policies = policies
    for (const { consumers } of this.#clients.values()) {
      for (const consumer of consumers.values()) {
        consumer.prefetch = this.#prefetchFor(consumer.filter)
        consumer.resume(this.#context.clock.now())
      }
    }
  }

  /** Where the session is at a queue; of several seats one for QoS 2. Undefined: nowhere. */
  seatAt(queue: Queue, session: SessionView): Seat | undefined {
    const seats = this.#of(session)
      .filter(({ filter }) => filter === queue.topic || (hasWildcard(filter) && matches(filter, queue.topic)))
      .flatMap((consumer) => [...consumer.seats].filter(({ owner }) => owner === queue))
    return seats.find(({ consumer }) => consumer.qos === 2) ?? seats[0]
  }

  /** A new queue: seats for those whose filter matches it. */
  welcome(queue: Queue): void {
    for (const consumer of this.#wildcards) if (matches(consumer.filter, queue.topic)) queue.seat(consumer)
  }

  #find(session: SessionView, filter: string): Consumer | undefined {
    return this.#clients.get(session)?.consumers.get(filter)
  }

  #of(session: SessionView): Consumer[] {
    return [...(this.#clients.get(session)?.consumers.values() ?? [])]
  }

  #add(session: SessionView, filter: string): Consumer {
    let client = this.#clients.get(session)
    if (client === undefined) {
      client = new Client(session)
      this.#clients.set(session, client)
    }
    const consumer = new Consumer(client, filter, this.#prefetchFor(filter))
    client.add(consumer)
    if (!consumer.wild) {
      this.#queues.open(filter).seat(consumer)
      return consumer
    }
    this.#wildcards.add(consumer)
    for (const queue of this.#queues.values()) if (matches(filter, queue.topic)) queue.seat(consumer)
    return consumer
  }

  /** It counts over all queues that the filter matches, so it is that of the policy for all of them. */
  #prefetchFor(filter: string): number {
    return this.#policies.of(nameOf(filter)).prefetch
  }

  #activate(consumer: Consumer): void {
    const { session, filter, active } = consumer
    // By the time of its SUBACK the client may have gone, or given the subscription up.
    if (active || !session.connected || this.#find(session, filter) !== consumer) return
    consumer.active = true
    consumer.client.window = session.outbox.window
    for (const seat of consumer.seats) seat.owner.attach(seat)
  }

  #deactivate(consumer: Consumer): void {
    if (!consumer.active) return
    consumer.active = false
    // What it had let time run out for has been settled as lost, or waits in its outbox for it to come back.
    consumer.caughtUp()
    for (const seat of consumer.seats) seat.owner.detach(seat)
  }

  #remove(consumer: Consumer): void {
    const { client, session, seats } = consumer
    client.remove(consumer)
    if (client.consumers.size === 0) this.#clients.delete(session)
    this.#wildcards.delete(consumer)
    for (const seat of seats) seat.owner.unseat(seat)
    // What it had is not the client's any more: its other subscriptions may have more.
    client.resume(this.#context.clock.now())
  }
}
