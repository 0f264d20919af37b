/**
 * Messages of a queue that are on disk only. They all come after those in memory: once a message is left on disk, every
 * later one is too, until the window over the queue has moved on and nothing is left.
 */

import type { Budget } from './budget.ts'

/** The window: how much of a queue's future memory holds while somebody consumes it. */
const WINDOW_MESSAGES = 10_000
export const WINDOW_BYTES = 16 * 1024 * 1024

/** The window of a queue that nobody consumes: enough for a first consumer to start on while the disk is read. */
const IDLE_WINDOW_MESSAGES = 100
const IDLE_WINDOW_BYTES = 256 * 1024

/** When less than this is in memory, more is read. */
const LOW_WATER_MESSAGES = 2000
const LOW_WATER_BYTES = WINDOW_BYTES / 2

/**
 * The most that is read in one go. How many messages make so many bytes is learnt from the last ones. Several packs of the
 * store (1,024 messages at most) at once: the one in which a read ends is read again by the next.
 */
const READ_MESSAGES = 4000
const READ_BYTES = 1024 * 1024

/** Whether a queue that holds so much in memory has room there for another message. */
export function hasWindow(messages: number, bytes: number, consumed: boolean, budget: Budget): boolean {
  if (consumed) return messages < WINDOW_MESSAGES && bytes < WINDOW_BYTES && bytes < budget.share
  return messages < IDLE_WINDOW_MESSAGES && bytes < IDLE_WINDOW_BYTES && budget.hasSpare
}

/** What a queue may do that has messages on disk. `starved`: it needs one, and has to wait for memory. */
export type Reading = 'read' | 'urgent' | 'starved' | 'none'

export class Backlog {
  /** How many messages are on disk only. */
  length = 0
  /** Whether a read is under way. */
  reading = false
  /** Ids from here on are not in memory. */
  nextId: number
  /** Ids beyond this one may be in the log, but are not yet safe: no read may take them. */
  #lastCommitted = -1
  #lastCommittedAtRead = -1
  #nextIdAtRead = -1
  #messageBytes = 16 * 1024
  readonly #budget: Budget
  /** Bytes that the read under way is expected to bring. */
  #expected = 0
  #urgent = false
  /** Those left out, as far as a read may still bring them: taken out, or in memory before their turn. */
  readonly #extracted = new Set<number>()

  constructor(firstId: number, budget: Budget) {
    this.#budget = budget
    this.nextId = firstId
  }

  /** What was found in the store. */
  restore(count: number, firstId: number, nextId: number): void {
    this.length = count
    this.nextId = firstId
    this.#lastCommitted = nextId - 1
  }

  /** A message is safe, and is kept in memory. */
  passed(id: number): void {
    this.nextId = id + 1
    this.#lastCommitted = id
  }

  /** A message is safe, and is left on disk. */
  left(id: number): void {
    this.length++
    this.#lastCommitted = id
  }

  /**
   * Whether more is to be read, given what memory holds.
   * @param hungry whether a consumer has room; asked when memory is short only
   */
  wantsRead(messages: number, bytes: number, hungry: () => boolean): Reading {
    if (this.length === 0 || this.reading) return 'none'
    if (messages >= LOW_WATER_MESSAGES || bytes >= LOW_WATER_BYTES) return 'none'
    const { share } = this.#budget
    if (bytes < share / 2 && share >= this.#messageBytes) return 'read'
    if (messages > 0 || !hungry()) return 'none'
    return this.#budget.beginUrgent() ? 'urgent' : 'starved'
  }

  /** Leave out a message that is here, if it is: it is gone, or in memory from now on. */
  extract(id: number): boolean {
    if (id < this.nextId || id > this.#lastCommitted || this.#extracted.has(id)) return false
    this.length--
    this.#extracted.add(id)
    this.#skipRest()
    return true
  }

  /** Leave out all of them. Returns ranges of their ids: from the first up to, and without, the second. */
  clear(): Array<[from: number, to: number]> {
    const ranges: Array<[from: number, to: number]> = []
    if (this.length === 0) return ranges
    const end = this.#lastCommitted + 1
    for (const id of [...this.#extracted, end].sort((a, b) => a - b)) {
      if (id > this.nextId) ranges.push([this.nextId, id])
      this.nextId = Math.max(this.nextId, id + 1)
    }
    this.nextId = end
    this.length = 0
    this.#extracted.clear()
    return ranges
  }

  /**
   * How the first is to be read, only to see whether its time is up: there may be thousands of queues where it is on disk, so
   * that is like reading for a consumer that waits as soon as half of the memory is used.
   */
  wantsFirst(): Reading {
    if (this.length === 0 || this.reading) return 'none'
    if (this.#budget.hasSpare) return 'read'
    return this.#budget.beginUrgent() ? 'urgent' : 'starved'
  }

  /**
   * A read begins, from `nextId` on. Returns how many messages to read.
   * @param urgent as `wantsRead` or `wantsFirst` said
   * @param most not more than this
   */
  beginRead(urgent = false, most = READ_MESSAGES): number {
    this.reading = true
    this.#urgent = urgent
    this.#lastCommittedAtRead = this.#lastCommitted
    this.#nextIdAtRead = this.nextId
    const bytes = urgent ? 0 : Math.min(READ_BYTES, this.#budget.share)
    const messages = Math.max(1, Math.min(most, Math.floor(bytes / this.#messageBytes)))
    this.#expected = Math.ceil(messages * this.#messageBytes)
    this.#budget.used += this.#expected
    return messages
  }

  /** Whether a message that was read comes into memory now. */
  take(id: number, bytes: number): boolean {
    if (id > this.#lastCommitted || id < this.nextId) return false
    this.nextId = id + 1
    if (this.#extracted.delete(id)) return false
    this.length--
    this.#messageBytes += (bytes - this.#messageBytes) / 8
    return true
  }

  /**
   * The read is done. Returns how many messages are missing from the log, to be forgotten: it brought none although all
   * that was counted was written before. Without this a miscounted log would be read for ever.
   */
  endRead(): number {
    this.stopReading()
    for (const id of this.#extracted) if (id < this.nextId) this.#extracted.delete(id)
    const asExpected = this.nextId !== this.#nextIdAtRead || this.#lastCommitted !== this.#lastCommittedAtRead
    const missing = asExpected ? 0 : this.length
    this.length -= missing
    this.#skipRest()
    return missing
  }

  /** The read is done, or has failed. */
  stopReading(): void {
    this.reading = false
    this.#budget.used -= this.#expected
    this.#expected = 0
    if (this.#urgent) this.#budget.endUrgent()
    this.#urgent = false
  }

  /** When nothing is left here, the next read begins after all that was left out: the log may have that still. */
  #skipRest(): void {
    if (this.length > 0 || this.reading) return
    this.nextId = Math.max(this.nextId, this.#lastCommitted + 1)
    this.#extracted.clear()
  }
}
