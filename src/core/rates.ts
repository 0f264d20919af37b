/**
 * How fast things grow that are counted: the average of the last five to ten seconds, up to the moment of the question. Nothing is
 * done where they are counted: every five seconds it is written down how far the counts are.
 */

import type { Clock, Timer } from './clock.ts'

const BEAT_MS = 5_000

/** How far one count was at the last beat, and at the one before it. It begins at 0. */
export class Mark {
  before = 0
  last = 0

  move(count: number): void {
    this.before = this.last
    this.last = count
  }
}

export class Pace {
  readonly #clock: Clock
  readonly #move: () => void
  #beforeAt = 0
  #lastAt = 0
  #timer: Timer | null = null

  /** @param move moves every mark to its count: called every five seconds between `start` and `stop` */
  constructor(clock: Clock, move: () => void) {
    this.#clock = clock
    this.#move = move
  }

  start(): void {
    if (this.#timer !== null) return
    this.#beforeAt = this.#lastAt = this.#clock.now()
    this.#timer = this.#clock.after(BEAT_MS, this.#beat)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** How much a count grows in a second, to two decimals. */
  perSecond({ before }: Mark, count: number): number {
    // Just after a start a second is taken for the least, or the first messages would be thousands a second.
    const seconds = Math.max(this.#clock.now() - this.#beforeAt, 1_000) / 1_000
    return Math.round(((count - before) / seconds) * 100) / 100
  }

  readonly #beat = (): void => {
    this.#move()
    this.#beforeAt = this.#lastAt
    this.#lastAt = this.#clock.now()
    this.#timer = this.#clock.after(BEAT_MS, this.#beat)
  }
}
