/** What a program that embeds the broker does with it: publish, subscribe, consume a queue. */

import { Message, type QoS } from '../core/message.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { filterProblem, topicProblem } from '../core/topics.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Logger } from '../kernel/plugin-contract.ts'
import { userProperties } from '../wire/properties.ts'
import { Job, JobIterator } from './job.ts'
import { LocalClient, type LocalHandler } from './local-client.ts'

export interface PublishOptions {
  /** Default 0. */
  qos?: QoS
  /** Default false. */
  retain?: boolean
  /** User properties of MQTT 5.0, such as `delay` or `priority` for a queue. At most 65,535 bytes in each name and value. */
  userProperties?: Readonly<Record<string, string>>
}

export class LocalClients {
  readonly #kernel: Kernel
  readonly #now: () => number
  readonly #log: Logger
  readonly #iterators = new Set<JobIterator>()
  #count = 0

  constructor(parts: { kernel: Kernel; now: () => number; log: Logger }) {
    this.#kernel = parts.kernel
    this.#now = parts.now
    this.#log = parts.log
  }

  async publish(topic: string, payload: Buffer | string, options: PublishOptions): Promise<void> {
    const problem = topicProblem(topic, this.#kernel.subscriptions.limits.maxTopicLevels)
    if (problem !== null) throw new Refusal(ReasonCode.TopicNameInvalid, problem)
    // A copy: the program may write to its own buffer as soon as we return.
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload)
    const { userProperties: asked, ...rest } = options
    const properties = asked === undefined ? null : propertiesOf(Object.entries(asked))
    const message = Message.of({ topic, payload: bytes, properties, receivedAt: this.#now(), ...rest })
    await this.#kernel.intake.publishAsBroker(message)
  }

  /** Resolves with the function that ends the subscription. */
  subscribe(filter: string, listener: (topic: string, payload: Buffer) => void): Promise<() => void> {
    return this.#subscribe(filter, 2, (message, settle) => {
      try {
        listener(message.topic, message.payload)
      } catch (error) {
        // The program's fault, and nobody else's: not the publisher's, nor of those who get the message after it.
        this.#log.error({ filter, error }, 'a listener of the program failed')
      }
      setImmediate(() => settle('acknowledged', 0))
    })
  }

  async consume(name: string): Promise<JobIterator> {
    let end = (): void => {}
    const jobs: JobIterator = new JobIterator(() => {
      this.#iterators.delete(jobs)
      end()
    })
    this.#iterators.add(jobs)
    end = await this.#subscribe(`queue/${name}`, 1, (message, settle) => jobs.push(new Job(message, settle)))
    return jobs
  }

  /** The broker stops: every loop over jobs ends. */
  stop(): void {
    for (const jobs of this.#iterators) jobs.end()
  }

  async #subscribe(filter: string, qos: QoS, handler: LocalHandler): Promise<() => void> {
    const problem = filterProblem(filter, this.#kernel.subscriptions.limits.maxTopicLevels)
    if (problem !== null) throw new Refusal(ReasonCode.TopicFilterInvalid, problem)
    const client = new LocalClient(`local-${++this.#count}`, handler)
    const { namespace, filter: shown } = this.#kernel.namespaces.placeOf(filter)
    const after = await namespace.subscribe(client, client.subscription(shown, qos), false)
    after?.()
    return () => {
      if (!client.connected) return
      client.end()
      namespace.detach?.(client, true)
    }
  }
}

/** As they stand on the wire, where text has a length of two bytes and no NUL [MQTT-1.5.4-2]. */
function propertiesOf(pairs: ReadonlyArray<[name: string, value: string]>): Buffer | null {
  const isText = (text: unknown) =>
    typeof text === 'string' && Buffer.byteLength(text) <= 65_535 && !text.includes('\0')
  if (!pairs.flat().every(isText)) {
    throw new Refusal(ReasonCode.ProtocolError, 'a user property is text of at most 65,535 bytes, without NUL')
  }
  return pairs.length === 0 ? null : userProperties(pairs)
}
