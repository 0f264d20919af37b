/**
 * What readers have missed although they were connected: because they were too slow, or the broker had too much to tell.
 * Each is told of, by the event `status.dropped`, once the reader takes messages again, and four times a second at most.
 */

import type { Clock, EventMap, EventRecord, Timer } from '../../src/plugin.ts'
import type { Reader } from './reader.ts'

/** How often readers that have missed something are looked at. */
const LOOK_MS = 250

export interface LossesParts {
  clock: Clock
  emit: (data: EventMap['status.dropped']) => void
}

interface Gap {
  messages: number
  first: number
  last: number
}

export class Losses {
  readonly #parts: LossesParts
  readonly #gaps = new Map<Reader, Gap>()
  #timer: Timer | null = null
  #total = 0

  constructor(parts: LossesParts) {
    this.#parts = parts
  }

  /** Messages that were lost to a connected reader. */
  get total(): number {
    return this.#total
  }

  /** The reader did not get a message of this event. */
  add(reader: Reader, { sequence, type }: EventRecord): void {
    this.#total++
    const gap = this.#gaps.get(reader)
    if (gap !== undefined) {
      gap.messages++
      gap.last = sequence
      return
    }
    // To tell that the telling of a loss was lost could go on for ever: it waits for a loss of something else.
    if (type === 'status.dropped') return
    this.#gaps.set(reader, { messages: 1, first: sequence, last: sequence })
    this.#timer ??= this.#parts.clock.after(LOOK_MS, this.#look)
  }

  /** The reader is gone: what happens from now on it misses anyway. */
  forget(reader: Reader): void {
    this.#gaps.delete(reader)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#gaps.clear()
  }

  readonly #look = (): void => {
    this.#timer = null
    for (const [reader, { messages, first, last }] of [...this.#gaps]) {
      const { clientId, outbox } = reader.session
      if (!outbox.writable) continue
      this.#gaps.delete(reader)
      this.#parts.emit({ clientId, messages, firstSequence: first, lastSequence: last })
    }
    if (this.#gaps.size > 0) this.#timer ??= this.#parts.clock.after(LOOK_MS, this.#look)
  }
}
