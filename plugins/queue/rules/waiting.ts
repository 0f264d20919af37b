/** Messages that can be delivered now, by priority: the higher first. Most queues use one priority, and pay for one. */

import type { LogEntry } from '../../../src/plugin.ts'
import { firstIdOf, laneOf } from '../records/queue-log.ts'
import type { Budget } from './budget.ts'
import type { Entry, Seat } from './consumer.ts'
import { Ready } from './ready.ts'

export class Waiting {
  readonly #budget: Budget
  readonly #plain: Ready
  /** Those of the other priorities, and the plain one, by priority; null while there is only that. */
  #lanes: Array<Ready | undefined> | null = null

  constructor(budget: Budget) {
    this.#budget = budget
    this.#plain = new Ready(0, budget)
  }

  /** How many are in memory. */
  get length(): number {
    return this.#lanes === null ? this.#plain.length : this.#sum((lane) => lane.length)
  }

  /** How many are on disk only. */
  get onDisk(): number {
    return this.#sum((lane) => lane.backlog.length)
  }

  /** Whether any message looks for somebody else. */
  get choosy(): boolean {
    return this.#lanes === null ? this.#plain.choosy : this.#all.some((lane) => lane.choosy)
  }

  /** What was found in the store. */
  restore(count: number, firstId: number, nextId: number): void {
    this.#laneOf(firstId).backlog.restore(count, firstId, nextId)
  }

  /** A message, just committed. `consumed`: there is a consumer, so it is worth keeping more in memory. */
  add(entry: Entry, consumed: boolean): void {
    this.#laneOf(entry.id).add(entry, consumed)
  }

  /** Messages were read from `fromId` on. Returns how many turned out to be missing from the log. */
  addRead(fromId: number, found: readonly LogEntry[], grouped: boolean): number {
    return this.#laneOf(fromId).addRead(found, grouped)
  }

  readFailed(fromId: number): void {
    this.#laneOf(fromId).backlog.stopReading()
  }

  /** A message that comes back; not to `entry.avoid`, if that is not null. */
  giveBack(entry: Entry): void {
    this.#laneOf(entry.id).giveBack(entry)
  }

  /**
   * The next message for this seat. `alone`: nobody else is there, so it gets those as well that should avoid it.
   * `fresh`: one that has not been looked at will do, too.
   */
  take(seat: Seat, alone: boolean, fresh: boolean): Entry | null {
    if (this.#lanes === null) return this.#plain.take(seat, alone, fresh)
    for (let priority = this.#lanes.length - 1; priority >= 0; priority--) {
      const lane = this.#lanes[priority]
      if (lane === undefined) continue
      const entry = lane.take(seat, alone, fresh)
      if (entry !== null) return entry
      // What is on disk comes first: it is being read.
      if (fresh && lane.backlog.length > 0) return null
    }
    return null
  }

  /** The oldest in memory of the lowest priority, whoever should not have it. A lane to be read first is named. */
  takeOldest(): Entry | Ready | null {
    for (const lane of this.#all) {
      const entry = lane.takeOldest()
      if (entry !== null) return entry
      if (lane.backlog.length > 0) return lane
    }
    return null
  }

  /** Those first of their priority whose time is up by `now`, one by one; null: there is none any more. */
  takeExpired(now: number): Entry | null {
    for (const lane of this.#all) if (lane.firstExpiresAt <= now) return lane.takeOldest()
    return null
  }

  /** When the next of them will be; Infinity: none, as far as it is in memory. */
  get nextExpiresAt(): number {
    return this.#all.reduce((next, lane) => Math.min(next, lane.firstExpiresAt), Infinity)
  }

  /** As Ready.extract(). */
  extract(id: number): Entry | null | undefined {
    return this.#laneOf(id).extract(id)
  }

  /** All are gone. Returns those that were in memory, and tells ranges of ids of those that were not. */
  clear(onDisk: (from: number, to: number) => void): Entry[] {
    const entries: Entry[] = []
    for (const lane of this.#all) {
      entries.push(...lane.clear())
      for (const [from, to] of lane.backlog.clear()) onDisk(from, to)
    }
    return entries
  }

  /** A message that came back has left the queue from here: its late acknowledgement arrived. */
  forget(entry: Entry): void {
    this.#laneOf(entry.id).forget()
  }

  /**
   * Read what is to be read of the messages on disk. Returns whether a consumer is kept waiting because memory is short.
   * @param hungry whether a consumer has room
   */
  load(read: (fromId: number, limit: number) => void, hungry: () => boolean): boolean {
    if (this.#lanes === null && this.#plain.backlog.length === 0) return false
    let starved = false
    for (const lane of this.#all) {
      const reading = lane.wantsRead(hungry)
      if (reading === 'starved') starved = true
      else if (reading !== 'none') read(lane.backlog.nextId, lane.backlog.beginRead(reading === 'urgent'))
    }
    return starved
  }

  /**
   * Read the first where it is on disk only, and up to `most` in all with those behind it: is their time up? Returns whether that
   * has to wait because memory is short.
   */
  loadFirst(read: (fromId: number, limit: number) => void, most: number): boolean {
    let starved = false
    for (const { firstIsOnDisk, backlog } of this.#all) {
      const reading = firstIsOnDisk ? backlog.wantsFirst() : 'none'
      if (reading === 'starved') starved = true
      else if (reading !== 'none') read(backlog.nextId, backlog.beginRead(reading === 'urgent', most))
    }
    return starved
  }

  #laneOf(id: number): Ready {
    const lane = laneOf(id)
    if (lane === 0) return this.#plain
    this.#lanes ??= [this.#plain]
    this.#lanes[lane] ??= new Ready(firstIdOf(lane), this.#budget)
    return this.#lanes[lane]
  }

  /** The lowest priority first. */
  get #all(): Ready[] {
    return this.#lanes === null ? [this.#plain] : this.#lanes.filter((lane) => lane !== undefined)
  }

  #sum(count: (lane: Ready) => number): number {
    return this.#all.reduce((sum, lane) => sum + count(lane), 0)
  }
}
