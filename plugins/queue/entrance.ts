/**
 * How messages come into one queue: whether there is room, whether it had the message before, and whether its time has
 * come. Those whose delay is not over wait in a log of their own; when it is, they are moved to that of their priority, in
 * one batch.
 */

import {
  type LogEntry,
  type Message,
  type PluginContext,
  ReasonCode,
  Refusal,
  Schedule,
  type SessionView,
} from '../../src/plugin.ts'
import { Dedup } from './dedup.ts'
import type { Ledger } from './ledger.ts'
import type { QueueOptions, QueuePolicy } from './options.ts'
import type { Quota } from './quota.ts'
import { type Instructions, instructionsOf } from './records/instructions.ts'
import { DELAYED, firstIdOf, type LaneSummary, type QueueLog } from './records/queue-log.ts'
import type { Entry } from './rules/consumer.ts'
import type { QueueState } from './rules/state.ts'

/** Messages that are read at once only to know their size. */
const MEASURED_AT_ONCE = 1000

export interface EntranceParts {
  name: string
  context: PluginContext<QueueOptions>
  log: QueueLog
  state: QueueState
  policy: QueuePolicy
  /** Of all queues together. */
  quota: Quota
  ledger: Ledger
  /** Append a message whose time has come. */
  append(message: Message, priority: number): void
  /** It may be that nobody needs the queue any more. */
  checkUse(): void
}

export class Entrance {
  policy: QueuePolicy
  /** Whether any message could be refused, or drop another. */
  guarded: boolean
  readonly #parts: EntranceParts
  readonly #dedup: Dedup
  readonly #schedule: Schedule
  /** It was told that the queue is full, and no message was taken on since without another giving way. */
  #limitTold = false
  /** The last id of a delayed message that is safe. */
  #lastDelayed = -1
  /** The client that published last, where one at a time may. */
  #producer: SessionView | null = null

