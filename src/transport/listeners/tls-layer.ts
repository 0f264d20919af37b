/**
 * TLS: what comes in is encrypted, and the client may have to show a certificate. Files that have changed serve those who
 * connect from then on; who is connected stays.
 *
 * Node.js's TLS server does the handshakes, but listens nowhere: connections are handed to it, since something may have
 * been read from them before. So that each is found again when it is secure, they are kept by both of their ends.
 */

import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Config } from '../../config/schema.ts'
import type { Apply } from '../../kernel/plugin-contract.ts'
import { describeCertificate } from './client-certificate.ts'
import type { Arrival, Layer, Passage } from './layer.ts'
import { filesOf, readTlsFiles, type TlsOptions } from './tls-files.ts'

export interface TlsLayerParts {
  options: TlsOptions
  /** Those of another configuration. */
  optionsIn: (config: Config) => TlsOptions
  /** The group of options, for what is told of files: `listeners.tls`. */
  where: string
}

const LONGEST_TIMER_MS = 2_147_483_647

interface Arriving {
  readonly arrival: Arrival
  readonly passage: Passage
}

export class TlsLayer implements Layer {
  readonly #parts: TlsLayerParts
  readonly #arriving = new Map<string, Arriving>()
  #options: TlsOptions
  #server: Server | null = null

  constructor(parts: TlsLayerParts) {
    this.#parts = parts
    this.#options = parts.options
  }

  /** @throws EventflowError TLS_FILE_INVALID */
  async start(): Promise<void> {
    const { options, where } = this.#parts
    const files = await readTlsFiles(options, where)
    this.#server = createServer(
      {
        ...files,
        requestCert: options.clientCertificate !== 'none',
        rejectUnauthorized: false, // we do, and say why
        handshakeTimeout: LONGEST_TIMER_MS, // the entry has a limit for all layers
      },
      (secure) => this.#secured(secure),
    )
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  files(): string[] {
    return filesOf(this.#options)
  }

  /** @throws EventflowError TLS_FILE_INVALID */
  async prepare(config: Config): Promise<Apply> {
    const { optionsIn, where } = this.#parts
    const options = optionsIn(config)
    const files = await readTlsFiles(options, where)
    return () => {
      this.#options = options
      this.#server?.setSecureContext(files)
    }
  }

  pass(arrival: Arrival, passage: Passage): void {
    const socket = arrival.stream as Socket
    const arriving = { arrival, passage }
    const ends = endsOf(socket)
    this.#arriving.set(ends, arriving)
    socket.once('close', () => {
      if (this.#arriving.get(ends) === arriving) this.#arriving.delete(ends)
    })
    this.#server!.emit('connection', socket)
  }

  #secured(secure: TLSSocket): void {
    const arriving = this.#take(secure)
    if (arriving === null) {
      secure.destroy()
      return
    }
    const { arrival, passage } = arriving
    const certificate = secure.getPeerX509Certificate()
    const { clientCertificate } = this.#options
    if (clientCertificate === 'require' && certificate === undefined) passage.refuse('it has no client certificate')
    else if (certificate !== undefined && !secure.authorized) {
      passage.refuse(`its client certificate is not accepted: ${secure.authorizationError}`)
    } else {
      const described = certificate === undefined ? null : describeCertificate(certificate)
      passage.next({ ...arrival, stream: secure, certificate: described })
    }
  }

  /** The handshake failed. Whoever only looked whether somebody listens is not worth a word. */
  #failed(error: NodeJS.ErrnoException & { reason?: string }, socket: TLSSocket): void {
    const passage = this.#take(socket)?.passage
    // Of an error of OpenSSL the message is for those who have its sources.
    if (error.code !== 'ECONNRESET') passage?.refuse(`the TLS handshake failed: ${error.reason ?? error.message}`)
  }

  #take(socket: Socket): Arriving | null {
    const ends = endsOf(socket)
    const arriving = this.#arriving.get(ends) ?? null
    this.#arriving.delete(ends)
    return arriving
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
