/**
 * Sends new subscriptions the retained messages that they match: a slice a turn of the event loop, and no faster than the
 * client reads, so that a subscription to a million of them holds up nobody, fills no memory and loses none.
 *
 * The tree is read as it goes. A live message does not overtake the retained one of its topic: `before()` sends that first.
 */

import type { Message, QoS } from '../core/message.ts'
import type { Subscription } from '../kernel/plugin-contract.ts'
import { Fifo } from '../session/fifo.ts'
import type { Retained } from './retained.ts'
import type { Subscriber } from './subscriber.ts'
import type { TopicCursor } from './topic-cursor.ts'

/** Nodes of the tree that are visited in one turn, for all clients together: about a millisecond. */
const SLICE = 1_000
/** … and for one client before it is the next one's turn. */
const SHARE = 100
/** Unfinished subscriptions of one client that a live message is held against; no sane client has as many. */
const MAX_HELD_AGAINST = 32

/** Sends one. Returns false when it was dropped. */
export type SendRetained = (
  session: Subscriber,
  subscription: Subscription,
  message: Message,
  identifiers: readonly number[] | null,
) => boolean

interface Wanted {
  readonly subscription: Subscription
  readonly identifiers: readonly number[] | null
  readonly cursor: TopicCursor<Message>
  /** Topics of which nothing is to come in its turn: what there was has been sent before. */
  early: Set<string> | null
}

/** What one client is still to be sent. */
interface Feed {
  readonly session: Subscriber
  wanted: Wanted[]
  /** Whether it is in the list of those to go on with. */
  runnable: boolean
}

export class RetainedDelivery {
  readonly #retained: Retained
  readonly #send: SendRetained
  readonly #feeds = new Map<Subscriber, Feed>()
  readonly #runnable = new Fifo<Feed>()
  #left = SLICE
  #scheduled = false

  constructor(retained: Retained, send: SendRetained) {
    this.#retained = retained
    this.#send = send
  }

  /** Whether anybody is still to be sent something. */
  get busy(): boolean {
    return this.#feeds.size > 0
  }

  /** Send `subscription` what it matches: what fits into this turn at once, the rest in time. */
  begin(session: Subscriber, subscription: Subscription): void {
    if (this.#retained.size === 0) return
    const { filter, identifier } = subscription
    const identifiers = identifier > 0 ? [identifier] : null
    const feed = this.#feeds.get(session) ?? this.#open(session)
    feed.wanted.push({ subscription, identifiers, cursor: this.#retained.cursor(filter), early: null })
    this.#wake(feed)
    this.#run()
  }

  /**
   * A live message is about to be given to `session`: the retained one that it would overtake goes first, and if it is
   * retained in its turn it does not come again.
   */
  before(session: Subscriber, { topic, qos }: Message): void {
    const feed = this.#feeds.get(session)
    if (feed === undefined) return
    for (const wanted of feed.wanted.slice(0, MAX_HELD_AGAINST)) {
      if (wanted.early?.has(topic)) continue
      const message = wanted.cursor.ahead(topic)
      // Where there is no room now the live one is dropped as well, and this one comes in its turn.
      if (message === undefined || !hasRoom(session, wanted, message?.qos ?? qos)) continue
      if (message !== null && !this.#send(session, wanted.subscription, message, wanted.identifiers)) continue
      wanted.early ??= new Set()
      wanted.early.add(topic)
    }
  }

  /** The subscription on `filter` is given up. */
  cancel(session: Subscriber, filter: string): void {
    this.#keep(session, ({ subscription }) => subscription.filter !== filter)
  }

  /** The connection is gone. A session that goes on is sent the rest of what it is owed when it is back. */
  detach(session: Subscriber, ended: boolean): void {
    this.#keep(session, ({ subscription }) => !ended && subscription.qos > 0)
  }

  #open(session: Subscriber): Feed {
    const feed: Feed = { session, wanted: [], runnable: false }
    this.#feeds.set(session, feed)
    session.outbox.onSpareRoom = () => {
      this.#wake(feed)
      this.#schedule()
    }
    return feed
  }

  #keep(session: Subscriber, stays: (wanted: Wanted) => boolean): void {
    const feed = this.#feeds.get(session)
    if (feed === undefined) return
    feed.wanted = feed.wanted.filter(stays)
    if (feed.wanted.length === 0) this.#close(feed)
  }

  #close(feed: Feed): void {
    this.#feeds.delete(feed.session)
    feed.session.outbox.onSpareRoom = null
  }

  #wake(feed: Feed): void {
    if (feed.runnable) return
    feed.runnable = true
    this.#runnable.push(feed)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#left = SLICE
      if (this.#runnable.length > 0) this.#run()
    })
  }

  #run(): void {
    this.#schedule()
    while (this.#left > 0) {
      const feed = this.#runnable.shift()
      if (feed === undefined) return
      feed.runnable = false
      this.#goOn(feed)
    }
  }

  /** One client's share of this turn. */
  #goOn(feed: Feed): void {
    const wanted = feed.wanted[0]
    if (wanted === undefined) return
    const { cursor } = wanted
    const before = cursor.visited
    const stopped = this.#sendShare(feed, wanted, before + Math.min(SHARE, this.#left))
    this.#left -= cursor.visited - before + 1
    if (cursor.done && feed.wanted[0] === wanted) feed.wanted.shift()
    if (feed.wanted.length === 0) {
      if (this.#feeds.get(feed.session) === feed) this.#close(feed)
    } else if (!stopped || cursor.done) this.#wake(feed)
  }

  /** Returns whether it stopped for want of room. */
  #sendShare(feed: Feed, wanted: Wanted, limit: number): boolean {
    const { session } = feed
    const { subscription, identifiers, cursor } = wanted
    // Whoever is sent a message may be a function that gives up its subscription.
    while (feed.wanted[0] === wanted) {
      if (!session.outbox.hasSpareRoom(subscription.qos)) return true
      const message = cursor.next(limit)
      if (message === null) return false
      if (!wanted.early?.delete(message.topic)) this.#send(session, subscription, message, identifiers)
    }
    return false
  }
}

function hasRoom(session: Subscriber, { subscription }: Wanted, qos: QoS): boolean {
  return Math.min(qos, subscription.qos) > 0 || session.outbox.writable
}