  constructor(parts: EntranceParts) {
    this.#parts = parts
    this.policy = parts.policy
    this.guarded = isGuarded(parts.policy)
    const { name, context, policy, checkUse } = parts
    const { clock, log, store } = context
    const windowMs = policy.dedupWindow
    this.#dedup = new Dedup({ log: store.queues, name: `${name}#dedup`, clock, windowMs, emptied: checkUse })
    this.#schedule = new Schedule({
      clock,
      read: (fromId, limit) => parts.log.read(fromId, limit),
      dueAt: ({ message }) => dueAt(message),
      release: (entry) => this.#release(entry),
      onFault: (error) => log.error({ err: error, queue: name }, 'delayed messages could not be read; trying again'),
    })
  }

  /** Whether nothing is on its way into the queue, and nothing is to be remembered. */
  get idle(): boolean {
    return this.#parts.state.contents.scheduled === 0 && this.#dedup.size === 0
  }

  /**
   * A message is to be taken on. False: it was taken on before.
   * @throws Refusal 0x97 when another client is the producer, too many are delayed, or the queue is full and drops nothing for it
   */
  admit(message: Message, { dedupId, delayMs }: Instructions): boolean {
    const { exclusive } = this.policy
    if (exclusive === 'producer' || exclusive === 'both') this.#checkProducer(message.from)
    if (dedupId !== null && this.#dedup.has(dedupId)) return false
    if (delayMs > 0 && !this.#parts.quota.hasRoomForDelayed) this.#refuse('too many messages are delayed')
    this.#checkRoom(message.payloadLength)
    if (dedupId !== null) this.#dedup.add(dedupId)
    return true
  }

  /** The first client that publishes is the producer for as long as it is connected; others, and the broker, are not. */
  #checkProducer(from: string): void {
    const { context } = this.#parts
    const session = context.session(from)
    const producer = this.#producer
    if (producer?.connected && context.session(producer.clientId) === producer) {
      if (session === producer) return
      this.#refuse('another client is the producer of this queue')
    }
    this.#producer = session?.connected ? session : null
  }

  /** Whether one more message would be taken on without another being refused or given up for it. */
  hasRoom(bytes: number): boolean {
    return this.#parts.state.limitFor(bytes) === null
  }

  /** The queue may be full; then its policy may be to drop others for it. */
  #checkRoom(bytes: number): void {
    const limit = this.#parts.state.limitFor(bytes)
    if (limit === null) {
      this.#limitTold = false
      return
    }
    const { overflow, maxBytes } = this.policy
    const { events } = this.#parts.context
    if (!this.#limitTold && events.wants('queue.limit-reached')) {
      events.emit('queue.limit-reached', { queue: this.#parts.name, limit, overflow })
    }
    this.#limitTold = true
    const rejects = overflow === 'reject' || (maxBytes !== null && bytes > maxBytes)
    if (rejects) this.#refuse('the queue is full')
  }

  #refuse(text: string): never {
    this.#parts.ledger.refused()
    throw new Refusal(ReasonCode.QuotaExceeded, text)
  }

  /** A message is safe, and its delay is not over. */
  delay(entry: Entry): void {
    const { id, message } = entry
    const { state, ledger, quota } = this.#parts
    state.contents.delayed(entry)
    quota.delayed++
    this.#lastDelayed = id
    const due = dueAt(message)
    this.#schedule.add(id, due)
    ledger.delayed(entry, due)
  }

  /** A message could not be made safe: who sends it again is to find nobody who knows it. */
  failed({ message }: Entry): void {
    const { dedupId } = instructionsOf(message)
    if (dedupId !== null) this.#dedup.forget(dedupId)
  }

  /** Another policy from now on. */
  change(policy: QueuePolicy): void {
    this.policy = policy
    this.guarded = isGuarded(policy)
    this.#dedup.windowMs = policy.dedupWindow
  }

  /** A log of delayed messages was found in the store. */
  restore({ count, firstId, nextId }: LaneSummary): void {
    const { state, quota } = this.#parts
    state.contents.scheduled = count
    quota.delayed += count
    this.#lastDelayed = nextId - 1
    state.contents.bytes.restore(firstId, nextId)
    void this.#schedule.restore(firstId, nextId)
  }

  /** Ids of messages that were taken on were found in the store. */
  restoreIds(): Promise<void> {
    return this.#dedup.restore()
  }

  /** Count the bytes that were found in the store, if there is a limit to them. */
  async measure(): Promise<void> {
    const { state, log } = this.#parts
    while (this.policy.maxBytes !== null && state.contents.bytes.unknown && !state.stopped) {
      state.contents.bytes.found(await log.read(state.contents.bytes.beginRead(), MEASURED_AT_ONCE))
    }
  }

  /** Delayed messages are going to be purged. Tells the range of their ids. */
  purge(onDisk: (from: number, to: number) => void): void {
    const { state, quota } = this.#parts
    const { scheduled } = state.contents
    if (scheduled > 0) onDisk(firstIdOf(DELAYED), this.#lastDelayed + 1)
    quota.delayed -= scheduled
    this.#schedule.clear()
  }

  /** Nothing is remembered. */
  forgetIds(): void {
    this.#dedup.clear()
  }

  stop(): void {
    this.#dedup.stop()
    this.#schedule.stop()
  }

  /** Its time has come. On disk it is in one of the two logs, always. */
  #release(entry: LogEntry): void {
    const { state, log, quota, append } = this.#parts
    const { id, message } = entry
    log.remove(id)
    quota.delayed--
    state.contents.due(entry)
    append(message, instructionsOf(message).priority)
  }
}

function isGuarded({ maxLength, maxBytes, exclusive }: QueuePolicy): boolean {
  return maxLength !== null || maxBytes !== null || exclusive === 'producer' || exclusive === 'both'
}

function dueAt(message: Message): number {
  return message.receivedAt + instructionsOf(message).delayMs
}

/** The lane that a message is appended to. */
export function laneFor({ delayMs, priority }: Instructions): number {
  return delayMs > 0 ? DELAYED : priority
}
