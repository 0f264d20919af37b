/** The namespace `queue/`: messages in, consumers in and out, dead letters from one queue to another. */

import {
  type AfterGrant,
  type Message,
  type Namespace,
  type PluginContext,
  ReasonCode,
  Refusal,
  type ResumingOutbox,
  type SessionView,
  type StoredMessage,
  type Subscription,
} from '../../src/plugin.ts'
import { Commits } from './commits.ts'
import { Consumers } from './consumers.ts'
import { laneFor } from './entrance.ts'
import { canBeTopic, checkTopic, nameOf, topicOf } from './names.ts'
import type { QueueOptions, QueuePolicy } from './options.ts'
import { Policies } from './policies.ts'
import { deadLetter } from './properties.ts'
import type { Queue } from './queue.ts'
import { Queues } from './queues.ts'
import { Quota } from './quota.ts'
import { Receipts } from './receipts.ts'
import { groupOf, instructionsOf, NOTHING } from './records/instructions.ts'
import { resume } from './resume.ts'
import { Budget } from './rules/budget.ts'
import { Entry } from './rules/consumer.ts'
import type { DeadReason } from './rules/effects.ts'

const TOO_LARGE = 'the message is larger than the queue may be'

export class Engine implements Namespace {
  readonly #context: PluginContext<QueueOptions>
  #policies: Policies
  readonly #quota: Quota
  readonly #commits: Commits
  readonly #queues: Queues
  readonly receipts: Receipts
  readonly #consumers: Consumers

  /** @param budget memory for messages that wait in its queues */
  constructor(context: PluginContext<QueueOptions>, budget = new Budget()) {
    this.#context = context
    this.#commits = new Commits(context)
    const policies = new Policies(context.options)
    this.#policies = policies
    this.#quota = new Quota(context.options)
    this.receipts = new Receipts(context.clock)
    this.#queues = new Queues({
      context,
      policies,
      receipts: this.receipts,
      budget,
      quota: this.#quota,
      created: (queue) => this.#consumers.welcome(queue),
      append: (queue, message, lane) => void this.append(queue, message, lane, true),
      deadLetter: this.#deadLetter.bind(this),
      lost: (session) => this.#consumers.suspend(session),
    })
    this.#consumers = new Consumers({ context, policies, queues: this.#queues })
  }

  /** Other options from now on: for queues and consumers that are there, and for messages that wait. */
  change(options: QueueOptions): void {
    const policies = new Policies(options)
    this.#policies = policies
    this.#quota.change(options)
    this.#queues.change(policies)
    this.#consumers.change(policies)
  }

  start(): Promise<void> {
    return this.#queues.start()
  }

  /** Nothing is delivered any more. What consumers still have is theirs until their connections end. */
  stop(): void {
    this.#queues.stop()
    this.#commits.stop()
  }

  get queues(): Queue[] {
    return [...this.#queues.values()]
  }

  /** The policy of the queue `name`, and its filter; null: it is the defaults. */
  policyOf(name: string): { match: string | null; policy: QueuePolicy; deadLetterQueue: string | null } {
    const match = this.#policies.entryFor(name)?.match ?? null
    return { match, policy: this.#policies.of(name), deadLetterQueue: this.#policies.deadLetterQueueOf(name) }
  }

  /**
   * The queue on a topic, made if there is none.
   * @throws Refusal 0x90 when no queue can live there
   */
  open(topic: string): Queue {
    return this.#queues.open(topic)
  }

  /** The same, but null when no queue can live there, or there are too many. */
  openIfPossible(topic: string): Queue | null {
    if (!canBeTopic(topic)) return null
    return this.#queues.at(topic) ?? (this.#queues.hasRoom ? this.#queues.open(topic) : null)
  }

  /** Forget a queue now, if nothing is in it and no client asked for this very queue. */
  forget(queue: Queue): void {
    this.#queues.forget(queue)
  }

  /** The queue on a topic, if there is one. */
  queueAt(topic: string): Queue | undefined {
    return this.#queues.at(topic)
  }

  accept(message: Message): Promise<void> {
    if (!this.#context.store.accepting) this.#refuse(message.topic)
    const queue = this.#queues.at(message.topic) ?? this.#make(message.topic)
    if (message.properties === null && !queue.entrance.guarded) return this.append(queue, message.keep(), 0, false)
    const instructions = queue.forDeadLetters ? NOTHING : instructionsOf(message)
    // One that it had before is acknowledged when that one is safe.
    if (!queue.entrance.admit(message, instructions)) return this.#context.store.durable()
    return this.append(queue, message.keep(), laneFor(instructions), false)
  }

  check(message: Message): void {
    const { topic, payloadLength } = message
    checkTopic(topic)
    if (this.#policies.isForDeadLetters(nameOf(topic))) return
    instructionsOf(message)
    const { maxBytes } = this.#policies.of(nameOf(topic))
    if (maxBytes !== null && payloadLength > maxBytes) throw new Refusal(ReasonCode.QuotaExceeded, TOO_LARGE)
  }

  #make(topic: string): Queue {
    try {
      return this.#queues.use(topic)
    } catch (error) {
      this.#context.counters.queues.refused++
      throw error
    }
  }

  #refuse(topic: string): never {
    const queue = this.#queues.at(topic)
    if (queue !== undefined) queue.ledger.refused()
    else this.#context.counters.queues.refused++
    throw new Refusal(ReasonCode.QuotaExceeded, 'the disk takes no messages')
  }

  subscribe(session: SessionView, subscription: Subscription, restored: boolean): AfterGrant | undefined {
    const activate = this.#consumers.subscribe(session, subscription, restored)
    // One that was restored waits for `attach`: its client has no CONNACK yet, or is not there at all.
    return restored ? undefined : activate
  }

  unsubscribe(session: SessionView, filter: string): void {
    this.#consumers.unsubscribe(session, filter)
  }

  resume(session: SessionView, outbox: ResumingOutbox): Promise<void> {
    return resume(session, outbox, { queues: this.#queues, consumers: this.#consumers })
  }

  attach(session: SessionView): void {
    this.#consumers.attach(session)
  }

  detach(session: SessionView, ended: boolean): void {
    this.#consumers.detach(session, ended)
  }

  /**
   * Append a message to a lane of a queue.
   * @param moved it was elsewhere in the store
   */
  append(queue: Queue, message: Message, lane: number, moved: boolean): Promise<void> {
    const { qos, packetId } = message
    const stored: StoredMessage = { message, qos, retain: false, identifiers: null, packetId }
    const id = queue.log.append(stored, lane)
    const entry = new Entry(id, message, 0, queue.forDeadLetters ? null : groupOf(message))
    return this.#commits.add(queue, entry, moved)
  }

  /** Both writes are in one batch: on disk it is in one of the two queues, always. */
  #deadLetter(from: Queue, entry: Entry, reason: DeadReason, deadLetterQueue: string): void {
    const { events } = this.#context
    const { id, deliveries } = entry
    const topic = topicOf(deadLetterQueue)
    this.append(this.#queues.open(topic), deadLetter(entry, from.name, reason, topic), 0, true)
    from.log.remove(id)
    if (!events.wants('queue.dead-lettered')) return
    events.emit('queue.dead-lettered', { queue: from.name, id, deadLetterQueue, reason, deliveries })
  }
}
