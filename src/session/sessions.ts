/**
 * The registry of sessions: opened by CONNECT, kept or ended when the connection is gone, expired in time.
 * Expiry survives a restart: the store knows since when a client is away.
 *
 * A session that ends with its connection is in the store only if it has a will, or was kept before: its record then says,
 * after a crash, that its connection has ended and what is to be done about it.
 */

import type { Clock, Timer } from '../core/clock.ts'
import type { Counters } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import { type Grants, NO_GRANTS } from '../core/grants.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { SESSION_BYTES, SharedRoom } from '../core/shared-room.ts'
import type { Will } from '../core/will.ts'
import type { SessionStore, StoredSession } from '../store/store.ts'
import { Inbox } from './inbox.ts'
import { Outbox, type OutboxLimits } from './outbox.ts'
import { NEVER_EXPIRES, Session } from './session.ts'

export interface SessionsParts {
  store: SessionStore
  /** Resolves when what was written to the store is on disk. */
  durable: () => Promise<void>
  /** One object for all of them: what is changed in it holds from then on. */
  limits: OutboxLimits
  /** The longest a session may outlive its connection, in seconds. */
  maxExpirySeconds: number
  /** How many there may be, those of clients that are away included. Default: any number. */
  maxSessions?: number
  clock: Clock
  events: Events
  counters: Counters
  /** Memory that all of them share. Default: any. */
  room?: SharedRoom
  /** A session has ended that was not connected: its subscriptions are void. */
  onExpired: (session: Session) => void
}

export interface Opening {
  clientId: string
  /** Begin anew: what was kept for this client is void [MQTT-3.1.2-4]. */
  clean: boolean
  expirySeconds: number
  username: string | null
  /** Left out: the name was not proved. */
  proved?: boolean
  /** Left out: none. */
  grants?: Grants
  address: string
  will: Will | null
}

export interface Opened {
  session: Session
  /** It existed, and goes on. */
  present: boolean
  /** Whether the store was told something that must be on disk before the client may rely on it. */
  written: boolean
}

export class Sessions {
  readonly #parts: SessionsParts
  /** The longest that those who connect from now on may have their sessions outlive their connections. */
  maxExpirySeconds: number
  /** How many there may be; those that are there stay. */
  maxSessions: number
  readonly #sessions = new Map<string, Session>()
  readonly #expiries = new Map<string, Timer>()
  readonly #room: SharedRoom

  constructor(parts: SessionsParts) {
    this.#parts = parts
    this.#room = parts.room ?? new SharedRoom()
    this.maxExpirySeconds = parts.maxExpirySeconds
    this.maxSessions = parts.maxSessions ?? Infinity
  }

