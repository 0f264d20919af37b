/** Follows exactly those events that somebody wants, so that the others are never built. */

import type { EventChronicle, EventType, Follower } from '../../src/plugin.ts'

interface Wanted {
  readers: number
  readonly stop: () => void
}

export class Interest {
  readonly #chronicle: EventChronicle
  readonly #follower: Follower
  readonly #wanted = new Map<EventType, Wanted>()

  constructor(chronicle: EventChronicle, follower: Follower) {
    this.#chronicle = chronicle
    this.#follower = follower
  }

  /** One more reader wants these. */
  add(types: readonly EventType[]): void {
    for (const type of types) {
      const wanted = this.#wanted.get(type)
      if (wanted !== undefined) wanted.readers++
      else this.#wanted.set(type, { readers: 1, stop: this.#chronicle.follow([type], this.#follower) })
    }
  }

  /** A reader no longer wants these. */
  remove(types: readonly EventType[]): void {
    for (const type of types) {
      const wanted = this.#wanted.get(type)
      if (wanted === undefined || --wanted.readers > 0) continue
      wanted.stop()
      this.#wanted.delete(type)
    }
  }

  stop(): void {
    for (const { stop } of this.#wanted.values()) stop()
    this.#wanted.clear()
  }
}
