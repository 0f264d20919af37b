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
  nextId: number
  /** Ids beyond this one may be in the log, but are not yet safe: no read may take them. */
  #lastCommitted = -1
  #lastCommittedAtRead = -1
  #nextIdAtRead = -1
  #messageBytes = 16 * 1024
  /** Those left out, as far as a read may still bring them. */
  readonly #extracted = new Set<number>()

  constructor(firstId: number) {
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

  /** Whether more is to be read, given what memory holds. */
  wantsRead(messages: number, bytes: number): boolean {
    if (this.length === 0 || this.reading) return false
    return messages < LOW_WATER_MESSAGES && bytes < LOW_WATER_BYTES
  }

  /** Leave out a message that is here, if it is: it is gone. */
  extract(id: number): boolean {
    if (id < this.nextId || id > this.#lastCommitted || this.#extracted.has(id)) return false
    this.length--
    this.#extracted.add(id)
    return true
  }

  /** Leave out all of them. Returns their ids: from the first up to, and without, the second. */
  clear(): [from: number, to: number] {
    const from = this.nextId
    if (this.length > 0) this.nextId = this.#lastCommitted + 1
    this.length = 0
    this.#extracted.clear()
    return [from, this.nextId]
  }

  /** A read begins, from `nextId` on. Returns how many messages to read. */
  beginRead(): number {
    this.reading = true
    this.#lastCommittedAtRead = this.#lastCommitted
    this.#nextIdAtRead = this.nextId
    return Math.max(1, Math.min(READ_MESSAGES, Math.floor(READ_BYTES / this.#messageBytes)))
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
    this.reading = false
    for (const id of this.#extracted) if (id < this.nextId) this.#extracted.delete(id)
    if (this.length === 0) this.#extracted.clear()
    if (this.nextId !== this.#nextIdAtRead || this.#lastCommitted !== this.#lastCommittedAtRead) return 0
    const missing = this.length
    this.length = 0
    return missing
  }
}
