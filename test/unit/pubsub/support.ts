/** Clients of a broker without sockets or time: the kernel, publish/subscribe and sessions, and connections that can be read. */

import type { IPublishPacket } from 'mqtt-packet'
import { Counters } from '../../../src/core/counters.ts'
import type { Message, QoS } from '../../../src/core/message.ts'
import { Kernel } from '../../../src/kernel/kernel.ts'
import type { Subscription } from '../../../src/kernel/plugin-contract.ts'
import { PubSub } from '../../../src/pubsub/pubsub.ts'
import type { OutboxLimits } from '../../../src/session/outbox.ts'
import type { Session } from '../../../src/session/session.ts'
import type { Store } from '../../../src/store/store.ts'
import { chronicleOf } from '../../helpers/chronicle.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { LIMITS } from '../../helpers/limits.ts'
import { SILENT, subscription } from '../kernel/support.ts'
import { Connection, type ConnectionOptions, memoryStore, message, recordedEvents } from '../session/support.ts'

export interface ClientOptions extends ConnectionOptions {
  /** Seconds; 0: the session ends with the connection. */
  expiry?: number
  clean?: boolean
}

export class TestClient {
  readonly session: Session
  readonly connection: Connection
  /** What it was sent at QoS 1 and 2 and has not settled, in order. */
  readonly unsettled: IPublishPacket[] = []
  /** Payloads of all it was sent, in order. */
  readonly payloads: string[] = []
  readonly packets: IPublishPacket[] = []
  readonly #kernel: Kernel

  constructor(kernel: Kernel, session: Session, connection: Connection) {
    this.#kernel = kernel
    this.session = session
    this.connection = connection
  }

  async subscribe(filter: string, fields: Partial<Subscription> = {}): Promise<void> {
    const after = await this.#kernel.subscriptions.add(this.session, subscription(filter, fields))
    after?.()
  }

  unsubscribe(filter: string): void {
    this.#kernel.subscriptions.remove(this.session, filter)
  }

  /** Take in what has arrived. Returns what is new. */
  async read(): Promise<IPublishPacket[]> {
    const fresh = (await this.connection.packets()).filter((packet) => packet.cmd === 'publish')
    for (const packet of fresh) {
      this.packets.push(packet)
      this.payloads.push(packet.payload.toString())
      if (packet.qos > 0) this.unsettled.push(packet)
    }
    return fresh
  }

  /** Acknowledge the oldest one: PUBACK, or PUBREC (refused when the code says so) and PUBCOMP. */
  settle(reasonCode = 0): string {
    const { qos, messageId, payload } = this.unsettled.shift()!
    const { outbox } = this.session
    if (qos === 1) outbox.acknowledged(messageId!, reasonCode)
    else {
      outbox.received(messageId!, reasonCode)
      if (reasonCode < 0x80) outbox.completed(messageId!)
    }
    return payload.toString()
  }

  disconnect(): void {
    this.#kernel.clients.gone(this.session, { reason: 'network', reasonCode: 0, publishWill: false })
  }
}

export class House {
  readonly clock: FakeClock
  readonly store: Store
  readonly heard: ReturnType<typeof recordedEvents>['heard']
  readonly #events: ReturnType<typeof recordedEvents>['events']
  readonly #limits: OutboxLimits
  /** Of the present run. */
  counters = new Counters()
  #kernel!: Kernel

  private constructor(store: Store, limits: OutboxLimits) {
    this.store = store
    this.clock = new FakeClock()
    const { events, heard } = recordedEvents()
    this.#events = events
    this.heard = heard
    this.#limits = limits
  }

  static async open(limits: Partial<OutboxLimits> = {}): Promise<House> {
    const house = new House(await memoryStore(), { ...LIMITS, ...limits })
    await house.restart()
    return house
  }

  /** As after kill -9: what is not in the store is gone. */
  async restart(): Promise<void> {
    this.#kernel?.stop()
    await this.store.durable()
    const { store, clock } = this
    const [events, limits] = [this.#events, this.#limits]
    const counters = new Counters()
    this.counters = counters
    const rest = { node: 'n', version: '0', log: SILENT, maxTopicLevels: 10, maxExpirySeconds: 0xffff_ffff }
    this.#kernel = new Kernel({ store, clock, events, chronicle: chronicleOf(events), counters, limits, ...rest })
    const pubsub = new PubSub({ store, events, counters, clock, limits })
    await pubsub.load()
    this.#kernel.namespaces.claim('', pubsub)
    await this.#kernel.loadSessions()
  }

  connect(clientId: string, options: ClientOptions = {}): TestClient {
    const { expiry = 0, clean = false } = options
    const connecting = { clientId, clean, expirySeconds: expiry, username: null, address: 'here' }
    const asked = { ...connecting, keepAliveSeconds: 0, will: null }
    const { session, present } = this.#kernel.clients.open(asked)
    const connection = new Connection({ settled: () => this.store.durable(), ...options })
    this.#kernel.clients.connected(session, connection, asked, present)
    return new TestClient(this.#kernel, session, connection)
  }

  /** Publish on the topic `t`. Returns whether the publisher waits for the store. */
  publish(payload: string, qos: QoS = 1, fields: Partial<Parameters<typeof Message.of>[0]> = {}): boolean {
    const sent = message(payload, { qos, receivedAt: this.clock.now(), ...fields })
    return this.#kernel.intake.publishAsBroker(sent) !== undefined
  }
}
