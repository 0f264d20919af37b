/**
 * One connection. Its bytes are cut into packets; messages and acknowledgements take the short way (messages.ts), all
 * else is the conversation that Aedes holds (conversation.ts).
 *
 * Packets are served one after the other: while a CONNECT, SUBSCRIBE or UNSUBSCRIBE is being decided those behind it are
 * held, so that a PUBLISH never overtakes the SUBSCRIBE before it.
 */

import type { Duplex } from 'node:stream'
import type { DisconnectReason } from '../core/events.ts'
import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { givenUpReasonOf } from '../core/refusal-reason.ts'
import type { Departure } from '../kernel/clients.ts'
import type { Carrier } from '../session/carrier.ts'
import type { Session } from '../session/session.ts'
import type { ConnectPacket } from '../wire/connect.ts'
import { PacketCutter } from '../wire/packet-cutter.ts'
import { OutgoingAliases } from '../wire/topic-aliases.ts'
import { WriteBuffer } from '../wire/write-buffer.ts'
import { Conversation } from './conversation.ts'
import type { ConversationHost } from './conversation-host.ts'
import type { Desks } from './desk.ts'
import { Footprint } from './footprint.ts'
import { disconnectForClient } from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'
import { linger } from './linger.ts'
import { Messages } from './messages.ts'
import type { Pace } from './pace.ts'
import { AUTH, CONNECT, DISCONNECT, servePacket } from './packets.ts'
import type { Peer } from './peer.ts'
import { Throttle, type ThrottleLimits } from './throttle.ts'
import { keepAliveSeconds } from './welcome.ts'

/** Ends of a connection that are told as an error too: what the client sent, or what became of it, was not right. */
const OF_THE_CLIENT = new Set<DisconnectReason>(['protocol-error', 'error', 'not-authorized', 'quota'])

const NOT_CONNECT = 'the first packet is not CONNECT' // [MQTT-3.1.0-1]

export interface LaneHost {
  readonly desks: Desks
  readonly pace: Pace
  /** The identifier is this lane's from now on: whoever had it is sent away. */
  claim(lane: Lane, clientId: string): void
  /** The lane, which was not let in yet, was sent so many bytes. */
  received(lane: Lane, bytes: number): void
  /** The client was let in. */
  welcomed(lane: Lane): void
  gone(lane: Lane): void
}

export class Lane implements ConversationHost {
  readonly peer: Peer
  readonly conversation: Conversation
  readonly openedAt: number
  lastSeenAt: number
  /** Milliseconds of silence after which the client is given up; 0: none yet, or it may be silent for ever. */
  keepAliveMs = 0
  readonly #parts: LaneParts
  readonly #host: LaneHost
  readonly #socket: Duplex
  readonly #cutter: PacketCutter
  readonly #out: WriteBuffer
  readonly #footprint: Footprint
  #session: Session | null = null
  #messages: Messages | null = null
  #aliases: OutgoingAliases | null = null
  #greeted = false
  #held = false
  #throttle: Throttle | null = null
  #paused = false
  #peerEnded = false
  #closed = false
  /** What is known of how the connection was lost, should it be. */
  #trouble = 'the client closed it without DISCONNECT'

