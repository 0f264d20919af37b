/** The transport: Aedes with its hooks, and the lanes that connect it to sockets. */

import type { Duplex } from 'node:stream'
import { Aedes, type Client } from 'aedes'
import { EventflowError, faultCode } from '../core/errors.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { EmptyPersistence } from './aedes-persistence.ts'
import { type Desk, Desks } from './desk.ts'
import { HalfOpen, TOO_LATE } from './half-open.ts'
import { Lane, type LaneHost } from './lane.ts'
import type { LaneParts, OwnLimits, TransportLimits } from './lane-parts.ts'
import { NoEmitter } from './no-emitter.ts'
import { Pace } from './pace.ts'
import type { Peer } from './peer.ts'
import { Unfinished } from './unfinished.ts'

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
  #parts: LaneParts
  /** Of listeners that have limits of their own, by name. */
  #partsOf: ReadonlyMap<string, LaneParts>
  readonly #aedes: QuietAedes
  readonly #lanes = new Set<Lane>()
  readonly #byClient = new Map<string, Lane>()
  readonly desks: Desks
  readonly pace = new Pace()
  readonly #halfOpen: HalfOpen<Lane>
  readonly #unfinished = new Unfinished<Lane>()
  #sweeper: NodeJS.Timeout | null = null

  /** @param ownLimits what is not as for all, by the name of the listener */
  constructor(parts: LaneParts, ownLimits: OwnLimits = new Map()) {
    this.#parts = parts
    this.#partsOf = partsByListener(parts, ownLimits)
    this.#halfOpen = new HalfOpen(parts.limits.maxHalfOpen)
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

  /** Those of them that were not let in yet. */
  get halfOpen(): number {
    return this.#halfOpen.size
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

  /** Serve a connection: any byte stream. @param refusal why it is to be turned away, once it can be told; null: it is not */
  attach(stream: Duplex, peer: Peer, refusal: Refusal | null = null): void {
    this.#parts.scheduler.counters.sockets++
    const lane = new Lane(stream, peer, this.#partsOf.get(peer.listener) ?? this.#parts, this, refusal)
    this.#lanes.add(lane)
    this.#halfOpen.add(lane)
  }

  /** Other limits for the connections that are made from now on: those that are there were told the old ones. */
  change(limits: TransportLimits, own: OwnLimits = new Map()): void {
    this.#parts = { ...this.#parts, limits }
    this.#halfOpen.max = limits.maxHalfOpen
    this.#partsOf = partsByListener(this.#parts, own)
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

  received(lane: Lane, bytes: number): void {
    this.#halfOpen.received(lane, bytes)
  }

  unfinished(lane: Lane, bytes: number): void {
    const { maxUnfinishedBytes, maxPacketSize } = this.#parts.limits
    this.#unfinished.changed(lane, bytes, Math.max(maxUnfinishedBytes, maxPacketSize))
  }

  welcomed(lane: Lane): void {
    this.#halfOpen.delete(lane)
  }

  gone(lane: Lane): void {
    this.#lanes.delete(lane)
    this.#halfOpen.delete(lane)
    this.unfinished(lane, 0)
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
    this.#halfOpen.giveUpBefore(now - this.#parts.limits.connectTimeoutMs, TOO_LATE)
    for (const lane of this.#lanes) {
      if (lane.keepAliveMs > 0 && !lane.paused && now - lane.lastSeenAt > lane.keepAliveMs) {
        lane.close(ReasonCode.KeepAliveTimeout, 'keep-alive', 'nothing was heard of the client')
      }
    }
  }
}

function partsByListener(parts: LaneParts, ownLimits: OwnLimits): Map<string, LaneParts> {
  const withOwn = (own: Partial<TransportLimits>): LaneParts => ({ ...parts, limits: { ...parts.limits, ...own } })
  return new Map([...ownLimits].map(([name, own]) => [name, withOwn(own)]))
}
