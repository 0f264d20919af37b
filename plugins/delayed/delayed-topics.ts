/**
 * The namespace `$delayed/`: messages wait in a log of their own until their time has come, over restarts too. Then they
 * are removed and published in one run, so both are in one batch.
 */

import {
  type AfterGrant,
  type LogEntry,
  type Message,
  type Namespace,
  type PluginContext,
  ReasonCode,
  Refusal,
  Schedule,
} from '../../src/plugin.ts'
import { readTopic } from './names.ts'

/** The log; no topic has a `#` in it, so this is no queue's name. */
const LOG = '#delayed'

/** How long to wait with a message whose owner has no room for it now. */
const AGAIN_MS = 1000

export interface DelayedOptions {
  /** How many messages may wait: `limits.maxDelayed`. Null, or left out: any number. */
  maxDelayed?: number | null
}

export class DelayedTopics implements Namespace {
  options: DelayedOptions
  readonly #context: PluginContext
  readonly #schedule: Schedule
  /** Messages in the log. */
  #count = 0

  constructor(context: PluginContext<DelayedOptions>) {
    this.options = context.options
    this.#context = context
    const { clock, store, log } = context
    this.#schedule = new Schedule({
      clock,
      read: (fromId, limit) => store.queues.read(LOG, fromId, limit),
      dueAt: ({ message }) => dueAt(message),
      release: (entry) => this.#release(entry),
      onFault: (error) => log.error({ err: error }, 'delayed messages could not be read; trying again'),
    })
  }

  /** What is in the store is read in the background: it may be much. */
  start(): void {
    const found = this.#context.store.queues.list().find(({ name }) => name === LOG)
    if (found === undefined) return
    this.#count = found.count
    void this.#schedule.restore(found.firstId, found.nextId)
  }

  stop(): void {
    this.#schedule.stop()
  }

  /** Who publishes here publishes there, only later. */
  accessTopic(topic: string): string {
    return readTopic(topic).topic
  }

  accept(message: Message): void | Promise<void> {
    const { seconds, topic } = readTopic(message.topic)
    if (seconds === 0) return this.#context.publish(message.on(topic))
    this.#context.check(message.on(topic))
    this.#checkRoom()
    return this.#keep(message.keep(), dueAt(message))
  }

  subscribe(): AfterGrant | undefined {
    throw new Refusal(ReasonCode.TopicFilterInvalid, 'delayed messages come on their own topics')
  }

  unsubscribe(): void {}

  #checkRoom(): void {
    const { maxDelayed } = this.options
    if (this.#count >= (maxDelayed ?? Infinity)) throw full('too many messages are delayed')
    if (!this.#context.store.accepting) throw full('the disk takes no messages')
  }

  #keep(message: Message, at: number): Promise<void> {
    const { store } = this.#context
    const { qos, retain, packetId } = message
    const id = store.queues.append(LOG, { message, qos, retain, identifiers: null, packetId })
    const safe = store.durable()
    this.#count++
    safe.then(
      () => this.#schedule.add(id, at),
      // Its publisher is told that it was not kept, so it must not come.
      () => this.#remove(id),
    )
    return safe
  }

  #release({ id, message }: LogEntry): void {
    const { clock, events } = this.#context
    const { topic } = readTopic(message.topic)
    const { from, expiresAt } = message
    try {
      if (expiresAt !== 0 && expiresAt <= clock.now()) events.emit('message.expired', { clientId: from, topic })
      else this.#publish(message, topic)
    } catch (error) {
      if (isForNow(error)) {
        this.#schedule.add(id, clock.now() + AGAIN_MS)
        return
      }
      this.#refused(message, topic, error)
    }
    this.#remove(id)
  }

  #remove(id: number): void {
    this.#count--
    this.#context.store.queues.remove(LOG, id)
  }

  #publish(message: Message, topic: string): void {
    const outcome = this.#context.publish(message.on(topic))
    // Not on disk: whoever took it on may have let it go, and its publisher was acknowledged long ago.
    outcome?.catch(() => void this.#keep(message, this.#context.clock.now() + AGAIN_MS).catch(() => {}))
  }

  #refused({ from }: Message, topic: string, error: unknown): void {
    const { log, events } = this.#context
    log.warn(
      { clientId: from, topic, err: error },
      'a delayed message was refused by the owner of its topic, and is gone',
    )
    const reasonCode = error instanceof Refusal ? error.code : ReasonCode.UnspecifiedError
    const reason = error instanceof Refusal ? error.message : 'the broker failed'
    events.emit('message.refused', { clientId: from, topic, reasonCode, reason })
  }
}

/** A full queue may have room later, one with another producer have none. */
function isForNow(error: unknown): boolean {
  return error instanceof Refusal && error.code === ReasonCode.QuotaExceeded
}

function full(text: string): Refusal {
  return new Refusal(ReasonCode.QuotaExceeded, text)
}

/** Milliseconds since the epoch. */
function dueAt({ topic, receivedAt }: Message): number {
  return receivedAt + readTopic(topic).seconds * 1000
}
