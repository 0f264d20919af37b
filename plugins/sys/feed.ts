/**
 * The namespace `$SYS/`: values that behave like retained messages, and are none. Nothing is stored, at QoS 0 nothing is
 * kept for who is away, and to tell a value is no event.
 *
 * A subscriber gets all values at once, then at every tick those that are not what it was sent last. So nothing is missed
 * for good: what was dropped because a client was slow, or changed while it was away, is different at the next tick too.
 */

import {
  type AfterGrant,
  type Clock,
  isShared,
  type Logger,
  matches,
  type Namespace,
  ReasonCode,
  Refusal,
  type SessionView,
  type Subscription,
  type Timer,
} from '../../src/plugin.ts'
import type { Board, Posted } from './board.ts'
import { Reader } from './reader.ts'

export interface FeedParts {
  /** Milliseconds from tick to tick; 0: nothing is told, whoever subscribes. */
  intervalMs: number
  clock: Clock
  log: Logger
  board: Board
  /** Called at every tick, whether anybody reads or not. */
  tick: (now: number) => void
}

export class SysFeed implements Namespace {
  /** It is shown the filters of shared subscriptions, to refuse them. */
  readonly sharing = true
  readonly #parts: FeedParts
  readonly #readers = new Map<SessionView, Reader>()
  #intervalMs: number
  #timer: Timer | null = null

  constructor(parts: FeedParts) {
    this.#parts = parts
    this.#intervalMs = parts.intervalMs
  }

  start(): void {
    const { clock } = this.#parts
    const intervalMs = this.#intervalMs
    if (intervalMs === 0) return
    this.#timer = clock.after(intervalMs, () => {
      this.start()
      this.#tick()
    })
  }

  /** Another interval from now on. */
  change(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return
    this.#intervalMs = intervalMs
    this.#timer?.cancel()
    this.start()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#readers.clear()
  }

  accept(): void {
    throw new Refusal(ReasonCode.NotAuthorized, 'only the broker publishes on $SYS')
  }

  /** @throws Refusal 0x9e for a shared subscription: a value is for everyone who looks */
  subscribe(session: SessionView, subscription: Subscription, restored: boolean): AfterGrant | undefined {
    if (isShared(subscription.filter)) {
      throw new Refusal(ReasonCode.SharedSubscriptionsNotSupported, '$SYS is not shared: every reader gets all of it')
    }
    const { board, clock } = this.#parts
    const reader = this.#readers.get(session) ?? new Reader(session)
    this.#readers.set(session, reader)
    const isNew = reader.subscribe(subscription)
    // After a restart every value counts as changed.
    if (restored || this.#intervalMs === 0) return undefined
    for (const posted of board.recent(clock.now())) if (reader.route(posted.topic) !== null) reader.begin(posted)
    const { retainHandling } = subscription
    if (retainHandling === 2 || (retainHandling === 1 && !isNew)) return undefined // [MQTT-3.3.1-9..11]
    return () => this.#sendAll(reader, subscription)
  }

  unsubscribe(session: SessionView, filter: string): void {
    const reader = this.#readers.get(session)
    reader?.unsubscribe(filter)
    if (reader?.idle) this.#readers.delete(session)
  }

  detach(session: SessionView, ended: boolean): void {
    if (ended) this.#readers.delete(session)
  }

  /** As retained messages are sent: with the flag, and the identifier of this subscription alone. */
  #sendAll(reader: Reader, subscription: Subscription): void {
    if (!reader.holds(subscription)) return // given up meanwhile
    const { board, clock } = this.#parts
    const { filter, identifier } = subscription
    const identifiers = identifier > 0 ? [identifier] : null
    for (const posted of board.recent(clock.now())) {
      if (matches(filter, posted.topic)) this.#send(reader, posted, true, identifiers)
    }
  }

  #tick(): void {
    const { board, clock, tick } = this.#parts
    const now = clock.now()
    tick(now)
    const readers = [...this.#readers.values()].filter(({ session }) => session.connected)
    if (readers.length === 0) return
    const all = board.present(now)
    for (const reader of readers) this.#sendChanged(reader, all)
  }

  #sendChanged(reader: Reader, all: readonly Posted[]): void {
    for (const posted of all) {
      const route = reader.route(posted.topic)
      if (route === null || reader.knows(posted)) continue
      this.#send(reader, posted, route.retainAsPublished, route.identifiers)
    }
  }

  #send(reader: Reader, posted: Posted, retain: boolean, identifiers: readonly number[] | null): void {
    const { session } = reader
    try {
      reader.told(posted, session.outbox.send(posted.message, retain, identifiers))
    } catch (error) {
      this.#parts.log.error({ clientId: session.clientId, error }, 'a value of $SYS could not be sent')
    }
  }
}
