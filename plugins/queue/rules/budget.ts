/**
 * The memory that all queues have together for messages that wait: what keeps ten thousand long queues from taking ten
 * thousand windows. Each may hold a part of what is free, so the more queues are long, the less each of them holds, and there
 * is always something left for the next (dynamic thresholds, as in the buffers of switches). What consumers have in hand is
 * not in it: their prefetch bounds that.
 */

/** Bytes of messages in memory, with what they cost there besides. */
const LIMIT = 128 * 1024 * 1024

/** A queue that is read may hold this part of what is free. */
const SHARE = 1 / 4

/** How many queues at once may read a message for a waiting consumer when nothing is free. */
const URGENT_READS = 16

/** A queue that a consumer waits for, and that had no memory to read into. */
export interface Starved {
  /** Try again. */
  pump(): void
}

export class Budget {
  readonly limit: number
  /** Bytes of messages that are in memory, or on their way there. */
  used = 0
  #urgent = 0
  readonly #starved = new Set<Starved>()

  constructor(limit = LIMIT) {
    this.limit = limit
  }

  /** Bytes that one queue may hold now. */
  get share(): number {
    return (this.limit - this.used) * SHARE
  }

  /** Whether a queue that nobody consumes may keep messages: half is for those that somebody does. */
  get hasSpare(): boolean {
    return this.used < this.limit / 2
  }

  /** Read a message although nothing is free. False: others are about it; see `starve`. */
  beginUrgent(): boolean {
    if (this.#urgent >= URGENT_READS) return false
    this.#urgent++
    return true
  }

  endUrgent(): void {
    this.#urgent--
  }

  /** It is pumped when a read is done, be it another's. */
  starve(queue: Starved): void {
    this.#starved.add(queue)
  }

  /** A read is done: whoever waits for memory may try again, as many as could read at once. */
  feed(): void {
    let left = URGENT_READS
    for (const queue of this.#starved) {
      if (left-- === 0) return
      this.#starved.delete(queue)
      queue.pump()
    }
  }

  /** It is no more. */
  forget(queue: Starved): void {
    this.#starved.delete(queue)
  }
}
