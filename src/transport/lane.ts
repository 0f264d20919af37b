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
import type { Departure } from '../kernel/clients.ts'
import type { Carrier } from '../session/carrier.ts'
import type { Session } from '../session/session.ts'
import type { AcknowledgementType } from '../wire/acknowledgement-writer.ts'
import type { ConnectPacket } from '../wire/connect.ts'
import { PacketCutter } from '../wire/packet-cutter.ts'
import { readPingreq } from '../wire/pingreq.ts'
import { OutgoingAliases } from '../wire/topic-aliases.ts'
import { WriteBuffer } from '../wire/write-buffer.ts'
import { Conversation, type ConversationHost } from './conversation.ts'
import type { Desks } from './desk.ts'
import { disconnectForClient } from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'
import { Messages } from './messages.ts'
import type { Peer } from './peer.ts'
import { keepAliveSeconds } from './welcome.ts'

/** How long a closed connection is drained, so that its last packet arrives: unread data would reset it. */
const LINGER_MS = 1_000

const CONNECT = 1
const AUTH = 15
const NOT_CONNECT = 'the first packet is not CONNECT' // [MQTT-3.1.0-1]

export interface LaneHost {
  readonly desks: Desks
  /** The identifier is this lane's from now on: whoever had it is sent away. */
  claim(lane: Lane, clientId: string): void
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
  #session: Session | null = null
  #messages: Messages | null = null
  #greeted = false
  #held = false
  #paused = false
  #peerEnded = false
  #closed = false

