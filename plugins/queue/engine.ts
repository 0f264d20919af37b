/** The namespace `queue/`: messages in, consumers in and out, dead letters from one queue to another. */

import type {
  AfterGrant,
  Message,
  Namespace,
  PluginContext,
  ResumingOutbox,
  SessionView,
  StoredMessage,
  Subscription,
} from '../../src/plugin.ts'
import { Commits } from './commits.ts'
import { Entry } from './consumer.ts'
import { Consumers } from './consumers.ts'
import type { DeadReason } from './effects.ts'
import { deadLetterQueueOf, topicOf } from './names.ts'
import type { QueueOptions } from './options.ts'
import { deadLetter } from './properties.ts'
import type { Queue } from './queue.ts'
import { Queues } from './queues.ts'
import { resume } from './resume.ts'

export class Engine implements Namespace {
  readonly #context: PluginContext<QueueOptions>
  readonly #commits: Commits
  readonly #queues: Queues
  readonly #consumers: Consumers

  constructor(context: PluginContext<QueueOptions>) {
    this.#context = context
    this.#commits = new Commits(context)
    this.#queues = new Queues({
      context,
      created: (queue) => this.#consumers.welcome(queue),
      deadLetter: (queue, entry, reason) => this.#deadLetter(queue, entry, reason),
      lost: (session) => this.#consumers.suspend(session),
    })
    this.#consumers = new Consumers({ context, queues: this.#queues })
  }

  /** Nothing is delivered any more. What consumers still have is theirs until their connections end. */
  stop(): void {
    this.#queues.stop()
  }

  accept(message: Message): Promise<void> {
    return this.#append(this.#queues.open(message.topic), message.keep())
  }

  subscribe(session: SessionView, subscription: Subscription, restored: boolean): AfterGrant | undefined {
    const activate = this.#consumers.subscribe(session, subscription)
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

  #append(queue: Queue, message: Message): Promise<void> {
    const stored: StoredMessage = { message, qos: message.qos, retain: false, identifiers: null }
    const id = this.#context.store.queues.append(queue.name, stored)
    return this.#commits.add(queue, new Entry(id, message, 0))
  }

  /** Both writes are in one batch: on disk it is in one of the two queues, always. */
  #deadLetter(from: Queue, entry: Entry, reason: DeadReason): void {
    const { store, events } = this.#context
    const { id, deliveries } = entry
    const deadLetterQueue = deadLetterQueueOf(from.name)
    this.#append(this.#queues.open(topicOf(deadLetterQueue)), deadLetter(entry, from.name, reason))
    store.queues.remove(from.name, id)
    if (!events.wants('queue.dead-lettered')) return
    events.emit('queue.dead-lettered', { queue: from.name, id, deadLetterQueue, reason, deliveries })
  }
}
