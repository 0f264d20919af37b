/**
 * The conversation of one connection: CONNECT, SUBSCRIBE and UNSUBSCRIBE, held by Aedes, and the few words besides.
 *
 * Each packet is decoded and checked here, shown to Aedes in a form that it can make no mistake with, and decided in the
 * hooks that Aedes calls (`admit`, `grant`). When Aedes answers, the client gets the answer that we know to be right.
 * PINGREQ and DISCONNECT need no decision: they are served here, so that Aedes need not know a client that is silent.
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
import { type DisconnectPacket, readDisconnect } from '../wire/disconnect.ts'
import { readSubscribe, readUnsubscribe } from '../wire/subscribe.ts'
import { Authentication } from './authentication.ts'
import type { ConversationHost } from './conversation-host.ts'
import type { Desk, Visitor } from './desk.ts'
import * as handshake from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'
import { Subscribing, Unsubscribing } from './subscription-exchange.ts'
import { checkConnect, connackFor, keepAliveSeconds } from './welcome.ts'

const PINGRESP = Buffer.from([0xd0, 0])

export class Conversation implements Visitor {
  readonly #host: ConversationHost
  readonly #parts: LaneParts
  /** Where a matter of this connection is being decided; null: none is. */
  #desk: Desk | null = null
  #connect: ConnectPacket | null = null
  #assignedClientId: string | null = null
  #refusal: Refusal | null = null
  /** When the client named an authentication method; null: it did not. */
  #authentication: Authentication | null = null
  /** What it was let in as by that method. */
  #admission: Admission | null = null
  /** When the proof of who the client is is void; null: never. */
  #expiresAt: number | null = null
  #subscribing: Subscribing | null = null
  #unsubscribing: Unsubscribing | null = null
  #session: Session | null = null
  /** Whether the session existed before. */
  #present = false
  /** Whether the client has its CONNACK. */
  #welcomed = false
  #ended = false

  /** @param refusal why the client is turned away, whatever its CONNECT says; null: it is not */
  constructor(host: ConversationHost, parts: LaneParts, refusal: Refusal | null) {
    this.#host = host
    this.#parts = parts
    this.#refusal = refusal
  }

  /** The client's identifier; '' before CONNECT. */
  get clientId(): string {
    return this.#assignedClientId ?? this.#connect?.clientId ?? ''
  }

  /** The client's session, from the moment that it is open; the client need not know of it yet. */
  get session(): Session | null {
    return this.#session
  }

  connect(flags: number, bytes: Buffer, body: number, end: number): void {
    const connect = readConnect(flags, bytes, body, end)
    this.#connect = connect
    if (this.#refusal !== null) throw this.#refusal
    const assigned = connect.clientId === '' ? `auto-${randomUUID()}` : null
    checkConnect(connect, assigned, this.#parts.limits, null)
    this.#assignedClientId = assigned
    if (connect.authenticationMethod === null) this.#handshake()
    else this.#authenticate(connect.authenticationMethod, connect.authenticationData)
  }

  #handshake(): void {
    this.#host.hold()
    this.#host.pace.take(() => {
      if (!this.#ended) this.#desk = this.#host.desks.handshake(this)
    })
  }

  /** The client wants to prove who it is by a method: it is let in before Aedes is asked. */
  #authenticate(method: string, data: Buffer | null): void {
    this.#authentication = new Authentication(method, {
      host: this.#host,
      clients: this.#parts.clients,
      connect: this.#connect!,
      credentials: this.#credentials,
      proved: (admission, authenticated) => {
        checkConnect(this.#connect!, this.#assignedClientId, this.#parts.limits, authenticated)
        this.#admission = admission
        this.#handshake()
      },
      failed: (refusal) => this.reject(refusal),
    })
    this.#authentication.begin(data)
  }

  /** Whether AUTH is a packet for now. */
  get authenticates(): boolean {
    return this.#authentication !== null
  }

  auth(flags: number, bytes: Buffer, body: number, end: number): void {
    this.#authentication!.auth(readAuth(flags, bytes, body, end), this.#welcomed ? this.#session : null)
  }

  get #credentials(): Credentials {
    const { username, password } = this.#connect!
    return { clientId: this.clientId, username, password, ...this.#host.peer }
  }

  /** Hook of Aedes: why the client may not connect; null when it may, and its session is open. */
  async admit(): Promise<Refusal | null> {
    if (this.#session !== null) return null // it was admitted before: this is a new desk, opened for a SUBSCRIBE
    const connect = this.#connect!
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
    const connecting = { ...this.#connecting(this.#connect!), grants, proved }
    const { session, present, safe } = this.#parts.clients.open(connecting)
    this.#session = session
    this.#present = present
    if (safe !== undefined) {
      await safe
      await new Promise<void>((resolve) => this.#host.pace.take(resolve)) // many are safe at once
    }
    if (this.#desk === null) throw new Refusal(ReasonCode.ServerBusy, 'the connection was given up meanwhile')
  }

  /** Aedes is done with the handshake. */
  ready(): void {
    this.#desk = null
    this.#host.release()
  }

  subscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    const packet = readSubscribe(flags, bytes, body, end, this.#connect!.version)
    this.#subscribing = new Subscribing(this.#exchangeParts, packet)
    this.#host.hold()
    this.#desk = this.#host.desks.exchange(this, handshake.subscribeForAedes(this.#subscribing.positions))
  }

  /** Hook of Aedes: grant the subscription at this position of the SUBSCRIBE under way. Never rejects. */
  async grant(position: number): Promise<boolean> {
    return (await this.#subscribing?.grant(position)) ?? false
  }

  unsubscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    const packet = readUnsubscribe(flags, bytes, body, end, this.#connect!.version)
    const unsubscribing = new Unsubscribing(this.#exchangeParts, packet)
    this.#unsubscribing = unsubscribing
    this.#host.hold()
    const proceed = (): void => {
      if (this.#unsubscribing !== unsubscribing) return // the connection is gone
      this.#desk = this.#host.desks.exchange(this, handshake.unsubscribeForAedes(unsubscribing.positions))
    }
    if (unsubscribing.safe === null) proceed()
    else void unsubscribing.safe.then(proceed)
  }

  ping(): void {
    this.#host.write(PINGRESP)
  }

  disconnect(flags: number, bytes: Buffer, body: number, end: number): void {
    const packet = readDisconnect(flags, bytes, body, end, this.#connect!.version)
    this.#updateExpiry(packet)
    const { reasonCode } = packet
    const publishWill = reasonCode !== ReasonCode.Success // [MQTT-3.14.4-3]
    this.#host.finish({ reason: 'client', reasonCode, publishWill })
  }

  /** The connection is closed from our side. */
  end(): void {
    this.#ended = true
    this.#authentication?.end()
    this.#desk?.close()
    this.#desk = this.#subscribing = this.#unsubscribing = null
  }

  get #exchangeParts() {
    return { session: this.#session!, version: this.#connect!.version, lane: this.#parts }
  }

  #updateExpiry({ sessionExpirySeconds }: DisconnectPacket): void {
    if (sessionExpirySeconds < 0) return
    if (sessionExpirySeconds > 0 && this.#connect!.sessionExpirySeconds === 0) {
      throw new Refusal(ReasonCode.ProtocolError, 'a session that ends with its connection cannot be prolonged') // [MQTT-3.14.2-2]
    }
    this.#parts.clients.changeExpiry(this.#session!, sessionExpirySeconds)
  }

  connack(accepted: boolean): void {
    if (!accepted) {
      const refusal = this.#refusal ?? new Refusal(ReasonCode.ServerUnavailable, 'the handshake failed')
      this.#refuse(this.#connect!.version, refusal)
      this.#refused(refusal, refusalReasonOf(refusal.code))
      return
    }
    const connect = this.#connect!
    const connecting = this.#connecting(connect)
    connect.password = null // it has been checked: it need not lie in memory as long as the connection lasts
    const session = this.#session!
    const present = this.#present
    this.#welcomed = true
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

  suback(): void {
    const subscribing = this.#subscribing!
    this.#desk = this.#subscribing = null
    this.#reply(subscribing.suback())
    subscribing.finish()
    this.#host.release()
  }

  unsuback(): void {
    const unsubscribing = this.#unsubscribing!
    this.#desk = this.#unsubscribing = null
    this.#reply(unsubscribing.unsuback())
    this.#host.release()
  }

  /** The client must not be sent more than it takes [MQTT-3.1.2-24], and would wait for this for ever. */
  #reply(packet: Buffer): void {
    const maxBytes = this.#session!.carrier?.maximumPacketSize ?? 0
    if (maxBytes === 0 || packet.length <= maxBytes) this.#host.write(packet)
    else this.#host.close(ReasonCode.PacketTooLarge, 'error', 'the answer is larger than the client takes')
  }

  /** CONNECT cannot be taken. It is answered where the client's protocol is known and has an answer. */
  reject(refusal: Refusal, reason: RefusalReason = refusalReasonOf(refusal.code)): void {
    const said = refusal instanceof ConnectRefusal && refusal.isMqtt ? refusal.version : null
    const version = this.#connect?.version ?? said
    if (version !== null && (version === 5 || RETURN_CODED.has(refusal.code))) {
      this.#refuse(version, refusal)
    }
    this.#refused(refusal, reason)
    this.#host.finish({ reason: 'protocol-error', reasonCode: refusal.code, publishWill: false })
  }

  #refuse(version: number, refusal: Refusal): void {
    const said = refusal instanceof ConnectRefusal ? refusal.maximumPacketSize : 0
    const maxBytes = (this.#connect?.maximumPacketSize ?? said) || Infinity
    const connack = handshake.refusalForClient(version, refusal, maxBytes)
    if (connack.length <= maxBytes) this.#host.write(connack) // [MQTT-3.1.2-24]
  }

  #refused({ code: reasonCode, message }: Refusal, reason: RefusalReason): void {
    const { clientId } = this
    const { address } = this.#host.peer
    this.#parts.events.emit('client.connecting-refused', { clientId, address, reason, reasonCode, message })
  }

  /** The broker failed, not the client. */
  #faulty(error: unknown): void {
    this.#parts.log.error({ clientId: this.clientId, error }, 'a client could not be let in')
    this.#parts.events.emit('broker.error', { code: faultCode(error), message: 'a client could not be let in' })
  }

  abandoned(error: Error | null): void {
    // One that was refused it closes by itself.
    if (this.#refusal === null) {
      this.#parts.log.error({ clientId: this.clientId, error }, 'the transport gave a connection up')
    }
    if (!this.#welcomed) this.#host.finish({ reason: 'error', reasonCode: 0, publishWill: false })
    else this.#host.close(ReasonCode.UnspecifiedError, 'error', 'the broker failed')
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
