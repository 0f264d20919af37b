/**
 * CONNECT of one connection, from its bytes to CONNACK: who the client is, whether it is let in, and its session opened.
 *
 * A client that names an authentication method proves itself before Aedes is asked, any other while Aedes asks (`admit`). What
 * is refused is answered as far as the client's version of MQTT has an answer.
 */

import { randomUUID } from 'node:crypto'
import { faultCode } from '../core/errors.ts'
import type { RefusalReason } from '../core/events.ts'
import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { refusalReasonOf } from '../core/refusal-reason.ts'
import type { Admission } from '../kernel/access.ts'
import type { Connecting } from '../kernel/clients.ts'
import type { Credentials } from '../kernel/plugin-contract.ts'
import type { Session } from '../session/session.ts'
import { readAuth } from '../wire/auth.ts'
import { type ConnectPacket, ConnectRefusal, readConnect } from '../wire/connect.ts'
import { Authentication } from './authentication.ts'
import type { ConversationHost } from './conversation-host.ts'
import { refusalForClient } from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'
import { checkConnect, connackFor, keepAliveSeconds } from './welcome.ts'

/** Whoever wants in, as far as Aedes is concerned. */
export interface Applicant {
  /** Whether the matter is being decided still; else the connection was given up meanwhile. */
  readonly waits: boolean
  /** Have Aedes decide. */
  handshake(): void
}

export class Admittance {
  readonly #host: ConversationHost
  readonly #parts: LaneParts
  readonly #applicant: Applicant
  /** CONNECT; null: it has not come. */
  packet: ConnectPacket | null = null
  /** The session, from the moment that it is open. */
  session: Session | null = null
  /** Whether the client has its CONNACK. */
  welcomed = false
  #assignedClientId: string | null = null
  #refusal: Refusal | null
  /** When the client named an authentication method; null: it did not. */
  #authentication: Authentication | null = null
  /** What it was let in as by that method. */
  #admission: Admission | null = null
  /** When the proof of who the client is is void; null: never. */
  #expiresAt: number | null = null
  /** Whether the session existed before. */
  #present = false

  /** @param refusal why the client is turned away, whatever its CONNECT says; null: it is not */
  constructor(host: ConversationHost, parts: LaneParts, applicant: Applicant, refusal: Refusal | null) {
    this.#host = host
    this.#parts = parts
    this.#applicant = applicant
    this.#refusal = refusal
  }

  /** The client's identifier; '' before CONNECT. */
  get clientId(): string {
    return this.#assignedClientId ?? this.packet?.clientId ?? ''
  }

  /** Whether the client was refused. */
  get refused(): boolean {
    return this.#refusal !== null
  }

  /** The connection is gone. */
  end(): void {
    this.#authentication?.end()
  }

  /** CONNECT. @throws Refusal what is wrong with it, whoever sends it */
  connect(flags: number, bytes: Buffer, body: number, end: number): void {
    const connect = readConnect(flags, bytes, body, end)
    this.packet = connect
    if (this.#refusal !== null) throw this.#refusal
    const assigned = connect.clientId === '' ? `auto-${randomUUID()}` : null
    checkConnect(connect, assigned, this.#parts.limits, null)
    this.#assignedClientId = assigned
    if (connect.authenticationMethod === null) this.#applicant.handshake()
    else this.#authenticate(connect.authenticationMethod, connect.authenticationData)
  }

  /** The client wants to prove who it is by a method: it is let in before Aedes is asked. */
  #authenticate(method: string, data: Buffer | null): void {
    this.#authentication = new Authentication(method, {
      host: this.#host,
      clients: this.#parts.clients,
      connect: this.packet!,
      credentials: this.#credentials,
      proved: (admission, authenticated) => {
        checkConnect(this.packet!, this.#assignedClientId, this.#parts.limits, authenticated)
        this.#admission = admission
        this.#applicant.handshake()
      },
      failed: (refusal) => this.reject(refusal),
    })
    this.#authentication.begin(data)
  }

  /** Whether the client has named an authentication method, so that AUTH may come. */
  get authenticates(): boolean {
    return this.#authentication !== null
  }

  auth(flags: number, bytes: Buffer, body: number, end: number): void {
    this.#authentication!.auth(readAuth(flags, bytes, body, end), this.welcomed ? this.session : null)
  }

  get #credentials(): Credentials {
    const { username, password } = this.packet!
    return { clientId: this.clientId, username, password, ...this.#host.peer }
  }

