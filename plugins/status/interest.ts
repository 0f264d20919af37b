/** Listens to exactly those events that somebody wants, so that the others are never built. */

import type { EventListener, Events, EventType } from '../../src/plugin.ts'

interface Wanted {
  readers: number
  readonly stop: () => void
}

export class Interest {
  readonly #events: Events
  readonly #listener: EventListener
  readonly #wanted = new Map<EventType, Wanted>()

  constructor(events: Events, listener: EventListener) {
    this.#events = events
    this.#listener = listener
  }

  /** One more reader wants these. */
  add(types: readonly EventType[]): void {
    for (const type of types) {
      const wanted = this.#wanted.get(type)
      if (wanted === undefined)
        this.#wanted.set(type, { readers: 1, stop: this.#events.listen([type], this.#listener) })
      else wanted.readers++
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
