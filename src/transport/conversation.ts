/**
 * The conversation of one connection: CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ and DISCONNECT, held by Aedes.
 *
 * Each packet is decoded and checked here, shown to Aedes in a form that it can make no mistake with, and decided in the
 * hooks that Aedes calls (`admit`, `grant`). When Aedes answers, the client gets the answer that we know to be right.
 */

import { randomUUID } from 'node:crypto'
import type { DisconnectReason } from '../core/events.ts'
import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { topicProblem } from '../core/topics.ts'
import type { Connecting, Departure } from '../kernel/clients.ts'
import type { Carrier } from '../session/carrier.ts'
import type { Session } from '../session/session.ts'
import { type ConnectPacket, ConnectRefusal, readConnect } from '../wire/connect.ts'
import { type DisconnectPacket, readDisconnect } from '../wire/disconnect.ts'
import { PacketCutter } from '../wire/packet-cutter.ts'
import { ControlStream } from './control-stream.ts'
import * as handshake from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'
import { SubscriptionExchange } from './subscription-exchange.ts'

/** What the conversation needs of its connection. */
export interface ConversationHost {
  readonly address: string
  write(packet: Buffer): void
  /** Serve no further packet until `release`. */
  hold(): void
  release(): void
  /** The identifier is this connection's from now on; resolves when whoever had it is gone. */
  claim(clientId: string): Promise<void>
  /** The client is welcome, its CONNACK written: returns what carries its session from now on. */
  welcome(session: Session, connect: ConnectPacket): Carrier
  /** The connection ends, for this reason; DISCONNECT was sent or received, or none is due. */
  finish(departure: Departure): void
  close(reasonCode: number, reason: DisconnectReason, text: string): void
}

const PINGREQ = Buffer.from([0xc0, 0])
const PINGRESP = Buffer.from([0xd0, 0])
const DISCONNECT = Buffer.from([0xe0, 0])

export class Conversation {
  readonly control: ControlStream
  readonly #host: ConversationHost
  readonly #parts: LaneParts
  readonly #answers = new PacketCutter(65_536)
  #connect: ConnectPacket | null = null
  #assignedClientId: string | null = null
  #refusal: Refusal | null = null
  #subscriptions: SubscriptionExchange | null = null
  #farewell: Departure | null = null
  #session: Session | null = null

  constructor(host: ConversationHost, parts: LaneParts) {
    this.#host = host
    this.#parts = parts
    this.control = new ControlStream({ written: this.#written.bind(this), closed: this.#closed.bind(this) })
  }

  /** The client's identifier; '' before CONNECT. */
  get clientId(): string {
    return this.#assignedClientId ?? this.#connect?.clientId ?? ''
  }

  connect(flags: number, bytes: Buffer, body: number, end: number): void {
    const connect = readConnect(flags, bytes, body, end)
    this.#connect = connect
    if (connect.authenticationMethod !== null) {
      throw new Refusal(ReasonCode.BadAuthenticationMethod, 'no such authentication method')
    }
    const problem = connect.will === null ? null : topicProblem(connect.will.topic, this.#parts.limits.maxTopicLevels)
    if (problem !== null) throw new Refusal(ReasonCode.TopicNameInvalid, `the will has no valid topic: ${problem}`)
    if (connect.clientId === '') this.#assignedClientId = `auto-${randomUUID()}`
    this.#host.hold()
    this.#show(handshake.connectForAedes(connect.version, this.clientId))
  }

  /** Hook of Aedes: why the client may not connect; null when it may, and its identifier is free. */
  async admit(): Promise<Refusal | null> {
    const { username, password } = this.#connect!
    const { address } = this.#host
    try {
      await this.#parts.clients.admit({ clientId: this.clientId, username, password, address })
      await this.#host.claim(this.clientId)
      return null
    } catch (error) {
      if (!(error instanceof Refusal))
        this.#parts.log.error({ clientId: this.clientId, error }, 'authentication failed')
      this.#refusal = asRefusal(error, ReasonCode.ServerUnavailable)
      return this.#refusal
    }
  }

  /** Aedes is done with the handshake. */
  ready(): void {
    this.#host.release()
  }

  subscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    this.#subscriptions!.subscribe(flags, bytes, body, end)
    this.#host.hold()
  }

  /** Hook of Aedes: grant the subscription at this position of the SUBSCRIBE under way. Never rejects. */
  grant(position: number): Promise<boolean> {
    return this.#subscriptions!.grant(position)
  }

  unsubscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    this.#subscriptions!.unsubscribe(flags, bytes, body, end)
    this.#host.hold()
  }

  /** One at a time: a flood of them costs its own connection, and no other. */
  ping(): void {
    this.#host.hold()
    this.#show(PINGREQ)
  }

  disconnect(flags: number, bytes: Buffer, body: number, end: number): void {
    const packet = readDisconnect(flags, bytes, body, end, this.#connect!.version)
    this.#updateExpiry(packet)
    const { reasonCode } = packet
    const publishWill = reasonCode !== ReasonCode.Success // [MQTT-3.14.4-3]
    this.#farewell = { reason: 'client', reasonCode, publishWill }
    this.#host.hold()
    this.#show(DISCONNECT)
  }

  /** The connection is closed from our side: Aedes is told by the end of its stream. */
  end(): void {
    this.control.destroy()
  }

  #updateExpiry({ sessionExpirySeconds }: DisconnectPacket): void {
    if (sessionExpirySeconds < 0) return
    if (sessionExpirySeconds > 0 && this.#connect!.sessionExpirySeconds === 0) {
      throw new Refusal(ReasonCode.ProtocolError, 'a session that ends with its connection cannot be prolonged') // [MQTT-3.14.2-2]
    }
    this.#parts.clients.changeExpiry(this.#session!, sessionExpirySeconds)
  }

  readonly #show = (packet: Buffer): void => {
    if (!this.control.destroyed) this.control.push(packet)
  }

