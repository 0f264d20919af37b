/**
 * Removes retained messages whose time is up though nobody asks for them: a slice of the tree a second, as long as there
 * are any with an expiry. Timers or a heap would be exact, and would cost memory for every republished message; whoever
 * asks for an expired message does not get it anyway.
 */

import type { Clock, Timer } from '../core/clock.ts'
import type { Message } from '../core/message.ts'
import type { Retained } from './retained.ts'
import type { TopicCursor } from './topic-cursor.ts'

const EVERY_MS = 1_000

/** Up to so many messages every second sees all of them; a million take five minutes, in slices of about a millisecond. */
const MIN_SLICE = 1_000
const SLICES = 300

export interface RetainedExpiryParts {
  retained: Retained
  clock: Clock
  /** The message's time is up: remove it. */
  expire: (message: Message) => void
}

export class RetainedExpiry {
  readonly #parts: RetainedExpiryParts
  #cursor: TopicCursor<Message> | null = null
  #timer: Timer | null = null

  constructor(parts: RetainedExpiryParts) {
    this.#parts = parts
  }

  /** There may be a message with an expiry now. */
  watch(): void {
    const { retained, clock } = this.#parts
    if (this.#timer === null && retained.expiring > 0) this.#timer = clock.after(EVERY_MS, this.#sweep)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#cursor = null
  }

  readonly #sweep = (): void => {
    const { retained, clock, expire } = this.#parts
    this.#timer = null
    this.#cursor ??= retained.everything()
    const cursor = this.#cursor
    const limit = cursor.visited + Math.max(MIN_SLICE, Math.ceil(retained.size / SLICES))
    const now = clock.now()
    for (let message = cursor.next(limit); message !== null; message = cursor.next(limit)) {
      if (message.expiresAt !== 0 && message.expiresAt <= now) expire(message)
    }
    if (cursor.done) this.#cursor = null
    this.watch()
  }
}
