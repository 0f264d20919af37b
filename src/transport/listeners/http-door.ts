/**
 * The way in for MQTT over WebSocket on a port where HTTP is served: it has no socket of its own, requests to upgrade are handed
 * to it. For limits and events it is the listener `http`. Who may ask at all is for the HTTP server to say.
 */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Config } from '../../config/schema.ts'
import type { Events } from '../../core/events.ts'
import { ReasonCode, type Refusal } from '../../core/reason-codes.ts'
import { refusalReasonOf } from '../../core/refusal-reason.ts'
import type { Gate } from '../gate.ts'
import type { Peer } from '../peer.ts'
import { Networks } from './networks.ts'
import { senderOf, WebSocketUpgrades } from './web-socket-upgrades.ts'

const NAME = 'http'

export interface HttpDoorParts {
  gate: Gate
  attach: (stream: Duplex, peer: Peer, refusal: Refusal | null) => void
  events: Events
}

export class HttpDoor {
  readonly #parts: HttpDoorParts
  #proxies: Networks
  #upgrades: WebSocketUpgrades

  constructor({ http, mqtt }: Config, parts: HttpDoorParts) {
    this.#parts = parts
    this.#proxies = new Networks(http.forwardedFor)
    this.#upgrades = new WebSocketUpgrades(mqtt.maxPacketSize)
  }

  /** Take other options: in force for new connections when the returned function is called. */
  prepare({ http, mqtt }: Config): () => void {
    return () => {
      this.#proxies = new Networks(http.forwardedFor)
      this.#upgrades = new WebSocketUpgrades(mqtt.maxPacketSize)
    }
  }

  /**
   * A request to upgrade becomes a connection of the broker.
   * @throws Refusal 0x82 when it is none for MQTT over WebSocket, 0x97 and 0x9f when there are too many; nothing was answered then
   */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { gate, attach } = this.#parts
    const address = this.#addressOf(request)
    const refusal = gate.admit(socket, address)
    if (refusal !== null) throw refusal
    const stream = this.#upgrades.accept(request, socket, head)
    attach(stream, { address, listener: NAME, certificate: null }, null)
  }

  /** Tell that a request to upgrade was turned away, by whomever. */
  refused(request: IncomingMessage, message: string, reasonCode: number | null): void {
    const code = reasonCode ?? ReasonCode.UnspecifiedError
    const reason = reasonCode === null ? 'handshake' : refusalReasonOf(code)
    const told = { clientId: '', address: this.#addressOf(request), reason, reasonCode: code, message }
    this.#parts.events.emit('client.connecting-refused', told)
  }

  #addressOf(request: IncomingMessage): string {
    const { remoteAddress = '', remotePort = '' } = request.socket
    return senderOf(request, `${remoteAddress}:${remotePort}`, this.#proxies)
  }
}
