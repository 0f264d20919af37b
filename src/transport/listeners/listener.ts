/**
 * A listener: a door, and the layers that a connection passes before it is served. It knows no broker.
 *
 * Handshakes have a time limit and no place in the broker yet: what is refused here has cost a socket and nothing else.
 * Without layers there is nothing to wait for, and a connection is handed on as it is.
 */

import { createServer, type DropArgument, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../core/clock.ts'
import { EventflowError } from '../../core/errors.ts'
import type { Events } from '../../core/events.ts'
import { ReasonCode, Refusal } from '../../core/reason-codes.ts'
import { givenUpReasonOf } from '../../core/refusal-reason.ts'
import type { Apply } from '../../kernel/plugin-contract.ts'
import type { Gate } from '../gate.ts'
import { HalfOpen } from '../half-open.ts'
import type { Peer } from '../peer.ts'
import { Entry } from './entry.ts'
import type { Arrival, Layer } from './layer.ts'
import type { Place } from './place.ts'
import { troubleOf } from './trouble.ts'

export interface ListenerParts {
  /** As in the configuration: `tcp`. */
  name: string
  place: Place
  /** The address for clients, of a place: `mqtt://127.0.0.1:1883`. */
  urlOf: (place: Place) => string
  layers: readonly Layer[]
  /** Connections at once; null: any number. */
  maxConnections: number | null
  /** Time for the handshakes of all layers together. */
  handshakeTimeoutMs: number
  /** Its options in another configuration. */
  optionsIn: (config: Config) => { readonly maxConnections: number | null }
  /** Connections that may be on their way through the layers. */
  maxHalfOpen: number
  gate: Gate
  attach: (stream: Duplex, peer: Peer, refusal: Refusal | null) => void
  clock: Clock
  events: Events
}

const STOPPING = new Refusal(ReasonCode.ServerShuttingDown, 'the listener is being closed')

export class Listener {
  readonly #parts: ListenerParts
  readonly #arriving: HalfOpen<Entry>
  #maxConnections: number | null
  #handshakeTimeoutMs: number
  #server: Server | null = null

  constructor(parts: ListenerParts) {
    this.#parts = parts
    this.#arriving = new HalfOpen(parts.maxHalfOpen)
    this.#maxConnections = parts.maxConnections
    this.#handshakeTimeoutMs = parts.handshakeTimeoutMs
  }

  get name(): string {
    return this.#parts.name
  }

  /** Where it listens: an address, or the path of a Unix socket. */
  get host(): string {
    return this.#parts.place.host
  }

  /** The port that it listens on: once started, never 0, but for a Unix socket. */
  get port(): number {
    return this.#parts.place.port
  }

  get url(): string {
    return this.#parts.urlOf(this.#parts.place)
  }

  /** @throws EventflowError LISTEN_FAILED, TLS_FILE_INVALID */
  async start(): Promise<void> {
    const { place, layers, maxConnections, events } = this.#parts
    // Half open: what a client sent before its FIN is served before the connection is closed.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
    if (maxConnections !== null) server.maxConnections = maxConnections
    server.on('drop', (dropped) => this.#dropped(dropped))
    try {
      for (const layer of layers) await layer.start?.()
      await place.open(server)
    } catch (cause) {
      this.#stopLayers()
      const error = cause instanceof EventflowError ? cause : this.#cannotListen(cause as NodeJS.ErrnoException)
      this.#failed(error.message)
      throw error
    }
    server.on('error', ({ message }) => this.#failed(message))
    this.#server = server
    events.emit('listener.listening', this.#description)
  }

  /** Paths of the files that it was opened with. */
  files(): string[] {
    return this.#parts.layers.flatMap((layer) => layer.files?.() ?? [])
  }

  /**
   * Take other options, or files that have changed: checked now, in force for new connections when the returned function is called.
   * @throws EventflowError TLS_FILE_INVALID
   */
  async prepare(config: Config): Promise<Apply> {
    const applies: Apply[] = []
    for (const layer of this.#parts.layers) if (layer.prepare !== undefined) applies.push(await layer.prepare(config))
    const { maxConnections } = this.#parts.optionsIn(config)
    return () => {
      for (const apply of applies) apply()
      this.#maxConnections = maxConnections
      this.#handshakeTimeoutMs = config.mqtt.connectTimeout
      this.#arriving.max = config.limits.maxHalfOpen
      if (this.#server !== null) this.#server.maxConnections = maxConnections ?? Number.POSITIVE_INFINITY
    }
  }

  /** Take no more connections; those that are served stay. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    server.close()
    this.#stopLayers()
    this.#arriving.giveUpBefore(Number.POSITIVE_INFINITY, STOPPING)
    this.#parts.events.emit('listener.closed', this.#description)
  }

  #stopLayers(): void {
    for (const layer of this.#parts.layers) layer.stop?.()
  }

  #accept(socket: Socket): void {
    const { place, layers, clock } = this.#parts
    const address = place.addressOf(socket)
    const arrival = { stream: socket, address, certificate: null, refusal: null }
    if (layers.length === 0) {
      this.#enter(socket, arrival)
      return
    }
    const entry = new Entry(socket, {
      layers,
      timeoutMs: this.#handshakeTimeoutMs,
      clock,
      arrived: (inner) => this.#arrived(inner),
      refused: (address, reason, reasonCode) => this.#refused(address, reason, reasonCode),
      over: () => this.#arriving.delete(entry),
    })
    this.#arriving.add(entry)
    entry.next(arrival)
  }

  /** Without layers: what is past the gate is there. */
  #enter(socket: Socket, arrival: Arrival): void {
    const { gate } = this.#parts
    const refusal = gate.admit(socket, arrival.address)
    if (refusal === null || gate.mayTell(socket)) {
      this.#arrived({ ...arrival, refusal })
      return
    }
    this.#refused(arrival.address, refusal.message, refusal.code)
    socket.destroy()
  }

  #arrived({ stream, address, certificate, refusal }: Arrival): void {
    this.#parts.attach(stream, { address, listener: this.#parts.name, certificate }, refusal)
  }

  /** One more than may be: the system has accepted it, and Node.js has closed it. */
  #dropped(dropped: DropArgument | undefined): void {
    const { name, place } = this.#parts
    const reason = `the listener ${name} has all of its ${this.#maxConnections} connections`
    this.#refused(place.addressOf(dropped ?? {}), reason, ReasonCode.QuotaExceeded)
  }

  /** Of a layer all that is known is that the client did not get through it. */
  #refused(address: string, message: string, reasonCode: number): void {
    const reason = reasonCode === ReasonCode.UnspecifiedError ? 'handshake' : givenUpReasonOf(reasonCode)
    this.#parts.events.emit('client.connecting-refused', { clientId: '', address, reason, reasonCode, message })
  }

  #cannotListen(cause: NodeJS.ErrnoException): EventflowError {
    const { name, place } = this.#parts
    const text = `cannot listen on ${place.text}: ${troubleOf(cause)} (listeners.${name})`
    return new EventflowError('LISTEN_FAILED', text, { cause })
  }

  #failed(message: string): void {
    this.#parts.events.emit('listener.failed', { ...this.#description, message })
  }

  get #description(): { listener: string; host: string; port: number } {
    const { name, place } = this.#parts
    return { listener: name, host: place.host, port: place.port }
  }
}
