/** A clock whose time a test moves. */

import type { Clock, Timer } from '../../src/core/clock.ts'

interface Alarm {
  at: number
  callback: () => void
}

export class FakeClock implements Clock {
  /** As milliseconds since the epoch; a round number far from 0, which means "never" in many places. */
  #now: number
  #alarms: Alarm[] = []

  constructor(now = 1_000_000_000_000) {
    this.#now = now
  }

  /** Timers that have not run and were not cancelled. */
  get pending(): number {
    return this.#alarms.length
  }

  /** Bound: parts take the function alone. */
  readonly now = (): number => this.#now

  after(delayMs: number, callback: () => void): Timer {
    const alarm = { at: this.#now + Math.max(delayMs, 0), callback }
    this.#alarms.push(alarm)
    return {
      cancel: () => {
        this.#alarms = this.#alarms.filter((other) => other !== alarm)
      },
    }
  }

  /** Move time on, and run what is due on the way: in the order of time, each at its own time. */
  advance(byMs: number): void {
    const end = this.#now + byMs
    for (;;) {
      const next = this.#alarms.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#alarms = this.#alarms.filter((other) => other !== next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
    this.#now = end
  }
}
