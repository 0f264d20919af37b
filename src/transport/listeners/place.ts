/** Where a listener listens: a port of an address, or the path of a Unix socket. */

import { chmodSync } from 'node:fs'
import { lstat, rm } from 'node:fs/promises'
import { connect, type ListenOptions, type Server } from 'node:net'

/** Connections that wait to be accepted: many clients come back at once after a failure of the network. */
const BACKLOG = 4096

export interface Place {
  /** Address, host name, or the path of a Unix socket. */
  readonly host: string
  /** 0 before it is open when any free one will do, and for a Unix socket. */
  readonly port: number
  /** For people: `127.0.0.1:1883`. */
  readonly text: string
  open(server: Server): Promise<void>
  /** What a client is called that connects from there. */
  addressOf(remote: Remote): string
}

/** As much as the system says of the other end. */
export interface Remote {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

export class TcpPlace implements Place {
  readonly host: string
  #port: number

  constructor(host: string, port: number) {
    this.host = host
    this.#port = port
  }

  get port(): number {
    return this.#port
  }

  get text(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.#port}`
  }

  async open(server: Server): Promise<void> {
    await listen(server, { host: this.host, port: this.#port })
    this.#port = (server.address() as { port: number }).port
  }

  addressOf({ remoteAddress, remotePort }: Remote): string {
    return `${remoteAddress ?? ''}:${remotePort ?? ''}`
  }
}

export class UnixPlace implements Place {
  readonly host: string
  readonly port = 0
  readonly #mode: number

  constructor(path: string, mode: number) {
    this.host = path
    this.#mode = mode
  }

  get text(): string {
    return this.host
  }

  /** Node.js removes the socket itself when the server is closed. What a killed process left behind is removed here. */
  async open(server: Server): Promise<void> {
    const path = this.host
    try {
      await listen(server, { path })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isAbandoned(path))) throw error
      await rm(path, { force: true })
      await listen(server, { path })
    }
    chmodSync(path, this.#mode)
  }

  addressOf(): string {
    return `unix:${this.host}`
  }
}

function listen(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

/** Whether there is a socket at `path`, and nobody listens on it. */
async function isAbandoned(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'))
  })
}
