/** A producer and consumers of the queue `work`, at QoS 2 with sessions that are kept, who come back whenever they are cut. */

import { Producer, type ProducerLimits, Subscriber } from './exchanges.ts'
import type { Line } from './line.ts'
import type { World } from './world.ts'

const TOPIC = 'queue/work'

export class ProducerEnd {
  readonly producer: Producer
  line: Line | null = null
  readonly #world: World

  constructor(world: World, limits: ProducerLimits) {
    this.#world = world
    this.producer = new Producer(() => ({ topic: TOPIC, qos: 2 }), limits)
  }

  /** Until all of its exchanges are complete. */
  async run(): Promise<void> {
    const { producer } = this
    do {
      const connected = await this.#world.connect('producer')
      if (connected === null) continue
      const { line, connack } = connected
      if (producer.unfinished && !connack.sessionPresent) throw new Error('the session of the producer is lost')
      this.line = line
      await producer.run(line)
    } while (producer.unfinished || producer.sent.length === 0)
    this.line?.cut()
  }
}

export class ConsumerEnd {
  readonly subscriber = new Subscriber()
  readonly clientId: string
  line: Line | null = null
  readonly #world: World
  #wants = true
  /** SUBSCRIBEs and UNSUBSCRIBEs so far. */
  #requests = 0
  #left = true
  #running: Promise<void> = Promise.resolve()

  constructor(world: World, clientId: string) {
    this.#world = world
    this.clientId = clientId
  }

  get left(): boolean {
    return this.#left
  }

  /** Consume until it leaves. Resolves then. */
  run(): Promise<void> {
    this.#left = false
    this.#running = this.#running.then(() => this.#run())
    return this.#running
  }

  /** Go, and stay away. */
  leave(): void {
    this.#left = true
    this.line?.cut()
  }

  subscribe(): void {
    this.#wants = true
    this.#tell()
  }

  unsubscribe(): void {
    this.#wants = false
    this.subscriber.subscribed = false
    this.subscriber.subscribing = 0
    this.#tell()
  }

  async #run(): Promise<void> {
    const { subscriber } = this
    while (!this.#left) {
      const connected = await this.#world.connect(this.clientId)
      if (connected === null) continue
      const { line, connack } = connected
      if (!connack.sessionPresent) this.#sessionIsGone()
      this.line = line
      if (!subscriber.subscribed) this.#tell()
      if (this.#left) line.cut()
      await subscriber.run(line)
    }
  }

  #tell(): void {
    const messageId = ++this.#requests
    if (!this.#wants) this.line?.send({ cmd: 'unsubscribe', messageId, unsubscriptions: [TOPIC] })
    else {
      this.subscriber.subscribing = messageId
      this.line?.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic: TOPIC, qos: 2 }] })
    }
  }

  #sessionIsGone(): void {
    if (this.subscriber.open.length > 0) throw new Error(`the session of ${this.clientId} is lost`)
    this.subscriber.forget()
  }
}
