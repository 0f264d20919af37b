/**
 * One load on one broker: its connections, and the loop that keeps them busy.
 *
 * What sockets bring is served as it comes; sending waits until the turn of the event loop ends, so that all that a turn
 * made possible leaves as one write a connection. A wait ends when its condition holds, when a connection breaks
 * (it rejects), or when nothing has moved for a while: the broker has lost something then, or stands still.
 */

import { BenchError } from '../errors.ts'
import { Histogram } from '../histogram.ts'
import type { Routes } from '../routes.ts'
import type { Scenario } from '../scenarios.ts'
import { connect, connectAll, type Target } from './handshake.ts'
import type { Ledger } from './ledger.ts'
import type { Link } from './link.ts'
import type { Pace } from './pace.ts'
import { DISCONNECT } from './packets.ts'
import { PublishRing } from './publish-ring.ts'
import { Publisher } from './publisher.ts'
import { ReadBuffer } from './read-buffer.ts'
import { Reader } from './reader.ts'
import { Subscriber } from './subscriber.ts'

/** How often it is looked in `stallMs` whether something moved. */
const LOOKS = 10

export interface LoadOptions {
  readonly target: Target
  readonly scenario: Scenario
  readonly routes: Routes
  readonly ledger: Ledger
  /** Distinguishes this run's messages and client identifiers from all others'. */
  readonly tag: number
  /** How many unacknowledged messages a publisher may have at QoS 1 and 2; fewer where the broker says so in CONNACK. */
  readonly maxInflight: number
  /** How many of the scenario's publishers and subscribers take part. */
  readonly publishers: number
  readonly subscribers: number
  /** How long nothing may move before the run is given up. */
  readonly stallMs: number
  /** A filter that one more client reads along; null: none does. */
  readonly reader: string | null
}

export class Load {
  readonly latency = new Histogram()
  readonly publishers: Publisher[] = []
  readonly subscribers: Subscriber[] = []
  readonly #options: LoadOptions
  readonly #input: ReadBuffer
  readonly #links: Link[] = []
  #pace: Pace | null = null
  #scheduled = false
  /** Told at the end of each turn; null while nobody waits. */
  #watch: (() => void) | null = null

  constructor(options: LoadOptions) {
    this.#options = options
    this.#input = new ReadBuffer(options.scenario.payloadBytes + 1_024)
  }

  /** Open all connections. */
  async open(): Promise<void> {
    const { publishers, subscribers, scenario, routes, tag, ledger, maxInflight, reader } = this.#options
    const { version, qos, payloadBytes } = scenario
    const records = { tag, payloadBytes, ledger, latency: this.latency }
    const consumers = await this.#connect('subscriber', subscribers)
    for (const [n, { link }] of consumers.entries()) {
      this.subscribers.push(new Subscriber(n, link, version, records))
    }
    for (const [n, { link, receiveMaximum }] of (await this.#connect('publisher', publishers)).entries()) {
      const ring = new PublishRing({ ...scenario, topics: routes.topics(n) }, tag, n)
      this.publishers.push(new Publisher(n, link, ring, qos === 0 ? 0 : Math.min(maxInflight, receiveMaximum)))
    }
    if (reader === null) return
    const [reading] = await this.#connect('reader', 1)
    const side = new Reader(reading!.link, reader)
    await this.#answered(() => side.subscribed)
  }

  /** Subscribe, and wait until every subscription is granted. */
  async subscribe(): Promise<void> {
    const { scenario, routes } = this.#options
    for (const subscriber of this.subscribers) subscriber.subscribe(routes.filters(subscriber.id), scenario.qos)
    await this.#answered(() => this.subscribers.every(({ answered }) => answered))
  }

  /** Publish at this pace until it is done and all is delivered and acknowledged. False: it stalled before. */
  async publish(pace: Pace): Promise<boolean> {
    const { ledger } = this.#options
    this.#pace = pace
    pace.start()
    this.#schedule()
    try {
      return await this.#until(
        () => pace.done() && ledger.missing <= 0 && this.publishers.every(({ settled }) => settled),
      )
    } finally {
      this.#pace = null
    }
  }

  /** Wait until all that the ledger knows of is delivered. False: it stalled before. */
  consume(): Promise<boolean> {
    return this.#until(() => this.#options.ledger.missing <= 0)
  }

  /** Wait until what the broker has already written has been read: duplicates of the last messages too. */
  async settle(): Promise<void> {
    for (const subscriber of this.subscribers) subscriber.ping()
    await this.#answered(() => this.subscribers.every(({ answered }) => answered))
  }

  close(): void {
    for (const link of this.#links) link.end(DISCONNECT)
  }

  async #connect(role: string, count: number) {
    const { target, scenario, tag } = this.#options
    const attempts = Array.from({ length: count }, (_, n) => {
      const id = `bench-${tag.toString(36)}-${role[0]}${n}`
      return connect(`${role} ${n}`, target, scenario.version, id, this.#input)
    })
    const connected = await connectAll(attempts)
    for (const { link } of connected) {
      this.#links.push(link)
      link.onProgress = () => this.#schedule()
    }
    return connected
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#pace?.pump(this.publishers)
    for (const link of this.#links) link.flush()
    this.#watch?.()
    if (this.#pace?.ticking === true) this.#schedule()
  }

  async #answered(condition: () => boolean): Promise<void> {
    if (!(await this.#until(condition))) throw new BenchError('the broker did not answer in time')
  }

  /** Resolves with true when the condition holds, with false when nothing has moved for long; rejects when a link breaks. */
  #until(condition: () => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearInterval(timer)
        this.#watch = null
        settle()
      }
      let moved = this.#moved()
      let still = 0
      // Looked at several times: a process that was itself held up sees its sockets again between two looks.
      const timer = setInterval(() => {
        const now = this.#moved()
        still = now === moved ? still + 1 : 0
        moved = now
        if (still === LOOKS) end(() => resolve(condition()))
      }, this.#options.stallMs / LOOKS)
      this.#watch = () => {
        const broken = this.#links.find((link) => link.broken !== null)
        if (broken !== undefined) end(() => reject(broken.broken))
        else if (condition()) end(() => resolve(true))
      }
      this.#schedule()
    })
  }

  /** Changes whenever a message gets on. */
  #moved(): number {
    let moved = this.#options.ledger.totalSent
    for (const subscriber of this.subscribers) moved += subscriber.received
    for (const publisher of this.publishers) moved += publisher.acknowledged
    return moved
  }
}
