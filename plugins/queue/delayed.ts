/** Messages whose backoff is not over: a binary heap by `dueAt`. One that is gone stays until then, and is passed over. */

import type { Entry } from './consumer.ts'

export class Delayed {
  /** How many messages there are, without those that are gone. */
  length = 0
  readonly #heap: Entry[] = []

  /** When the first is due; Infinity when there is none. */
  get nextDueAt(): number {
    return this.#heap[0]?.dueAt ?? Infinity
  }

  push(entry: Entry): void {
    const heap = this.#heap
    let place = heap.length
    heap.push(entry)
    while (place > 0) {
      const parent = (place - 1) >>> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = entry
    this.length++
  }

  /** Take the first, if it is due by `now`. */
  takeDue(now: number): Entry | null {
    while (this.nextDueAt <= now) {
      const entry = this.#pop()
      if (entry.gone) continue
      this.length--
      return entry
    }
    return null
  }

  /** One that is still here is gone: its late acknowledgement arrived. */
  forget(): void {
    this.length--
  }

  /** The message with this id, if it is here and not gone. Looks at all of them. */
  find(id: number): Entry | undefined {
    return this.#heap.find((entry) => entry.id === id && !entry.gone)
  }

  /** Take all that are not gone. */
  takeAll(): Entry[] {
    this.length = 0
    return this.#heap.splice(0).filter((entry) => !entry.gone)
  }

  #pop(): Entry {
    const heap = this.#heap
    const first = heap[0]!
    const moved = heap.pop()!
    if (heap.length === 0) return first
    let place = 0
    for (let child = 1; child < heap.length; child = 2 * place + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, moved)) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = moved
    return first
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.id < b.id)
}
