/**
 * Messages of a queue that are on disk only. They all come after those in memory: once a message is left on disk, every
 * later one is too, until the window over the queue has moved on and nothing is left.
 */

/** The window: how much of a queue's future memory holds while somebody consumes it. */
const WINDOW_MESSAGES = 10_000
export const WINDOW_BYTES = 16 * 1024 * 1024

/** The window of a queue that nobody consumes: enough for a first consumer to start on while the disk is read. */
const IDLE_WINDOW_MESSAGES = 100
const IDLE_WINDOW_BYTES = 256 * 1024

/** When less than this is in memory, more is read. */
const LOW_WATER_MESSAGES = 1000
const LOW_WATER_BYTES = WINDOW_BYTES / 2

/** The most that is read in one go. How many messages make so many bytes is learnt from the last ones. */
const READ_MESSAGES = 1000
const READ_BYTES = 1024 * 1024

/** Whether memory that holds so much has room for another message. */
export function hasWindow(messages: number, bytes: number, consumed: boolean): boolean {
  if (consumed) return messages < WINDOW_MESSAGES && bytes < WINDOW_BYTES
  return messages < IDLE_WINDOW_MESSAGES && bytes < IDLE_WINDOW_BYTES
}

export class Backlog {
  /** How many messages are on disk only. */
  length = 0
  /** Whether a read is under way. */
  reading = false
  /** Ids from here on are not in memory. */
  nextId = 0
  /** Ids beyond this one may be in the log, but are not yet safe: no read may take them. */
  #lastCommitted = -1
  #lastCommittedAtRead = -1
  /** Ids of messages that clients had in hand when the broker ended: in memory, though they come after `nextId`. */
  readonly #claimed = new Set<number>()
  #messageBytes = 16 * 1024

  /** What was found in the store. */
  restore(count: number, firstId: number, nextId: number): void {
    this.length = count
    this.nextId = firstId
    this.#lastCommitted = nextId - 1
  }

  /** One of those that were found comes into memory before its turn. Returns whether it was here. */
  claim(id: number): boolean {
    if (id < this.nextId || id > this.#lastCommitted || this.#claimed.has(id)) return false
    this.#claimed.add(id)
    this.length--
    return true
  }

  /** Whether a message that was read came into memory before. */
  passesOver(id: number): boolean {
    if (this.#claimed.size === 0 || !this.#claimed.delete(id)) return false
    this.nextId = id + 1
    return true
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

  /** Whether more is to be read, given what memory holds. */
  wantsRead(messages: number, bytes: number): boolean {
    if (this.length === 0 || this.reading) return false
    return messages < LOW_WATER_MESSAGES && bytes < LOW_WATER_BYTES
  }

  /** A read begins, from `nextId` on. Returns how many messages to read. */
  beginRead(): number {
    this.reading = true
    this.#lastCommittedAtRead = this.#lastCommitted
    return Math.max(1, Math.min(READ_MESSAGES, Math.floor(READ_BYTES / this.#messageBytes)))
  }

  /** Whether a message that was read comes into memory now. */
  take(id: number, bytes: number): boolean {
    if (id > this.#lastCommitted || id < this.nextId) return false
    this.nextId = id + 1
    this.length--
    this.#messageBytes += (bytes - this.#messageBytes) / 8
    return true
  }

  /**
   * The read is done. Returns how many messages are missing from the log, to be forgotten: it brought none although all
   * that was counted was written before. Without this a miscounted log would be read for ever.
   */
  endRead(taken: number): number {
    this.reading = false
    if (taken > 0 || this.#lastCommitted !== this.#lastCommittedAtRead) return 0
    const missing = this.length
    this.length = 0
    return missing
  }
}