  /** @param socket one with allowHalfOpen, so that what a client sent before its FIN is served */
  constructor(socket: Duplex, peer: Peer, parts: LaneParts, host: LaneHost, refusal: Refusal | null) {
    this.peer = peer
    this.#parts = parts
    this.#host = host
    this.#socket = socket
    this.openedAt = this.lastSeenAt = parts.clock.now()
    this.#cutter = new PacketCutter(Math.min(parts.limits.maxConnectSize, parts.limits.maxPacketSize))
    this.#out = new WriteBuffer(socket, parts.scheduler, parts.limits.maxSocketBuffer)
    this.#footprint = new Footprint(parts.scheduler.room)
    this.conversation = new Conversation(this, parts, refusal)
    socket.on('data', (chunk: Buffer) => {
      this.lastSeenAt = parts.clock.now()
      this.#out.counters.bytesReceived += chunk.length
      this.#cutter.push(chunk)
      if (this.#messages === null) host.received(this, chunk.length)
      this.#throttle?.read(chunk.length)
      // Whoever speaks another protocol need not send a whole "packet" to be told so.
      if (this.#greeted || chunk[0]! >> 4 === CONNECT) this.#work()
      else this.#failed(new Refusal(ReasonCode.ProtocolError, NOT_CONNECT))
      this.#greeted = true
    })
    socket.on('unfinished', (bytes: number) => this.#unfinished(bytes))
    socket.on('end', () => {
      this.#peerEnded = true
      this.#work()
    })
    // A layer below may find that what the client sends is none of its protocol: that is no fault of the network.
    socket.on('error', (error) => (error instanceof Refusal ? this.#failed(error) : this.#broken(error)))
    socket.on('close', () => this.#networkGone())
  }

  /** Whether the client is not being read, for a reason of ours: its silence means nothing then. */
  get paused(): boolean {
    return this.#paused
  }

  /** Whether CONNECT was accepted. */
  get connected(): boolean {
    return this.#session !== null
  }

  write(packet: Buffer): void {
    if (this.#closed) return
    this.#out.counters.packetsSent++
    this.#out.append(packet, 0, packet.length)
  }

  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    // In a turn of its own: whoever releases is still on the stack of what was held.
    setImmediate(() => this.#work())
  }

  get desks(): Desks {
    return this.#host.desks
  }

  get pace(): Pace {
    return this.#host.pace
  }

  claim(clientId: string): void {
    this.#host.claim(this, clientId)
  }

  welcome(session: Session, connect: ConnectPacket): Carrier {
    const { version, receiveMaximum, maximumPacketSize } = connect
    this.#session = session
    this.#host.welcomed(this)
    this.#cutter.maxBytes = this.#parts.limits.maxPacketSize
    this.keepAliveMs = keepAliveSeconds(connect, this.#parts.limits) * 1500 // [MQTT-3.1.2-22]
    const progress = this.#work.bind(this)
    const { intake, store, scheduler, events, log, limits, topics, clock } = this.#parts
    this.#throttle = Throttle.of(limits, { clock, resume: progress, exceeded: (limit) => this.#sendsTooFast(limit) })
    const out = this.#out
    const maxExplainedBytes = connect.requestProblemInformation ? maximumPacketSize || Infinity : 0
    const close = this.close.bind(this)
    const shared = { intake, store, room: scheduler.room, events, log, limits, topics }
    this.#messages = new Messages({ ...shared, session, version, out, maxExplainedBytes, close, progress })
    const aliasMaximum = Math.min(connect.topicAliasMaximum, limits.topicAliasMaximum)
    const aliases = aliasMaximum === 0 ? null : new OutgoingAliases(aliasMaximum)
    this.#aliases = aliases
    const sendAway = ({ code, message, serverReference }: Refusal, reason: DisconnectReason = 'kicked'): void =>
      close(code, reason, message, serverReference)
    return { version, out, receiveMaximum, maximumPacketSize, maxExplainedBytes, aliases, close: sendAway }
  }

  /** No CONNECT came in time, or it was not decided on in time, or others need the room. */
  giveUp(refusal: Refusal): void {
    if (!this.#closed) this.conversation.reject(refusal, givenUpReasonOf(refusal.code))
  }

  /** End the connection for a reason of ours: MQTT 5.0 clients are told it, and where to go instead. */
  close(reasonCode: number, reason: DisconnectReason, text: string, serverReference: string | null = null): void {
    if (this.#closed) return
    if (this.#session !== null) this.#tell(this.#session, reasonCode, reason, text, serverReference)
    this.finish({ reason, reasonCode, publishWill: true, message: text }) // [MQTT-3.1.2-8]
  }

  /** What the connection ends for, as an event and to its client. */
  #tell(
    session: Session,
    reasonCode: number,
    reason: DisconnectReason,
    text: string,
    serverReference: string | null,
  ): void {
    if (OF_THE_CLIENT.has(reason)) {
      const { clientId } = session
      const { address } = this.peer
      this.#parts.events.emit('client.error', { clientId, address, message: text, reasonCode })
    }
    if (session.protocolVersion !== 5) return
    const maxBytes = session.carrier?.maximumPacketSize || Infinity
    this.write(disconnectForClient(reasonCode, text, serverReference, maxBytes))
  }

  /** A layer below has so many bytes of what is not whole yet. */
  #unfinished(bytes: number): void {
    this.lastSeenAt = this.#parts.clock.now()
    const footprint = this.#footprint
    if (this.#messages === null && bytes > footprint.below) this.#host.received(this, bytes - footprint.below)
    footprint.below = bytes
    this.#count()
  }

  #count(): void {
    if (this.#closed) return
    const footprint = this.#footprint
    footprint.count(this.#cutter.held, (this.#messages?.heldBytes ?? 0) + (this.#aliases?.bytes ?? 0))
    const unfinished = this.#cutter.unfinished || footprint.below > 0 // else it is we who are waited for
    if (!unfinished || this.#session === null || !footprint.tooLarge) return
    this.close(ReasonCode.QuotaExceeded, 'quota', 'there is no room for a packet of this size now')
  }

  finish(departure: Departure): void {
    if (this.#closed) return
    this.#closed = true
    this.#footprint.end()
    this.#throttle?.end()
    this.#messages?.end()
    this.#out.flush()
    this.#out.end()
    linger(this.#socket)
    const { session } = this.conversation
    if (session !== null) this.#parts.clients.gone(session, departure)
    this.conversation.end()
    this.#host.gone(this)
  }

  /** Serve every packet that is there and may be served. */
  #work(): void {
    try {
      if (this.#throttle !== null) this.#workWithin(this.#throttle)
      else while (!this.#held && !this.#closed && !this.#messages?.full && this.#cutter.next()) this.#packet()
    } catch (error) {
      this.#failed(error)
    }
    this.#count()
    if (this.#tooMuchUnread) this.close(ReasonCode.QuotaExceeded, 'slow', 'it does not read what it is sent')
    if (this.#closed) return
    const wait = this.#held || (this.#throttle?.waiting ?? false) || (this.#messages?.full ?? false)
    if (wait !== this.#paused) this.#pause(wait)
    if (this.#peerEnded && !wait) this.#lost()
  }

  /** As fast as the client may send. */
  #workWithin(throttle: Throttle): void {
    const { counters } = this.#out
    while (!this.#held && !throttle.waiting && !this.#closed && !this.#messages?.full && this.#cutter.next()) {
      const before = counters.publishReceived
      this.#packet()
      if (counters.publishReceived !== before) throttle.message()
    }
  }

  #sendsTooFast(limit: keyof ThrottleLimits): void {
    const { clientId } = this.conversation
    const { address } = this.peer
    if (this.#parts.limits.overRate === 'close') this.close(ReasonCode.MessageRateTooHigh, 'quota', 'it sends too fast')
    else this.#parts.events.emit('client.throttled', { clientId, address, limit })
  }

  #pause(wait: boolean): void {
    this.#paused = wait
    if (wait) {
      this.#socket.pause()
      return
    }
    this.lastSeenAt = this.#parts.clock.now() // its silence was ours
    this.#socket.resume()
  }

  /** Messages stop at the limit of the socket's buffer; only answers that the client asks for go beyond it. */
  get #tooMuchUnread(): boolean {
    const { maxSocketBuffer, maxPacketSize } = this.#parts.limits
    const { pending } = this.#out
    return (
      pending > 2 * maxSocketBuffer + maxPacketSize ||
      (pending > maxSocketBuffer && pending > this.#parts.scheduler.room.share)
    )
  }

  #packet(): void {
    this.#out.counters.packetsReceived++
    if (this.#messages !== null) servePacket(this.#cutter, this.#messages, this.conversation, this.lastSeenAt)
    else if (this.conversation.authenticates) this.#beforeWelcome()
    else this.#first()
  }

  #first(): void {
    const { bytes, start, body, end } = this.#cutter
    if (bytes[start]! >> 4 !== CONNECT) throw new Refusal(ReasonCode.ProtocolError, NOT_CONNECT)
    this.#out.counters.connects++
    this.conversation.connect(bytes[start]! & 0x0f, bytes, body, end)
  }

  /** A client that authenticates itself sends AUTH, or goes [MQTT-3.1.2-30]. */
  #beforeWelcome(): void {
    const { bytes, start, body, end } = this.#cutter
    const type = bytes[start]! >> 4
    if (type === AUTH) this.conversation.auth(bytes[start]! & 0x0f, bytes, body, end)
    else if (type === DISCONNECT) this.finish({ reason: 'client', reasonCode: 0, publishWill: false })
    else throw new Refusal(ReasonCode.ProtocolError, 'only AUTH is due before CONNACK')
  }

  /** What the client sent cannot be served. */
  #failed(error: unknown): void {
    const refusal = asRefusal(error)
    if (refusal !== error) {
      this.#parts.log.error({ error, address: this.peer.address }, 'a packet could not be served')
      this.#parts.events.emit('broker.error', { code: 'UNEXPECTED', message: 'a packet could not be served' })
    }
    if (this.#session === null) this.conversation.reject(refusal)
    else this.close(refusal.code, refusal === error ? 'protocol-error' : 'error', refusal.message)
  }

  #networkGone(): void {
    this.#peerEnded = true
    if (this.#held && !this.#socket.destroyed) return
    this.#lost()
  }

  /** The operating system says why: a reset by a client that was killed, a cable that was cut. */
  #broken(error: NodeJS.ErrnoException): void {
    this.#trouble = `the connection broke: ${error.code ?? error.message}`
    this.#networkGone()
  }

  #lost(): void {
    this.finish({ reason: 'network', reasonCode: 0, publishWill: true, message: this.#trouble })
  }
}