  /** Aedes wrote an answer, or a piece of one. */
  #written(bytes: Buffer): void {
    this.#answers.push(bytes)
    while (this.#answers.next()) this.#answer(this.#answers.bytes, this.#answers.start, this.#answers.end)
  }

  #answer(bytes: Buffer, start: number, end: number): void {
    switch (bytes[start]! >> 4) {
      case 2:
        this.#connack(bytes, start, end)
        break
      case 9:
        this.#suback()
        break
      case 11:
        this.#unsuback()
        break
      case 13:
        this.#host.write(PINGRESP)
        this.#host.release()
        break
      default:
        this.#parts.log.warn({ packetType: bytes[start]! >> 4 }, 'the transport sent what it was not asked for')
    }
  }

  #connack(bytes: Buffer, start: number, end: number): void {
    const { version } = this.#connect!
    if (bytes[start + 3] !== 0) {
      // Our own hook's reason where there is one; else what Aedes has to say, as it said it.
      if (this.#refusal === null) this.#host.write(Buffer.from(bytes.subarray(start, end)))
      else this.#host.write(this.#refusalConnack(version, this.#refusal.code))
      this.#refused(this.#refusal?.message ?? 'the handshake failed', this.#refusal?.code ?? bytes[start + 3]!)
      return
    }
    const connect = this.#connect!
    const connecting = this.#connecting(connect)
    const { session, present } = this.#parts.clients.open(connecting)
    this.#session = session
    this.#subscriptions = new SubscriptionExchange({ session, version, lane: this.#parts, show: this.#show })
    const applied = session.expirySeconds
    const connack = handshake.connackForClient({
      version,
      sessionPresent: present && version > 3, // MQTT 3.1 has no such flag
      reasonCode: 0,
      assignedClientId: this.#assignedClientId,
      sessionExpirySeconds: applied === connect.sessionExpirySeconds ? null : applied,
      maximumPacketSize: this.#parts.limits.maxPacketSize,
    })
    this.#host.write(connack)
    const carrier = this.#host.welcome(session, connect)
    this.#parts.clients.connected(session, carrier, connecting, present)
  }

  #connecting(connect: ConnectPacket): Connecting {
    const { clean, username, will, keepAliveSeconds } = connect
    const { address } = this.#host
    const expirySeconds = connect.sessionExpirySeconds
    return { clientId: this.clientId, clean, expirySeconds, username, address, will, keepAliveSeconds }
  }

  #suback(): void {
    const { packet, after } = this.#subscriptions!.suback()
    this.#host.write(packet)
    after()
    this.#host.release()
  }

  #unsuback(): void {
    this.#host.write(this.#subscriptions!.unsuback())
    this.#host.release()
  }

  /** CONNECT cannot be taken. It is answered where the client's protocol is known and has an answer. */
  reject(refusal: Refusal): void {
    const said = refusal instanceof ConnectRefusal && refusal.isMqtt ? refusal.version : null
    const version = this.#connect?.version ?? said
    if (version !== null && (version === 5 || RETURN_CODED.has(refusal.code))) {
      this.#host.write(this.#refusalConnack(version, refusal.code))
    }
    this.#refused(refusal.message, refusal.code)
    this.#host.finish({ reason: 'protocol-error', reasonCode: refusal.code, publishWill: false })
  }

  #refusalConnack(version: number, reasonCode: number): Buffer {
    return handshake.connackForClient({
      version,
      sessionPresent: false, // [MQTT-3.2.2-6]
      reasonCode,
      assignedClientId: null,
      sessionExpirySeconds: null,
      maximumPacketSize: 0,
    })
  }

  #refused(reason: string, reasonCode: number): void {
    const { address } = this.#host
    this.#parts.events.emit('client.connecting-refused', { clientId: this.clientId, address, reason, reasonCode })
  }

  /** Aedes has closed the connection. */
  #closed(error: Error | null): void {
    if (this.#farewell !== null) this.#host.finish(this.#farewell)
    else if (this.#session === null) this.#host.finish({ reason: 'error', reasonCode: 0, publishWill: false })
    else this.#host.close(ReasonCode.ProtocolError, 'protocol-error', error?.message ?? 'the transport gave up')
  }
}

/** Reasons that MQTT 3.1.1 can tell in a CONNACK; for others it closes the connection [3.1.1, 3.2.2.3]. */
const RETURN_CODED = new Set<number>([ReasonCode.UnsupportedProtocolVersion, ReasonCode.ClientIdentifierNotValid])
