/**
 * Messages that rest after a refusal until their backoff is over. One that leaves the queue from here leaves its time
 * behind, which means nothing when it comes.
 */

import { TimeHeap } from '../../../src/plugin.ts'
import type { Entry } from './consumer.ts'

export class Resting {
  /** By id; null before the first, for most queues never have any. */
  #entries: Map<number, Entry> | null = null
  #times: TimeHeap | null = null

  get length(): number {
    return this.#entries?.size ?? 0
  }

  /** When to look again: no message is due before. Infinity: never. */
  get nextDueAt(): number {
    return this.#times?.firstTime ?? Infinity
  }

  /** A message, until its `dueAt`. */
  push(entry: Entry): void {
    this.#entries ??= new Map()
    this.#times ??= new TimeHeap()
    this.#entries.set(entry.id, entry)
    this.#times.push(entry.id, entry.dueAt)
  }

  /** Take the first, if it is due by `now`. */
  takeDue(now: number): Entry | null {
    while (this.#times !== null && this.#times.firstTime <= now) {
      const entry = this.take(this.#times.shift())
      if (entry !== undefined) return entry
    }
    return null
  }

  /** The message with this id, if it is here. */
  find(id: number): Entry | undefined {
    return this.#entries?.get(id)
  }

  /** The same, and it is here no longer. */
  take(id: number): Entry | undefined {
    const entry = this.#entries?.get(id)
    if (entry !== undefined) this.#entries!.delete(id)
    return entry
  }

  takeAll(): Entry[] {
    const entries = [...(this.#entries?.values() ?? [])]
    this.#entries = null
    this.#times = null
    return entries
  }
}
