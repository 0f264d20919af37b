/**
 * WebSocket: what comes in begins as an HTTP request, whose path, origin and subprotocol are checked. The HTTP server
 * listens nowhere: connections are handed to it, from TCP or from TLS.
 */

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Config } from '../../config/schema.ts'
import type { Apply } from '../../kernel/plugin-contract.ts'
import type { Arrival, Layer, Passage } from './layer.ts'
import { Networks } from './networks.ts'
import type { WebSocketStream } from './web-socket-stream.ts'
import { senderOf, WebSocketUpgrades } from './web-socket-upgrades.ts'

const MAX_HEADER_BYTES = 8_192

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
  #upgrades: WebSocketUpgrades
  readonly #arriving = new WeakMap<Duplex, Arriving>()

  constructor(parts: WebSocketLayerParts) {
    this.#parts = parts
    this.#origins = parts.options.origins
    this.#proxies = new Networks(parts.options.forwardedFor)
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAlive: false })
    this.#http.on('request', (request) => this.#answer(request))
    this.#http.on('upgrade', (request, stream, head) => this.#upgrade(request, stream, head))
    this.#http.on('clientError', (error, stream) => this.#refuse(stream, 400, `it sends no HTTP: ${error.message}`))
    this.#upgrades = new WebSocketUpgrades(parts.maxPacketSize)
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
      this.#upgrades = new WebSocketUpgrades(maxPacketSize ?? config.mqtt.maxPacketSize)
    }
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const origins = this.#origins
    const { origin } = request.headers
    if (!this.#isOurs(request)) this.#refuse(stream, 404, `WebSocket is not at ${request.url}`)
    else if (origins !== null && origin !== undefined && !origins.includes(origin)) {
      this.#refuse(stream, 403, `pages of ${origin} may not connect`)
    } else {
      this.#accept(request, stream, head)
    }
  }

  #accept(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const arriving = this.#arriving.get(stream)
    if (arriving === undefined) return
    const { arrival, passage } = arriving
    let inner: WebSocketStream
    try {
      inner = this.#upgrades.accept(request, stream, head)
    } catch (error) {
      this.#refuse(stream, 400, (error as Error).message)
      return
    }
    passage.next({ ...arrival, address: senderOf(request, arrival.address, this.#proxies), stream: inner })
  }

  /** A request that asks for no WebSocket. */
  #answer(request: IncomingMessage): void {
    if (!this.#isOurs(request)) this.#refuse(request.socket, 404, `nothing is at ${request.url}`)
    else this.#refuse(request.socket, 426, 'it asks for no WebSocket', 'Upgrade: websocket\r\n')
  }

  /** Clients that were told no path ask for `/`. */
  #isOurs({ url }: IncomingMessage): boolean {
    const path = url?.split('?', 1)[0]
    return path === this.#parts.path || path === '/'
  }

  #refuse(stream: Duplex, status: number, reason: string, header = ''): void {
    const text = `${STATUS_CODES[status]}: ${reason}\n`
    const answer =
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${header}` +
      `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
    this.#arriving.get(stream)?.passage.refuse(reason, answer)
  }
}
