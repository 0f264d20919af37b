/** A client's life: let in, connected with a session, gone. What a transport calls. */

import type { Clock, Timer } from '../core/clock.ts'
import type { Counters } from '../core/counters.ts'
import type { DisconnectReason, Events } from '../core/events.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import type { Carrier } from '../session/carrier.ts'
import type { Session } from '../session/session.ts'
import type { Opened, Opening, Sessions } from '../session/sessions.ts'
import type { Store } from '../store/store.ts'
import type { Access, Admission } from './access.ts'
import type { Admissions } from './admission.ts'
import { tellDenied } from './denial.ts'
import { Exchange } from './exchange.ts'
import type { Credentials } from './plugin-contract.ts'
import type { Review } from './review.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Wills } from './wills.ts'

export interface ClientsParts {
  access: Access
  sessions: Sessions
  subscriptions: Subscriptions
  review: Review
  wills: Wills
  events: Events
  counters: Counters
  store: Store
  clock: Clock
  admissions: Admissions
}

export interface Connecting extends Opening {
  keepAliveSeconds: number
  /** When the client's proof of who it is is void, in milliseconds since the epoch; null, or left out: never. */
  expiresAt?: number | null
}

/** How a connection ended. */
export interface Departure {
  reason: DisconnectReason
  /** The reason code that was sent or received; 0 when there was none. */
  reasonCode: number
  /** Whether the client's will is to be published. */
  publishWill: boolean
  /** More about it, in words. Default: none. */
  message?: string
}

export class Clients {
  readonly #parts: ClientsParts
  /** When connections end whose client has come in with a proof that does not last. */
  readonly #expiries = new Map<Session, Timer>()

  constructor(parts: ClientsParts) {
    this.#parts = parts
  }

  /** Resolves with who the client is when it may connect; rejects with a Refusal: see Admissions. */
  admit(credentials: Credentials): Promise<Admission> {
    return this.#parts.admissions.admit(credentials)
  }

  /** An enhanced authentication by this method; null: clients of that listener are offered none of that name. */
  exchange(method: string, credentials: Credentials): Exchange | null {
    const { access, admissions } = this.#parts
    const found = access.methodFor(credentials.listener, method)
    return found === null ? null : new Exchange(found, credentials, admissions)
  }

  /**
   * A connected client has proved anew who it is. What its rights of now do not allow is taken from it.
   * @throws Refusal 0x87 when it is somebody else now
   */
  renewed(session: Session, { username, grants, expiresAt }: Admission): void {
    if (username !== session.username) throw new Refusal(ReasonCode.NotAuthorized, 'this is another user')
    const { access, review, sessions } = this.#parts
    session.grants = grants
    sessions.save(session) // its will is judged by them too
    access.forget(session)
    review.one(session)
    this.expireAt(session, expiresAt)
  }

  /**
   * A session is its user's: no other, who chose the same client identifier, gets it, ends it, or sends its client away. Ask
   * this before any of that is done, in the same run of code. Throws a Refusal 0x87.
   */
  checkOwner({ clientId, address }: Credentials, { username, proved }: Admission): void {
    const session = this.#parts.sessions.get(clientId)
    if (session === undefined || !session.proved || (proved && session.username === username)) return
    tellDenied(this.#parts.events, { clientId, username, address }, 'connect', null)
    throw new Refusal(ReasonCode.NotAuthorized, 'the client identifier is in use by another user')
  }

  /**
   * Open the session of an admitted client. It is in force at once, its will too, and ends with `gone`; the client may hear
   * of it when `safe`, if there is one, resolves: what CONNACK says must be true after a crash.
   * @throws Refusal 0x97 when there is no room for another session
   */
  open(connecting: Connecting): Opened & { safe: Promise<void> | undefined } {
    const { sessions, wills } = this.#parts
    const opened = sessions.open(connecting)
    wills.returned(opened.session)
    return { ...opened, safe: opened.written ? this.#safe(opened.present) : undefined }
  }

  /** While nothing can be written, a session that is on disk goes on with what can be read; a new one has to wait. */
  #safe(present: boolean): Promise<void> | undefined {
    const { store } = this.#parts
    if (store.fault === null) return store.durable()
    if (present) return undefined
    return Promise.reject(new Refusal(ReasonCode.ServerUnavailable, 'no session can be kept now'))
  }

  /** The client has its CONNACK: send what waits for it. */
  connected(session: Session, carrier: Carrier, connecting: Connecting, sessionPresent: boolean): void {
    const { events, counters, review, subscriptions } = this.#parts
    counters.clientsConnected++
    if (counters.clientsConnected > counters.clientsMaximum) counters.clientsMaximum = counters.clientsConnected
    const { clientId, username, address } = session
    const { clean: cleanStart, keepAliveSeconds } = connecting
    const protocolVersion = carrier.version
    const data = { clientId, username, address, protocolVersion, cleanStart, keepAliveSeconds, sessionPresent }
    events.emit('client.connected', data)
    review.one(session)
    session.attach(carrier)
    subscriptions.attach(session)
    if (connecting.expiresAt != null) this.expireAt(session, connecting.expiresAt)
  }

  /** The proof by which this client was let in is void at that time, and no earlier one any more; null: never. */
  expireAt(session: Session, expiresAt: number | null): void {
    const { clock } = this.#parts
    this.#expiries.get(session)?.cancel()
    this.#expiries.delete(session)
    if (expiresAt === null) return
    const text = 'what the client was let in with is valid no longer'
    const end = (): void => session.carrier?.close(new Refusal(ReasonCode.NotAuthorized, text), 'credentials-expired')
    this.#expiries.set(session, clock.after(expiresAt - clock.now(), end))
  }

  /** The client wants its session to outlive the connection for so many seconds. */
  changeExpiry(session: Session, seconds: number): void {
    this.#parts.sessions.changeExpiry(session, seconds)
  }

  /** Send a client away. Returns whether it was connected. */
  disconnect(clientId: string, refusal: Refusal): boolean {
    const carrier = this.#parts.sessions.get(clientId)?.carrier ?? null
    carrier?.close(refusal)
    return carrier !== null
  }

  /** End a session, now if its client is away, else with the connection. Returns whether there was one. */
  endSession(clientId: string, refusal: Refusal): boolean {
    const { sessions } = this.#parts
    const session = sessions.get(clientId)
    if (session === undefined) return false
    sessions.changeExpiry(session, 0)
    if (session.carrier === null) sessions.discard(session)
    else session.carrier.close(refusal)
    return true
  }

  /** The client's connection is gone. One that never had its CONNACK is not told of, as its coming was not. */
  gone(session: Session, departure: Departure): void {
    const { sessions, subscriptions, wills, access, events, counters } = this.#parts
    const { clientId, address, connected } = session
    this.expireAt(session, null)
    if (connected) counters.clientsConnected--
    const { reason, reasonCode, message = '' } = departure
    if (!departure.publishWill) session.will = null // [MQTT-3.1.2-10]
    if (connected) events.emit('client.disconnected', { clientId, reason, reasonCode, address, message })
    if (connected && reason === 'takeover') events.emit('session.taken-over', { clientId })
    const ended = !session.persistent
    session.detach(ended)
    if (connected || ended) subscriptions.detach(session, ended)
    sessions.release(session)
    if (ended) wills.ended(session)
    else wills.due(session)
    access.forget(session)
  }
}
