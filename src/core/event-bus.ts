/** Carries events from where things happen to whoever listens. What a listener throws stops neither the others nor the emitter. */

import type { EventListener, EventMap, Events, EventType } from './events.ts'

export class EventBus implements Events {
  readonly #listeners = new Map<EventType, EventListener[]>()
  readonly #onFault: (error: unknown) => void

  /** @param onFault told what a listener threw; the other listeners are called all the same */
  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault
  }

  wants(type: EventType): boolean {
    return this.#listeners.has(type)
  }

  emit<T extends EventType>(type: T, data: EventMap[T]): void {
    const listeners = this.#listeners.get(type)
    if (listeners === undefined) return
    for (const listener of listeners) {
      try {
        listener(type, data)
      } catch (error) {
        this.#onFault(error)
      }
    }
  }

  listen(types: readonly EventType[], listener: EventListener): () => void {
    // Lists are replaced, never changed: an emit under way goes on over the list that it began with.
    for (const type of types) this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener])
    return () => {
      for (const type of types) {
        const left = (this.#listeners.get(type) ?? []).filter((other) => other !== listener)
        if (left.length > 0) this.#listeners.set(type, left)
        else this.#listeners.delete(type)
      }
    }
  }
}
