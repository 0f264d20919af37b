/** What the queue plugin stands on, for its tests: clients with outboxes, a clock that waits to be told, a listener. */

import { Engine } from '../../../../plugins/queue/engine.ts'
import { Control } from '../../../../plugins/queue/operations/control.ts'
import { Rates } from '../../../../plugins/queue/operations/rates.ts'
import type { QueueOptions } from '../../../../plugins/queue/options.ts'
import type { Budget } from '../../../../plugins/queue/rules/budget.ts'
import { resolveConfig } from '../../../../src/config/load.ts'
import { Counters } from '../../../../src/core/counters.ts'
import { EventBus } from '../../../../src/core/event-bus.ts'
import {
  type Clock,
  EVENT_TYPES,
  type EventMap,
  type EventType,
  Message,
  type Outgoing,
  type PluginContext,
  type QoS,
  type SessionDetails,
  type Settlement,
  type Store,
  userProperties,
} from '../../../../src/plugin.ts'
import { openStore } from '../../../../src/store/open.ts'
import { chronicleOf } from '../../../helpers/chronicle.ts'

export class FakeClock implements Clock {
  #now = Date.parse('2026-03-01T12:00:00.000Z')
  readonly #timers = new Set<{ at: number; callback: () => void }>()

  now = (): number => this.#now

  after(delayMs: number, callback: () => void) {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  get pending(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.callback()
    }
    this.#now = until
  }
}

/** A client with its session and outbox: keeps what it is given until the test settles it. */
export class FakeClient implements SessionDetails {
  readonly clientId: string
  readonly username = null
  readonly grants = { roles: [], rules: [] }
  readonly address = ''
  protocolVersion = 4
  connected = true
  persistent = false
  /** What it was given and has not settled. */
  readonly expirySeconds = 0
  readonly disconnectedAt = 0
  readonly subscriptions = new Map()
  has: Array<Outgoing<unknown>> = []
  /** Payloads of all that it was ever given. */
  readonly got: string[] = []
  readonly outbox = {
    writable: true,
    window: Infinity,
    send: () => false,
    deliver: (outgoing: Outgoing<never>) => {
      this.has.push(outgoing as Outgoing<unknown>)
      this.got.push(outgoing.message.payload.toString())
    },
    withdraw: () => {},
    inflight: 0,
    size: 0,
  }

  constructor(clientId: string) {
    this.clientId = clientId
  }

  /** Payloads of what it has and has not settled. */
  get holding(): string[] {
    return this.has.map(({ message }) => message.payload.toString())
  }

  settle(payload: string, settlement: Settlement, reasonCode = 0): void {
    const place = this.holding.indexOf(payload)
    const [{ receiver, token }] = this.has.splice(place, 1) as [Outgoing<unknown>]
    receiver?.settled(token, settlement, reasonCode)
  }

  acknowledge(...payloads: string[]): void {
    for (const payload of payloads) this.settle(payload, 'acknowledged')
  }

  /** As an outbox does when the connection is gone: QoS 2 in a persistent session stays. */
  drop(ended: boolean): void {
    this.connected = false
    const lost = this.has.filter(({ qos }) => ended || !this.persistent || qos < 2)
    this.has = this.has.filter((outgoing) => !lost.includes(outgoing))
    for (const { receiver, token } of lost) receiver?.settled(token, 'lost', 0)
  }
}

export class Bench {
  readonly clock = new FakeClock()
  readonly store: Store
  readonly engine: Engine
  readonly control: Control
  /** Not started: time passes in many tests. */
  readonly rates: Rates
  readonly options: QueueOptions
  readonly counters = new Counters()
  /** Clients as the kernel would know them. */
  readonly sessions = new Map<string, FakeClient>()
  readonly events: Array<{ type: EventType; data: EventMap[EventType] }> = []

