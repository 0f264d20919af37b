/**
 * Events between the moment when they happen and the moment when their readers are told: told a slice a turn of the event loop,
 * each slice no longer than half of what all else took since the last one. So whoever reads everything has a third of the
 * broker's time at most; what does not fit in the backlog is lost to the readers, not to the broker.
 */

import type { EventRecord } from '../../src/plugin.ts'

/** Events that wait at most: about a fifth of a second of a busy broker, a few megabytes. */
export const MAX_WAITING = 20_000
/** And bytes of the topics in them, which whoever publishes can make 64 KB long. */
export const MAX_WAITING_BYTES = 16 * 1024 * 1024
/** Of the time that all else took, what telling takes. */
const SHARE = 0.5
/** Milliseconds of a slice, whatever else there was to do: less would be spent on turning; more would be felt. */
const SHORTEST_MS = 0.1
const LONGEST_MS = 1
/** Looking at the clock costs a tenth of an event. */
const EVENTS_A_LOOK = 16

export class Backlog {
  readonly #tell: (record: EventRecord) => void
  #waiting: Array<EventRecord | null> = []
  /** Bytes of names and topics in those that wait. */
  #bytes = 0
  /** Those before it are told. */
  #next = 0
  #scheduled = false
  #endedAt = 0

  /** @param tell must not throw */
  constructor(tell: (record: EventRecord) => void) {
    this.#tell = tell
  }

  /** Returns whether there was room. */
  add(record: EventRecord): boolean {
    if (this.#waiting.length - this.#next >= MAX_WAITING || this.#bytes >= MAX_WAITING_BYTES) return false
    this.#waiting.push(record)
    this.#bytes += bytesOf(record)
    this.#schedule()
    return true
  }

  /** Tell all that waits, now. */
  flush(): void {
    this.#tellUntil(Number.POSITIVE_INFINITY)
  }

  /** Forget what waits. */
  clear(): void {
    this.#waiting = []
    this.#next = 0
    this.#bytes = 0
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#slice)
  }

  readonly #slice = (): void => {
    this.#scheduled = false
    const now = performance.now()
    this.#tellUntil(now + Math.min(Math.max(SHARE * (now - this.#endedAt), SHORTEST_MS), LONGEST_MS))
    if (this.#waiting.length > 0) this.#schedule()
  }

  #tellUntil(end: number): void {
    for (let told = 1; this.#next < this.#waiting.length; told++) {
      const record = this.#waiting[this.#next]!
      this.#waiting[this.#next++] = null // with its JSON it would lie there until the end
      this.#bytes -= bytesOf(record)
      this.#tell(record)
      if (told % EVENTS_A_LOOK === 0 && performance.now() > end) break
    }
    if (this.#next === this.#waiting.length) this.clear()
    else if (this.#next >= MAX_WAITING) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    this.#endedAt = performance.now()
  }
}

/** Of what clients choose the length of. */
function bytesOf({ data }: EventRecord): number {
  const { topic, filter, clientId } = data as { topic?: string | null; filter?: string; clientId?: string }
  return (topic?.length ?? 0) + (filter?.length ?? 0) + (clientId?.length ?? 0)
}
