/**
 * The conversation of one connection: CONNECT, SUBSCRIBE and UNSUBSCRIBE, held by Aedes, and the few words besides.
 *
 * Each packet is decoded and checked, shown to Aedes in a form that it can make no mistake with, and decided in the hooks that
 * Aedes calls: `admit`, which admittance.ts has with all else from CONNECT to CONNACK, and `grant`. When Aedes answers, the client
 * gets the answer that we know to be right.
 * PINGREQ and DISCONNECT need no decision: they are served here, so that Aedes need not know a client that is silent.
 */

import type { RefusalReason } from '../core/events.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import type { Session } from '../session/session.ts'
import { type DisconnectPacket, readDisconnect } from '../wire/disconnect.ts'
import { readSubscribe, readUnsubscribe } from '../wire/subscribe.ts'
import { Admittance, type Applicant } from './admittance.ts'
import type { ConversationHost } from './conversation-host.ts'
import type { Desk, Visitor } from './desk.ts'
import { subscribeForAedes, unsubscribeForAedes } from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'
import { Subscribing, Unsubscribing } from './subscription-exchange.ts'

const PINGRESP = Buffer.from([0xd0, 0])

export class Conversation implements Visitor, Applicant {
  readonly #host: ConversationHost
  readonly #parts: LaneParts
  readonly #admittance: Admittance
  /** Where a matter of this connection is being decided; null: none is. */
  #desk: Desk | null = null
  #subscribing: Subscribing | null = null
  #unsubscribing: Unsubscribing | null = null
  #ended = false

  /** @param refusal why the client is turned away, whatever its CONNECT says; null: it is not */
  constructor(host: ConversationHost, parts: LaneParts, refusal: Refusal | null) {
    this.#host = host
    this.#parts = parts
    this.#admittance = new Admittance(host, parts, this, refusal)
  }

  /** The client's identifier; '' before CONNECT. */
  get clientId(): string {
    return this.#admittance.clientId
  }

  /** The client's session, from the moment that it is open; the client need not know of it yet. */
  get session(): Session | null {
    return this.#admittance.session
  }

  /** Whether AUTH is a packet for now. */
  get authenticates(): boolean {
    return this.#admittance.authenticates
  }

  connect(flags: number, bytes: Buffer, body: number, end: number): void {
    this.#admittance.connect(flags, bytes, body, end)
  }

  auth(flags: number, bytes: Buffer, body: number, end: number): void {
    this.#admittance.auth(flags, bytes, body, end)
  }

  /** CONNECT cannot be taken. It is answered where the client's protocol is known and has an answer. */
  reject(refusal: Refusal, reason?: RefusalReason): void {
    this.#admittance.reject(refusal, reason)
  }

  /** Whether something of it is being decided. */
  get waits(): boolean {
    return this.#desk !== null
  }

  /** At a desk, in its turn. */
  handshake(): void {
    this.#host.hold()
    this.#host.pace.take(() => {
      if (!this.#ended) this.#desk = this.#host.desks.handshake(this)
    })
  }

  /** Hook of Aedes: why the client may not connect; null when it may, and its session is open. */
  admit(): Promise<Refusal | null> {
    return this.#admittance.admit()
  }

  connack(accepted: boolean): void {
    this.#admittance.connack(accepted)
  }

  /** Aedes is done with the handshake. */
  ready(): void {
    this.#desk = null
    this.#host.release()
  }

  subscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    const packet = readSubscribe(flags, bytes, body, end, this.#admittance.packet!.version)
    this.#subscribing = new Subscribing(this.#exchangeParts, packet)
    this.#host.hold()
    this.#desk = this.#host.desks.exchange(this, subscribeForAedes(this.#subscribing.positions))
  }

  /** Hook of Aedes: grant the subscription at this position of the SUBSCRIBE under way. Never rejects. */
  async grant(position: number): Promise<boolean> {
    return (await this.#subscribing?.grant(position)) ?? false
  }

  unsubscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    const packet = readUnsubscribe(flags, bytes, body, end, this.#admittance.packet!.version)
    const unsubscribing = new Unsubscribing(this.#exchangeParts, packet)
    this.#unsubscribing = unsubscribing
    this.#host.hold()
    const proceed = (): void => {
      if (this.#unsubscribing !== unsubscribing) return // the connection is gone
      this.#desk = this.#host.desks.exchange(this, unsubscribeForAedes(unsubscribing.positions))
    }
    if (unsubscribing.safe === null) proceed()
    else void unsubscribing.safe.then(proceed)
  }

  ping(): void {
    this.#host.write(PINGRESP)
  }

  disconnect(flags: number, bytes: Buffer, body: number, end: number): void {
    const packet = readDisconnect(flags, bytes, body, end, this.#admittance.packet!.version)
    this.#updateExpiry(packet)
    const { reasonCode } = packet
    const publishWill = reasonCode !== ReasonCode.Success // [MQTT-3.14.4-3]
    this.#host.finish({ reason: 'client', reasonCode, publishWill })
  }

  /** The connection is closed from our side. */
  end(): void {
    this.#ended = true
    this.#admittance.end()
    this.#desk?.close()
    this.#desk = this.#subscribing = this.#unsubscribing = null
  }

  get #exchangeParts() {
    return { session: this.#admittance.session!, version: this.#admittance.packet!.version, lane: this.#parts }
  }

  #updateExpiry({ sessionExpirySeconds }: DisconnectPacket): void {
    if (sessionExpirySeconds < 0) return
    if (sessionExpirySeconds > 0 && this.#admittance.packet!.sessionExpirySeconds === 0) {
      throw new Refusal(ReasonCode.ProtocolError, 'a session that ends with its connection cannot be prolonged') // [MQTT-3.14.2-2]
    }
    this.#parts.clients.changeExpiry(this.#admittance.session!, sessionExpirySeconds)
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
    const maxBytes = this.#admittance.session!.carrier?.maximumPacketSize ?? 0
    if (maxBytes === 0 || packet.length <= maxBytes) this.#host.write(packet)
    else this.#host.close(ReasonCode.PacketTooLarge, 'error', 'the answer is larger than the client takes')
  }

  abandoned(error: Error | null): void {
    // One that was refused it closes by itself.
    if (!this.#admittance.refused) {
      this.#parts.log.error({ clientId: this.clientId, error }, 'the transport gave a connection up')
    }
    if (!this.#admittance.welcomed) this.#host.finish({ reason: 'error', reasonCode: 0, publishWill: false })
    else this.#host.close(ReasonCode.UnspecifiedError, 'error', 'the broker failed')
  }
}
