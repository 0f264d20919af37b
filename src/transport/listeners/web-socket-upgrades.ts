/**
 * From an HTTP request to a WebSocket that speaks MQTT: the subprotocol, and limits for what a client sends. Whose request it
 * is, and whether it may come, is for others to say.
 */

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { ReasonCode, Refusal } from '../../core/reason-codes.ts'
import { clientAddress } from './forwarded.ts'
import type { Networks } from './networks.ts'
import { WebSocketStream } from './web-socket-stream.ts'

/** What a server may select: the second is of MQTT 3.1, before there was a standard. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1']
/** A message may hold several packets: never so little that a client which gathers small ones would not get through. */
const MIN_MAX_MESSAGE_BYTES = 65_536

/** A large message may come in so many pieces, and in as many as it takes when they are no smaller than this. */
const MIN_MAX_CHUNKS = 4_096
const MEAN_CHUNK_BYTES = 512

export class WebSocketUpgrades {
  readonly #server: WebSocketServer
  /** Why the request at hand is none that can be upgraded. */
  #problem: string | null = null

  /** @param maxPacketSize bytes of the largest MQTT packet that is taken */
  constructor(maxPacketSize: number) {
    const maxPayload = Math.max(maxPacketSize, MIN_MAX_MESSAGE_BYTES)
    this.#server = new WebSocketServer({
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
    this.#server.on('wsClientError', ({ message }) => {
      this.#problem = message
    })
  }

  /** @throws Refusal 0x82 when the request is none for MQTT over WebSocket; nothing was answered then */
  accept(request: IncomingMessage, stream: Duplex, head: Buffer): WebSocketStream {
    const offered = new Set((request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()))
    if (subprotocolOf(offered) === null) {
      throw new Refusal(ReasonCode.ProtocolError, 'it does not offer the subprotocol mqtt') // [MQTT-6.0.0-3]
    }
    this.#problem = null
    let accepted = null as WebSocketStream | null
    // Nobody is asked, so all of it is done when this returns.
    this.#server.handleUpgrade(request, stream, head, (socket) => {
      accepted = new WebSocketStream(socket, stream)
    })
    if (accepted === null) throw new Refusal(ReasonCode.ProtocolError, this.#problem ?? 'its connection is gone')
    return accepted
  }
}

/** Who sent a request that came from `peer`: what X-Forwarded-For says, as far as those who wrote it are known proxies. */
export function senderOf({ headers }: IncomingMessage, peer: string, proxies: Networks): string {
  const header = headers['x-forwarded-for']
  // Node.js makes one of several of this header, in their order.
  return typeof header === 'string' ? clientAddress(peer, header, (address) => proxies.has(address)) : peer
}

/** The first of ours that a client offers, by our order. */
function subprotocolOf(offered: ReadonlySet<string>): string | null {
  return SUBPROTOCOLS.find((name) => offered.has(name)) ?? null
}
