/**
 * Where a queue's messages are in the store: a log for each priority, and one for those whose delay is not over.
 *
 * Ids are unique in the log only. In the queue the number of the log is added in front, from the fifteenth digit on, so
 * that one number says which message it is: at priority 0 the log's own, at priority 9 900000000000042 for 42. No topic has
 * a `#` in it, so the names of further logs are no queue's. The plain log has the queue's own name, as it always had.
 */

import type { LogEntry, LogSummary, MessageLog, StoredMessage } from '../../../src/plugin.ts'

/** Lanes 0 to 9 are priorities. */
export const PRIORITIES = 10
/** The lane of those whose delay is not over. */
export const DELAYED = 10

const LANE = 1e14

export function laneOf(id: number): number {
  return id < LANE ? 0 : Math.floor(id / LANE)
}

/** No id in the lane is below this one. */
export function firstIdOf(lane: number): number {
  return lane * LANE
}

export interface LaneSummary {
  lane: number
  count: number
  firstId: number
  nextId: number
}

/** Which queue a log belongs to, and which part of it: a lane, or another thing. Null: to none. */
export function partOf({
  name,
  count,
  firstId,
  nextId,
}: LogSummary): [queue: string, part: LaneSummary | string] | null {
  const hash = name.indexOf('#')
  if (hash === 0) return null
  if (hash === -1) return [name, { lane: 0, count, firstId, nextId }]
  const suffix = name.slice(hash + 1)
  const lane = suffix === 'delayed' ? DELAYED : Number(suffix)
  if (Number.isNaN(lane)) return [name.slice(0, hash), suffix]
  return [name.slice(0, hash), { lane, count, firstId: lane * LANE + firstId, nextId: lane * LANE + nextId }]
}

export class QueueLog {
  readonly #log: MessageLog
  readonly #name: string
  /** Names of the logs by lane. */
  readonly #names: string[]

  constructor(log: MessageLog, name: string) {
    this.#log = log
    this.#name = name
    this.#names = [name]
  }

  /** Append, and return the id that the message has in the queue. */
  append(entry: StoredMessage, lane: number): number {
    if (lane === 0) return this.#log.append(this.#name, entry)
    return lane * LANE + this.#log.append(this.nameOf(lane), entry)
  }

  remove(id: number): void {
    if (id < LANE) this.#log.remove(this.#name, id)
    else this.#log.remove(this.nameOf(laneOf(id)), id % LANE)
  }

  mark(id: number, mark: number): void {
    if (id < LANE) this.#log.mark(this.#name, id, mark)
    else this.#log.mark(this.nameOf(laneOf(id)), id % LANE, mark)
  }

  /** Remove those with ids from `from` up to, and without, `to`, all in one lane. */
  removeRange(from: number, to: number): void {
    const first = firstIdOf(laneOf(from))
    this.#log.removeRange(this.nameOf(laneOf(from)), from - first, to - first)
  }

  /** Entries of the lane of `fromId`, from there on. */
  async read(fromId: number, limit: number): Promise<LogEntry[]> {
    const lane = laneOf(fromId)
    const entries = await this.#log.read(this.nameOf(lane), fromId % LANE, limit)
    if (lane > 0) for (const entry of entries) entry.id += lane * LANE
    return entries
  }

  /** Where lanes of messages that are not delayed begin, the highest priority first. */
  get lanes(): number[] {
    return Array.from({ length: PRIORITIES }, (_, i) => firstIdOf(PRIORITIES - 1 - i))
  }

  nameOf(lane: number): string {
    this.#names[lane] ??= `${this.#name}#${lane === DELAYED ? 'delayed' : lane}`
    return this.#names[lane]
  }
}
