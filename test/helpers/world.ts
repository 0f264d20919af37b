/**
 * A broker with its queues in this process, on a disk and on lines that a test can cut anywhere; when it is killed there is
 * another one at once, on what the disk has.
 */

import { duplexPair } from 'node:stream'
import type { IConnackPacket } from 'mqtt-packet'
import { queue } from '../../plugins/queue/index.ts'
import { resolveConfig } from '../../src/config/load.ts'
import { Counters } from '../../src/core/counters.ts'
import { EventBus } from '../../src/core/event-bus.ts'
import { Kernel } from '../../src/kernel/kernel.ts'
import { PubSub } from '../../src/pubsub/pubsub.ts'
import type { Database } from '../../src/store/level/database.ts'
import { LevelStore } from '../../src/store/level/level-store.ts'
import type { Store } from '../../src/store/store.ts'
import { Broker } from '../../src/transport/broker.ts'
import { TopicTable } from '../../src/wire/topic-table.ts'
import { WriteScheduler } from '../../src/wire/write-buffer.ts'
import { LIMITS } from '../unit/kernel/support.ts'
import { chronicleOf } from './chronicle.ts'
import { FakeClock } from './fake-clock.ts'
import { Journal } from './journal.ts'
import { Line, Scissors } from './line.ts'
import { turn } from './slow-sink.ts'

/** Sessions outlive their connections by so much, by the clock of the test. */
export const SESSION_SECONDS = 10

const TRANSPORT = {
  ...{
    maxPacketSize: 10_000,
    maxConnectSize: 10_000,
    maxTopicBytes: 65_535,
    maxTopicLevels: 10,
    connectTimeoutMs: 10_000,
    maxSocketBuffer: 1_000_000,
  },
  ...{ checkPayloadFormat: false, maxKeepAliveSeconds: 0, receiveMaximum: 100, topicAliasMaximum: 0 },
  ...{
    maxHalfOpen: 1_000,
    maxUnfinishedBytes: 10_000_000,
    messageRate: null,
    byteRate: null,
    overRate: 'pause' as const,
  },
  publishDenied: 'close' as const,
}

const QUEUES = { ...resolveConfig().queue, ackTimeout: 3_600_000, maxDeliveries: 1000 }

interface House {
  readonly broker: Broker
  readonly kernel: Kernel
  readonly store: Store
}

export class World {
  readonly version: 4 | 5
  readonly journal = new Journal()
  readonly scissors = new Scissors()
  readonly clock = new FakeClock()
  /** When the broker is killed, what it has sent still arrives. */
  late = false
  /** What the broker has reported as wrong. */
  readonly faults: unknown[] = []
  #house: House | null = null
  /** Broker processes so far. */
  #process = 0
  #opened: Array<() => void> = []
  readonly #lines = new Set<Line>()

  constructor(version: 4 | 5) {
    this.version = version
    this.journal.onKilled = () => this.#killed()
    this.#open()
  }

  /** A line that has its CONNACK; null when it was cut before. */
  async connect(clientId: string): Promise<{ line: Line; connack: IConnackPacket } | null> {
    await this.house()
    // It may have been killed in between: then nobody would ever answer, nor cut the line.
    if (this.#house === null) return null
    const { broker } = this.#house
    const [ours, theirs] = duplexPair({ allowHalfOpen: true })
    broker.attach(ours, { address: 'here', listener: 'test', certificate: null })
    const line = new Line(theirs, this.version, this.scissors)
    this.#lines.add(line)
    const properties = this.version === 5 ? { properties: { sessionExpiryInterval: SESSION_SECONDS } } : {}
    const protocol = { protocolId: 'MQTT', protocolVersion: this.version } as const
    line.send({ cmd: 'connect', ...protocol, clientId, clean: false, keepalive: 0, ...properties })
    const connack = await line.connack().catch(() => null)
    return connack === null ? null : { line, connack }
  }

  /** Whether there is a broker now. */
  get isUp(): boolean {
    return this.#house !== null
  }

  /** The broker that there is, or the next one. */
  async house(): Promise<House> {
    while (this.#house === null) await new Promise<void>((resolve) => this.#opened.push(resolve))
    return this.#house
  }

  /** Whether there is a broker, and it has no messages, nor exchanges that are not complete. */
  get isEmpty(): boolean {
    const store = this.#house?.store
    return store !== undefined && store.queues.list().length === 0 && store.sessions.outgoing.list().length === 0
  }

  /** No accidents any more, and no broker. What is left on disk is returned. */
  async end(): Promise<LevelStore> {
    this.journal.killAt = null
    this.scissors.cutAt = null
    const { store } = await this.house()
    for (const line of this.#lines) line.cut()
    await turn()
    await store.durable()
    this.journal.onKilled = () => {}
    this.journal.kill('written')
    this.#takeDown()
    return this.#openStore(await this.journal.open())
  }

  #open(): void {
    const process = ++this.#process
    const opening = this.journal.open().then((database) => this.#start(database))
    opening.then(
      (house) => {
        // It was killed while it started.
        if (process !== this.#process) return this.#takeDown(house)
        this.#house = house
        for (const tell of this.#opened.splice(0)) tell()
      },
      (error: unknown) => this.faults.push(error),
    )
  }

  async #start(database: Database): Promise<House> {
    const { clock } = this
    const store = await this.#openStore(database)
    const counters = new Counters()
    const events = new EventBus((error) => this.faults.push(error))
    const report = (data: object, text: string): void => void this.faults.push([text, data])
    const log = { debug() {}, info() {}, warn: report, error: report }
    const shared = { store, clock, events, log }
    const kernel = new Kernel({
      ...{ ...shared, chronicle: chronicleOf(events), counters, node: 'n', version: '0' },
      ...{ maxTopicLevels: 10, limits: LIMITS, maxExpirySeconds: SESSION_SECONDS },
    })
    kernel.namespaces.claim('', new PubSub({ store, events, counters, clock, limits: LIMITS }))
    await kernel.plugins.setUp([queue], (plugin) => kernel.contextOf(plugin, QUEUES))
    await kernel.loadSessions()
    await kernel.plugins.start()
    kernel.start()
    const { clients, intake, subscriptions } = kernel
    const scheduler = new WriteScheduler(counters)
    const broker = new Broker({
      ...shared,
      clients,
      intake,
      subscriptions,
      scheduler,
      topics: new TopicTable(),
      limits: TRANSPORT,
    })
    await broker.start()
    return { broker, kernel, store }
  }

  #openStore(database: Database): Promise<LevelStore> {
    const onFault = (error: Error): void => void this.faults.push(error)
    // A clock that stands still: a write that is under way when the other leaps is not a slow disk.
    return LevelStore.open({ kind: 'test', path: '', database, clock: new FakeClock(), onFault, onRecovered() {} })
  }

  #killed(): void {
    const lines = [...this.#lines]
    this.#lines.clear()
    const house = this.#house
    this.#house = null
    this.#process++
    for (const line of lines) line.deafen()
    const cut = (): void => {
      for (const line of lines) line.cut()
      if (house !== null) this.#takeDown(house)
      this.#open()
    }
    if (this.late) void turn().then(cut)
    else cut()
  }

  /** What a process takes with it. */
  #takeDown(house = this.#house): void {
    if (house === null) return
    house.kernel.stop()
    void house.kernel.plugins.stop()
    void house.broker.stop()
  }
}
