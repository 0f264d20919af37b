/** Listens on TCP and hands every connection on; it knows no broker. */

import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { EventflowError } from '../../core/errors.ts'
import type { Events } from '../../core/events.ts'

export interface TcpListenerParts {
  name: string
  host: string
  /** 0: any free port. */
  port: number
  attach: (stream: Duplex, address: string) => void
  events: Events
}

export class TcpListener {
  readonly #parts: TcpListenerParts
  #server: Server | null = null
  #port: number

  constructor(parts: TcpListenerParts) {
    this.#parts = parts
    this.#port = parts.port
  }

  get host(): string {
    return this.#parts.host
  }

  /** The port that it listens on: once started, never 0. */
  get port(): number {
    return this.#port
  }

  /** @throws EventflowError LISTEN_FAILED */
  async start(): Promise<void> {
    const { name: listener, host, port, events } = this.#parts
    // Half open: what a client sent before its FIN is served before the connection is closed.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port, backlog: 4096 }, resolve)
      })
    } catch (cause) {
      const { message } = cause as Error
      events.emit('listener.failed', { listener, host, port, message })
      throw new EventflowError('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${message}`, { cause })
    }
    server.removeAllListeners('error')
    server.on('error', ({ message }) => events.emit('listener.failed', { listener, host, port: this.#port, message }))
    this.#server = server
    this.#port = (server.address() as { port: number }).port
    events.emit('listener.listening', { listener, host, port: this.#port })
  }

  /** Take no more connections; those that are open stay. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    const { name: listener, host, events } = this.#parts
    server.close()
    events.emit('listener.closed', { listener, host, port: this.#port })
  }

  #accept(socket: Socket): void {
    this.#parts.attach(socket, `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`)
  }
}