  /** @param socket one with allowHalfOpen, so that what a client sent before its FIN is served */
  constructor(socket: Duplex, peer: Peer, parts: LaneParts, host: LaneHost) {
    this.peer = peer
    this.#parts = parts
    this.#host = host
    this.#socket = socket
    this.openedAt = this.lastSeenAt = parts.clock.now()
    this.#cutter = new PacketCutter(parts.limits.maxPacketSize)
    this.#out = new WriteBuffer(socket, parts.scheduler, parts.limits.maxSocketBuffer)
    this.conversation = new Conversation(this, parts)
    socket.on('data', (chunk: Buffer) => {
      this.lastSeenAt = parts.clock.now()
      this.#out.counters.bytesReceived += chunk.length
      this.#cutter.push(chunk)
      // Whoever speaks another protocol need not send a whole "packet" to be told so.
      if (this.#greeted || chunk[0]! >> 4 === CONNECT) this.#work()
      else this.#failed(new Refusal(ReasonCode.ProtocolError, NOT_CONNECT))
      this.#greeted = true
    })
    socket.on('end', () => {
      this.#peerEnded = true
      this.#work()
    })
    // A layer below may find that what the client sends is none of its protocol: that is no fault of the network.
    socket.on('error', (error) => (error instanceof Refusal ? this.#failed(error) : this.#networkGone()))
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

  claim(clientId: string): void {
    this.#host.claim(this, clientId)
  }

  welcome(session: Session, connect: ConnectPacket): Carrier {
    const { version, receiveMaximum, maximumPacketSize } = connect
    this.#session = session
    this.keepAliveMs = keepAliveSeconds(connect, this.#parts.limits) * 1500 // [MQTT-3.1.2-22]
    const out = this.#out
    const close = this.close.bind(this)
    const progress = this.#work.bind(this)
    const { intake, store, events, log, limits, topics } = this.#parts
    const maxExplainedBytes = connect.requestProblemInformation ? maximumPacketSize || Infinity : 0
    const shared = { intake, store, events, log, limits, topics }
    const parts = { session, version, out, ...shared, maxExplainedBytes, close, progress }
    this.#messages = new Messages(parts)
    const aliasMaximum = Math.min(connect.topicAliasMaximum, limits.topicAliasMaximum)
    const aliases = aliasMaximum === 0 ? null : new OutgoingAliases(aliasMaximum)
    const sendAway = ({ code, message, serverReference }: Refusal): void =>
      this.close(code, 'kicked', message, serverReference)
    return { version, out, receiveMaximum, maximumPacketSize, maxExplainedBytes, aliases, close: sendAway }
  }

  /** No CONNECT came in time, or it was not decided on in time. */
  giveUp(): void {
    if (!this.#closed) this.conversation.reject(new Refusal(ReasonCode.ServerBusy, 'the handshake took too long'))
  }

  /** End the connection for a reason of ours: MQTT 5.0 clients are told it, and where to go instead. */
  close(reasonCode: number, reason: DisconnectReason, text: string, serverReference: string | null = null): void {
    if (this.#closed) return
    const session = this.#session
    if (session !== null) {
      if (reason === 'protocol-error' || reason === 'error' || reason === 'not-authorized') {
        const { clientId } = session
        const { address } = this.peer
        this.#parts.events.emit('client.error', { clientId, address, message: text, reasonCode })
      }
      if (session.protocolVersion === 5) {
        const maxBytes = session.carrier?.maximumPacketSize || Infinity
        this.write(disconnectForClient(reasonCode, text, serverReference, maxBytes))
      }
    }
    this.finish({ reason, reasonCode, publishWill: true }) // [MQTT-3.1.2-8]
  }

  finish(departure: Departure): void {
    if (this.#closed) return
    this.#closed = true
    this.#messages?.end()
    this.#out.flush()
    this.#drain()
    const { session } = this.conversation
    if (session !== null) this.#parts.clients.gone(session, departure)
    this.conversation.end()
    this.#host.gone(this)
  }

  /** Serve every packet that is there and may be served. */
  #work(): void {
    try {
      while (!this.#held && !this.#closed && !this.#messages?.full && this.#cutter.next()) this.#packet()
    } catch (error) {
      this.#failed(error)
    }
    if (this.#tooMuchUnread) this.close(ReasonCode.QuotaExceeded, 'slow', 'it does not read what it is sent')
    if (this.#closed) return
    const wait = this.#held || (this.#messages?.full ?? false)
    if (wait !== this.#paused) {
      this.#paused = wait
      if (wait) this.#socket.pause()
      else this.#socket.resume()
    }
    if (this.#peerEnded && !wait) this.finish({ reason: 'network', reasonCode: 0, publishWill: true })
  }

  /** Messages stop at the limit of the socket's buffer; only answers that the client asks for go beyond it. */
  get #tooMuchUnread(): boolean {
    const { maxSocketBuffer, maxPacketSize } = this.#parts.limits
    return this.#out.pending > 2 * maxSocketBuffer + maxPacketSize
  }

  #packet(): void {
    const { bytes, start, body, end } = this.#cutter
    const type = bytes[start]! >> 4
    const flags = bytes[start]! & 0x0f
    const messages = this.#messages
    const { conversation } = this
    this.#out.counters.packetsReceived++
    if (messages === null) {
      if (type !== CONNECT) throw new Refusal(ReasonCode.ProtocolError, NOT_CONNECT)
      this.#out.counters.connects++
      conversation.connect(flags, bytes, body, end)
      return
    }
    if (type === 3) messages.publish(bytes, start, body, end, this.lastSeenAt)
    else if (type >= 4 && type <= 7) messages.acknowledgement(type as AcknowledgementType, flags, bytes, body, end)
    else if (type === 8) conversation.subscribe(flags, bytes, body, end)
    else if (type === 10) conversation.unsubscribe(flags, bytes, body, end)
    else if (type === 12) {
      readPingreq(flags, body, end)
      conversation.ping()
    } else if (type === 14) conversation.disconnect(flags, bytes, body, end)
    else throw unexpected(type, flags)
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
    this.finish({ reason: 'network', reasonCode: 0, publishWill: true })
  }

  /** Say goodbye, and read what still comes to nowhere until the client hangs up, or does not read what we said. */
  #drain(): void {
    const socket = this.#socket
    socket.removeAllListeners('data')
    socket.on('data', () => {})
    socket.resume()
    if (socket.destroyed) return
    socket.end()
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }
}

/** What to throw at a packet that a client does not send, or not now. */
function unexpected(type: number, flags: number): Refusal {
  if (type === AUTH && flags !== 0) return new Refusal(ReasonCode.MalformedPacket, 'AUTH has the wrong flags') // [MQTT-3.15.1-1]
  return new Refusal(ReasonCode.ProtocolError, `a packet of type ${type} is not for a server now`) // [MQTT-3.1.0-2]
}
