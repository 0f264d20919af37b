/**
 * When a queue wants to be called next: the earliest of all times that were asked for. A later one is asked for again when
 * that has come, so nobody keeps a list of them.
 */

import type { Effects } from './effects.ts'

/** Calls come no closer than this, so that a thousand deadlines in a row are a few calls. Milliseconds. */
const CLOSEST_MS = 10

export class Alarm {
  readonly #effects: Effects
  #at = Infinity
  #stopped = false

  constructor(effects: Effects) {
    this.#effects = effects
  }

  /** Call at this time, if not before. Infinity: there is no need. */
  set(at: number): void {
    if (at >= this.#at || this.#stopped) return
    this.#at = at
    this.#effects.wake(at)
  }

  /** As `set`, but give what is done now some time to be over. */
  setAfter(now: number, at: number): void {
    this.set(Math.max(at, now + CLOSEST_MS))
  }

  /** The time has come. */
  rang(): void {
    this.#at = Infinity
  }

  /** No call is asked for any more. */
  stop(): void {
    this.#stopped = true
  }
}
