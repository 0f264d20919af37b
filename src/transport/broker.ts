/** The transport: Aedes with its hooks, and the lanes that connect it to sockets. */

import type { Duplex } from 'node:stream'
import { Aedes, type Client } from 'aedes'
import { EventflowError, faultCode } from '../core/errors.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { EmptyPersistence } from './aedes-persistence.ts'
import { type Desk, Desks } from './desk.ts'
import { Lane, type LaneHost } from './lane.ts'
import type { LaneParts } from './lane-parts.ts'
import { NoEmitter } from './no-emitter.ts'
import type { Peer } from './peer.ts'

/** How often silence and slow handshakes are looked for. */
const SWEEP_MS = 500

/** The one return code that Aedes needs to hear; what the client is told is the conversation's business. */
const NOT_AUTHORIZED = 5

const AEDES_VERSION = '2.0.0-beta.1'

/** Messages never pass Aedes: what it publishes by itself is for a cluster of its own kind. */
class QuietAedes extends Aedes {
  override publish(_packet: unknown, client: unknown, done?: unknown): void {
    const callback = typeof client === 'function' ? client : done
    if (typeof callback === 'function') callback()
  }
}

export class Broker implements LaneHost {
  readonly #parts: LaneParts
  readonly #aedes: QuietAedes
  readonly #lanes = new Set<Lane>()
  readonly #byClient = new Map<string, Lane>()
  readonly desks: Desks
  #sweeper: NodeJS.Timeout | null = null

  constructor(parts: LaneParts) {
    this.#parts = parts
    this.#aedes = new QuietAedes({
      persistence: new EmptyPersistence(),
      mq: new NoEmitter(),
      maxClientsIdLength: 65_535, // 23 is what a server must take, not all that it may [MQTT-3.1.3-5]
      connectTimeout: 2_147_483_647, // our sweep is what watches
      drainTimeout: 0,
      authenticate: (client, _username, _password, done) =>
        void this.#guarded(client, async ({ visitor }) => {
          const refused = (await visitor?.admit()) ?? null
          if (refused === null) done(null, true)
          else done(Object.assign(refused, { returnCode: NOT_AUTHORIZED }), false)
        }),
      authorizeSubscribe: (client, subscription, done) =>
        void this.#guarded(client, async ({ visitor }) => {
          const granted = await visitor?.grant(Number(subscription.topic))
          done(null, granted ? subscription : null)
        }),
    })
    if ((this.#aedes as unknown as { version: string }).version !== AEDES_VERSION) {
      throw new EventflowError('TRANSPORT_UNSUPPORTED', `aedes ${AEDES_VERSION} is needed; run npm install`)
    }
    this.desks = new Desks((stream) => this.#aedes.handle(stream))
    this.#aedes.on('clientReady', (client) => this.desks.of(client).ready())
    // Aedes closes the stream of a client that it has trouble with; that is all we need to know of it.
    this.#aedes.on('clientError', () => {})
    this.#aedes.on('connectionError', () => {})
  }

  /** Connections, those included that have not sent CONNECT yet. */
  get connections(): number {
    return this.#lanes.size
  }

  /** Clients that Aedes has: one a matter under way, and some that are free. */
  get openDesks(): number {
    return this.#aedes.connectedClients
  }

  async start(): Promise<void> {
    await this.#aedes.listen()
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#sweeper.unref()
  }

  /** Serve a connection: any byte stream. */
  attach(stream: Duplex, peer: Peer): void {
    this.#parts.scheduler.counters.sockets++
    this.#lanes.add(new Lane(stream, peer, this.#parts, this))
  }

  /** Send every client away, and stop. */
  async stop(): Promise<void> {
    if (this.#sweeper !== null) clearInterval(this.#sweeper)
    this.#sweeper = null
    // Those with a will first, so that those who read it are still there.
    const withWill = [...this.#lanes].filter(({ conversation }) => conversation.session?.will)
    for (const lane of [...withWill, ...this.#lanes]) {
      lane.close(ReasonCode.ServerShuttingDown, 'shutdown', 'the broker stops')
    }
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()))
  }

  claim(lane: Lane, clientId: string): void {
    if (!this.#lanes.has(lane)) throw new Refusal(ReasonCode.ServerBusy, 'the connection was given up meanwhile')
    const other = this.#byClient.get(clientId)
    this.#byClient.set(clientId, lane)
    if (other === undefined || other === lane) return
    other.close(ReasonCode.SessionTakenOver, 'takeover', 'another connection with this client identifier') // [MQTT-3.1.4-3]
  }

  gone(lane: Lane): void {
    this.#lanes.delete(lane)
    const { clientId } = lane.conversation
    if (this.#byClient.get(clientId) === lane) this.#byClient.delete(clientId)
  }

  /** A hook of Aedes. What Aedes throws when it is answered ends that connection, never the process. */
  async #guarded(client: Client, hook: (desk: Desk) => Promise<void>): Promise<void> {
    try {
      await hook(this.desks.of(client))
    } catch (error) {
      this.#parts.log.error({ error }, 'the transport failed; the connection is closed')
      this.#parts.events.emit('broker.error', { code: faultCode(error), message: 'the transport failed' })
      client.conn.destroy()
    }
  }

  #sweep(): void {
    const now = this.#parts.clock.now()
    for (const lane of this.#lanes) {
      if (!lane.connected) {
        if (now - lane.openedAt > this.#parts.limits.connectTimeoutMs) lane.giveUp()
      } else if (lane.keepAliveMs > 0 && !lane.paused && now - lane.lastSeenAt > lane.keepAliveMs) {
        lane.close(ReasonCode.KeepAliveTimeout, 'keep-alive', 'nothing was heard of the client')
      }
    }
  }
}