  private constructor(store: Store, options: Partial<QueueOptions>, budget?: Budget) {
    this.store = store
    const bus = new EventBus((error) => {
      throw error
    })
    bus.listen(EVENT_TYPES, (type, data) => void this.events.push({ type, data }))
    const silent = () => {}
    this.options = { ...resolveConfig().queue, ...options }
    const context: PluginContext<QueueOptions> = {
      options: this.options,
      log: { debug: silent, info: silent, warn: silent, error: silent },
      clock: this.clock,
      events: bus,
      chronicle: chronicleOf(bus),
      counters: this.counters,
      gauges: () => ({ sessions: 0, subscriptions: 0, sharedSubscriptions: 0, inflight: 0, clientMemory: 0 }),
      store,
      node: 'test',
      version: '0',
      namespace: silent,
      alias: silent,
      authenticator: silent,
      authenticationMethod: () => {},
      authorizer: silent,
      accessTopic: (_action, topic) => topic,
      accessChanged: async () => {},
      disconnect: () => false,
      session: (clientId) => this.sessions.get(clientId),
      reload: () => Promise.reject(new Error('nothing is read again here')),
      sessions: () => this.sessions.values(),
      endSession: () => false,
      api: () => undefined,
      check: silent,
      publish: silent,
    }
    this.engine = new Engine(context, budget)
    this.rates = new Rates(this.engine, context)
    this.control = new Control(this.engine, context, this.rates)
  }

  static async open(options: Partial<QueueOptions> = {}, store?: Store, budget?: Budget): Promise<Bench> {
    const own = store ?? (await openStore({ kind: 'memory', path: '', onFault: () => {} }))
    const bench = new Bench(own, options, budget)
    await bench.engine.start()
    return bench
  }

  /** What sessions find that were in the store: nothing has started yet. */
  static found(store: Store, options: Partial<QueueOptions> = {}): Bench {
    return new Bench(store, options)
  }

  /** Publish one message for each payload, and wait until they are safe. */
  async publish(topic: string, ...payloads: string[]): Promise<void> {
    await Promise.all(payloads.map((payload) => this.engine.accept(this.message(topic, payload))))
  }

  /** Publish with user properties, as an MQTT 5.0 client does. */
  async send(topic: string, payload: string, told: Record<string, string>): Promise<void> {
    await this.engine.accept(this.message(topic, payload, 0, userProperties(Object.entries(told))))
  }

  message(topic: string, payload: string, expiresAt = 0, properties: Buffer | null = null): Message {
    const fields = { topic, payload: Buffer.from(payload), qos: 1 as QoS, from: 'publisher', expiresAt, properties }
    return Message.of({ ...fields, receivedAt: this.clock.now() })
  }

  messageFrom(clientId: string, topic: string, payload: Buffer): Message {
    return Message.of({ topic, payload, qos: 1, from: clientId, receivedAt: this.clock.now() })
  }

  subscribe(client: FakeClient, filter: string, qos: QoS = 1, identifier = 0): void {
    this.grant(client, filter, qos, identifier)?.()
  }

  /** Subscribe, and leave it to the caller to say when the client has its SUBACK. */
  grant(client: FakeClient, filter: string, qos: QoS = 1, identifier = 0): (() => void) | undefined {
    const rest = { noLocal: false, retainAsPublished: false, retainHandling: 0 as const }
    return this.engine.subscribe(client, { filter, qos, identifier, ...rest }, false)
  }

  consumer(clientId: string, filter: string, qos: QoS = 1): FakeClient {
    const client = new FakeClient(clientId)
    this.subscribe(client, filter, qos)
    return client
  }

  disconnect(client: FakeClient, ended = !client.persistent): void {
    client.drop(ended)
    this.engine.detach(client, ended)
  }

  connect(client: FakeClient): void {
    client.connected = true
    this.engine.attach(client)
  }

  /** The data of every event of a type so far. */
  told<T extends EventType>(type: T): Array<EventMap[T]> {
    return this.events.filter((event) => event.type === type).map(({ data }) => data as EventMap[T])
  }

  /** How many messages the store holds for a queue. */
  stored(name: string): number {
    return this.store.queues.list().find((log) => log.name === name)?.count ?? 0
  }
}
