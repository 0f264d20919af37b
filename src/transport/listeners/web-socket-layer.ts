/**
 * WebSocket: what comes in begins as an HTTP request, whose path, origin and subprotocol are checked. The HTTP server
 * listens nowhere: connections are handed to it, from TCP or from TLS.
 */

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Config } from '../../config/schema.ts'
import type { Apply } from '../../kernel/plugin-contract.ts'
import { clientAddress } from './forwarded.ts'
import type { Arrival, Layer, Passage } from './layer.ts'
import { Networks } from './networks.ts'
import { WebSocketStream } from './web-socket-stream.ts'

/** What a server may select: the second is of MQTT 3.1, before there was a standard. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1']
const MAX_HEADER_BYTES = 8_192
/** A message may hold several packets: never so little that a client which gathers small ones would not get through. */
const MIN_MAX_MESSAGE_BYTES = 65_536

/** A large message may come in so many pieces, and in as many as it takes when they are no smaller than this. */
const MIN_MAX_CHUNKS = 4_096
const MEAN_CHUNK_BYTES = 512
/** Who may connect, and who is believed: may change while it is open. */
export interface WebSocketOptions {
  /** Origins whose pages may connect; null: any. */
  readonly origins: readonly string[] | null
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  readonly forwardedFor: readonly string[]
  /** Bytes of the largest MQTT packet that is taken; null: as everywhere. */
  readonly maxPacketSize: number | null
}

export interface WebSocketLayerParts {
  /** `/mqtt` */
  path: string
  options: WebSocketOptions
  /** Those of another configuration. */
  optionsIn: (config: Config) => WebSocketOptions
  /** Bytes of the largest MQTT packet that is taken. */
  maxPacketSize: number
}

interface Arriving {
  readonly arrival: Arrival
  readonly passage: Passage
}

export class WebSocketLayer implements Layer {
  readonly #parts: WebSocketLayerParts
  #origins: readonly string[] | null
  #proxies: Networks
  readonly #http: Server
  #upgrades: WebSocketServer
  readonly #arriving = new WeakMap<Duplex, Arriving>()

  constructor(parts: WebSocketLayerParts) {
    this.#parts = parts
    this.#origins = parts.options.origins
    this.#proxies = new Networks(parts.options.forwardedFor)
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAlive: false })
    this.#http.on('request', (request) => this.#answer(request))
    this.#http.on('upgrade', (request, stream, head) => this.#upgrade(request, stream, head))
    this.#http.on('clientError', (error, stream) => this.#refuse(stream, 400, `it sends no HTTP: ${error.message}`))
    this.#upgrades = this.#upgradesOf(parts.maxPacketSize)
  }

  pass(arrival: Arrival, passage: Passage): void {
    this.#arriving.set(arrival.stream, { arrival, passage })
    this.#http.emit('connection', arrival.stream)
  }

  prepare(config: Config): Apply {
    const { origins, forwardedFor, maxPacketSize } = this.#parts.optionsIn(config)
    return () => {
      this.#origins = origins
      this.#proxies = new Networks(forwardedFor)
      this.#upgrades = this.#upgradesOf(maxPacketSize ?? config.mqtt.maxPacketSize)
    }
  }

  #upgradesOf(maxPacketSize: number): WebSocketServer {
    const maxPayload = Math.max(maxPacketSize, MIN_MAX_MESSAGE_BYTES)
    const upgrades = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // A compressed message may be a thousand times larger than what was received.
      perMessageDeflate: false,
      maxPayload,
      // No type has it yet: pieces of a frame that drips in are objects, each of them larger than a byte.
      ...{ maxBufferedChunks: Math.max(MIN_MAX_CHUNKS, Math.ceil(maxPayload / MEAN_CHUNK_BYTES)) },
      autoPong: false,
      handleProtocols: (offered) => subprotocolOf(offered) ?? false, // [MQTT-6.0.0-4]
    })
    upgrades.on('wsClientError', (error, stream) => this.#refuse(stream, 400, error.message))
    return upgrades
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const origins = this.#origins
    const { origin } = request.headers
    const offered = new Set((request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()))
    if (!this.#isOurs(request)) this.#refuse(stream, 404, `WebSocket is not at ${request.url}`)
    else if (origins !== null && origin !== undefined && !origins.includes(origin)) {
      this.#refuse(stream, 403, `pages of ${origin} may not connect`)
    } else if (subprotocolOf(offered) === null) {
      this.#refuse(stream, 400, 'it does not offer the subprotocol mqtt') // [MQTT-6.0.0-3]
    } else {
      this.#upgrades.handleUpgrade(request, stream, head, (socket) => {
        const arriving = this.#arriving.get(stream)
        if (arriving === undefined) return
        const address = this.#addressOf(arriving.arrival.address, request)
        arriving.passage.next({ ...arriving.arrival, address, stream: new WebSocketStream(socket, stream) })
      })
    }
  }

  #addressOf(peer: string, { headers }: IncomingMessage): string {
    const header = headers['x-forwarded-for']
    // Node.js makes one of several of this header, in their order.
    return typeof header === 'string' ? clientAddress(peer, header, (address) => this.#proxies.has(address)) : peer
  }

  /** A request that asks for no WebSocket. */
  #answer(request: IncomingMessage): void {
    if (!this.#isOurs(request)) this.#refuse(request.socket, 404, `nothing is at ${request.url}`)
    else this.#refuse(request.socket, 426, 'it asks for no WebSocket', 'Upgrade: websocket\r\n')
  }

  #isOurs({ url }: IncomingMessage): boolean {
    return url?.split('?', 1)[0] === this.#parts.path
  }

  #refuse(stream: Duplex, status: number, reason: string, header = ''): void {
    const text = `${STATUS_CODES[status]}: ${reason}\n`
    const answer =
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${header}` +
      `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
    this.#arriving.get(stream)?.passage.refuse(reason, answer)
  }
}

/** The first of ours that a client offers, by our order. */
function subprotocolOf(offered: ReadonlySet<string>): string | null {
  return SUBPROTOCOLS.find((name) => offered.has(name)) ?? null
}