  /** Hook of Aedes: why the client may not connect; null when it may, and its session is open. */
  async admit(): Promise<Refusal | null> {
    if (this.session !== null) return null // it was admitted before: this is a new desk, opened for a SUBSCRIBE
    const connect = this.packet!
    const credentials = this.#credentials
    try {
      const admission = this.#admission ?? (await this.#parts.clients.admit(credentials))
      connect.username = admission.username
      this.#expiresAt = admission.expiresAt
      this.#parts.clients.checkOwner(credentials, admission)
      this.#host.claim(this.clientId)
      await this.#open(admission)
      return null
    } catch (error) {
      if (!(error instanceof Refusal)) this.#faulty(error)
      this.#refusal = asRefusal(error, ReasonCode.ServerUnavailable)
      return this.#refusal
    }
  }

  /** Open the session. What is kept of it is on disk before the client hears of it. */
  async #open({ grants, proved }: Admission): Promise<void> {
    const connecting = { ...this.#connecting(this.packet!), grants, proved }
    const { session, present, safe } = this.#parts.clients.open(connecting)
    this.session = session
    this.#present = present
    if (safe !== undefined) {
      await safe
      await new Promise<void>((resolve) => this.#host.pace.take(resolve)) // many are safe at once
    }
    if (!this.#applicant.waits) throw new Refusal(ReasonCode.ServerBusy, 'the connection was given up meanwhile')
  }

  /** Aedes has decided: it is answered. */
  connack(accepted: boolean): void {
    if (!accepted) {
      const refusal = this.#refusal ?? new Refusal(ReasonCode.ServerUnavailable, 'the handshake failed')
      this.#refuse(this.packet!.version, refusal)
      this.#tellRefused(refusal, refusalReasonOf(refusal.code))
      return
    }
    const connect = this.packet!
    const connecting = this.#connecting(connect)
    connect.password = null // it has been checked: it need not lie in memory as long as the connection lasts
    const session = this.session!
    const present = this.#present
    this.welcomed = true
    const { expirySeconds } = session
    const changed = expirySeconds === connect.sessionExpirySeconds ? null : expirySeconds
    this.#host.write(
      connackFor(
        connect,
        this.#assignedClientId,
        this.#parts.limits,
        present,
        changed,
        this.#authentication?.outcome ?? null,
      ),
    )
    const carrier = this.#host.welcome(session, connect)
    this.#parts.clients.connected(session, carrier, connecting, present)
  }

  #connecting(connect: ConnectPacket): Connecting {
    const { clean, username, will, sessionExpirySeconds: expirySeconds } = connect
    const { address } = this.#host.peer
    const keepAlive = keepAliveSeconds(connect, this.#parts.limits)
    const granted = { keepAliveSeconds: keepAlive, expiresAt: this.#expiresAt }
    return { clientId: this.clientId, clean, expirySeconds, username, address, will, ...granted }
  }

  /** CONNECT cannot be taken. It is answered where the client's protocol is known and has an answer. */
  reject(refusal: Refusal, reason: RefusalReason = refusalReasonOf(refusal.code)): void {
    const said = refusal instanceof ConnectRefusal && refusal.isMqtt ? refusal.version : null
    const version = this.packet?.version ?? said
    if (version !== null && (version === 5 || RETURN_CODED.has(refusal.code))) {
      this.#refuse(version, refusal)
    }
    this.#tellRefused(refusal, reason)
    this.#host.finish({ reason: 'protocol-error', reasonCode: refusal.code, publishWill: false })
  }

  #refuse(version: number, refusal: Refusal): void {
    const said = refusal instanceof ConnectRefusal ? refusal.maximumPacketSize : 0
    const maxBytes = (this.packet?.maximumPacketSize ?? said) || Infinity
    const connack = refusalForClient(version, refusal, maxBytes)
    if (connack.length <= maxBytes) this.#host.write(connack) // [MQTT-3.1.2-24]
  }

  #tellRefused({ code: reasonCode, message }: Refusal, reason: RefusalReason): void {
    const { clientId } = this
    const { address } = this.#host.peer
    this.#parts.events.emit('client.connecting-refused', { clientId, address, reason, reasonCode, message })
  }

  /** The broker failed, not the client. */
  #faulty(error: unknown): void {
    this.#parts.log.error({ clientId: this.clientId, error }, 'a client could not be let in')
    this.#parts.events.emit('broker.error', { code: faultCode(error), message: 'a client could not be let in' })
  }
}

/** Reasons that MQTT 3.1.1 can tell in a CONNACK; for others it closes the connection [3.1.1, 3.2.2.3]. */
const RETURN_CODED = new Set<number>([
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  // As 3, server unavailable: the client may try again later.
  ReasonCode.ServerBusy,
  ReasonCode.QuotaExceeded,
  ReasonCode.ConnectionRateExceeded,
])