  get size(): number {
    return this.#sessions.size
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId)
  }

  values(): IterableIterator<Session> {
    return this.#sessions.values()
  }

  /** Take up what the store holds. Returns the sessions, to be subscribed again; their time goes on with `start`. */
  async load(): Promise<Session[]> {
    const { store, clock } = this.#parts
    const waiting = new Map(store.outgoing.list().map((log) => [log.name, log]))
    const loaded: Session[] = []
    for (const stored of await store.load()) {
      const session = this.#restore(stored)
      const log = waiting.get(stored.clientId)
      if (log !== undefined) {
        const lost: number[] = []
        const entries = await store.outgoing.read(log.name, log.firstId, log.count, (mark) => lost.push(mark))
        session.outbox.restore(entries, lost)
      }
      // A session that was connected when the broker went down has been away since now: kept, or each restart prolongs it.
      if (session.disconnectedAt === 0) {
        session.disconnectedAt = clock.now()
        this.save(session)
      }
      loaded.push(session)
    }
    return loaded
  }

  /** End the loaded sessions whose time was up meanwhile; the others when it is. */
  start(): void {
    for (const session of this.#sessions.values()) {
      if (this.#remainingMs(session) <= 0) this.#expire(session)
      else this.#expireLater(session)
    }
  }

  /** The session for a new connection. @throws Refusal 0x97 when it would be a new one, and there is no room for more */
  open(opening: Opening): Opened {
    const { clientId, clean } = opening
    let session = this.#sessions.get(clientId)
    if (session === undefined && this.#sessions.size >= this.maxSessions) {
      throw new Refusal(ReasonCode.QuotaExceeded, 'there is no room for another session')
    }
    this.#checkRoom(opening, session)
    const known = session?.stored ?? false
    if (clean && session !== undefined) {
      this.discard(session)
      session = undefined
    }
    this.#expiries.get(clientId)?.cancel()
    this.#expiries.delete(clientId)
    const present = session !== undefined
    session ??= this.#create(clientId, [])
    session.username = opening.username
    session.proved = opening.proved ?? false
    session.grants = opening.grants ?? NO_GRANTS
    session.publishRights = null // those of whoever was here before
    session.address = opening.address
    session.disconnectedAt = 0
    session.will = opening.will
    session.inbox.resumed = present
    this.changeExpiry(session, opening.expirySeconds)
    this.save(session)
    const { events } = this.#parts
    const { expirySeconds } = session
    if (present) events.emit('session.resumed', { clientId, expirySeconds, waiting: session.outbox.size })
    else events.emit('session.created', { clientId, expirySeconds })
    return { session, present, written: known || session.stored }
  }

  /** One that is there may always be gone on with, as long as its new will is no larger than the share of one client. */
  #checkRoom(opening: Opening, before: Session | undefined): void {
    const more = weightOf(opening) - (before?.weight ?? 0)
    if (more <= 0 || more < this.#room.share) return
    this.#room.short()
    throw new Refusal(ReasonCode.QuotaExceeded, 'there is no room for this session now')
  }

  #weigh(session: Session, weight: number): void {
    this.#room.used += weight - session.weight
    session.weight = weight
  }

  /** The session outlives its connection for so many seconds, as far as we allow it. */
  changeExpiry(session: Session, seconds: number): void {
    session.setExpiry(Math.min(seconds, this.maxExpirySeconds))
  }

  /** The connection of `session` is gone. Returns whether the session has ended with it. */
  release(session: Session): boolean {
    if (!session.persistent) {
      this.end(session)
      return true
    }
    session.disconnectedAt = this.#parts.clock.now()
    this.save(session)
    this.#expireLater(session)
    return false
  }

  /** Write the session's record, if it has one or needs one. One that has ended is not written again. */
  save(session: Session): void {
    if (this.#sessions.get(session.clientId) !== session) return
    this.#weigh(session, weightOf(session))
    if (!session.persistent && !session.stored && session.will === null) return
    session.stored = true
    this.#parts.store.put(session.record())
  }

  /** Forget a session and all that was kept for it. */
  end(session: Session): void {
    this.#sessions.delete(session.clientId)
    this.#weigh(session, 0)
    session.inbox.end()
    if (session.stored) this.#parts.store.remove(session.clientId)
    this.#parts.events.emit('session.expired', { clientId: session.clientId })
  }

  /** End a session whose client is away before its time is up. */
  discard(session: Session): void {
    this.#expiries.get(session.clientId)?.cancel()
    this.#expiries.delete(session.clientId)
    this.#expire(session)
  }

  /** Stop the timers. */
  stop(): void {
    for (const timer of this.#expiries.values()) timer.cancel()
    this.#expiries.clear()
  }

  #restore(stored: StoredSession): Session {
    const session = this.#create(stored.clientId, stored.received)
    session.username = stored.username
    session.proved = stored.proved ?? false
    session.grants = stored.grants ?? NO_GRANTS
    session.disconnectedAt = stored.disconnectedAt
    session.will = stored.will
    session.stored = true
    session.setExpiry(stored.expirySeconds)
    this.#weigh(session, weightOf(session))
    for (const subscription of stored.subscriptions) session.subscriptions.set(subscription.filter, subscription)
    return session
  }

  #create(clientId: string, received: readonly number[]): Session {
    const { store, durable, limits, events, counters, clock } = this.#parts
    const log = store.outgoing
    const room = this.#room
    const outbox = new Outbox({ clientId, limits, events, counters, now: clock.now, log, durable, room })
    const session = new Session(clientId, new Inbox(clientId, store, received, room), outbox, counters)
    this.#sessions.set(clientId, session)
    return session
  }

  #expireLater(session: Session): void {
    const remainingMs = this.#remainingMs(session)
    if (remainingMs === Infinity) return
    const { clock, counters } = this.#parts
    const expire = (): void => {
      this.#expiries.delete(session.clientId)
      counters.sessionsExpired++
      this.#expire(session)
    }
    this.#expiries.set(session.clientId, clock.after(Math.max(remainingMs, 0), expire))
  }

  #remainingMs({ expirySeconds, disconnectedAt }: Session): number {
    if (expirySeconds >= NEVER_EXPIRES) return Infinity
    return disconnectedAt + expirySeconds * 1000 - this.#parts.clock.now()
  }

  /** End a session that is not connected. */
  #expire(session: Session): void {
    this.end(session)
    session.detach(true)
    this.#parts.onExpired(session)
  }
}

/** Bytes of memory that a session takes, without what it is subscribed to and what waits in it. */
function weightOf({ clientId, username, will }: Pick<Session, 'clientId' | 'username' | 'will'>): number {
  const names = clientId.length + (username?.length ?? 0)
  const left = will === null ? 0 : will.payload.length + will.topic.length + (will.properties?.length ?? 0)
  return SESSION_BYTES + names + left
}
