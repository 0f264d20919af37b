/**
 * Which packs a log has, in order. Two plain arrays of numbers, because a log that was filled by one slow publisher has
 * as many packs as messages, and ten million of them must fit in memory: 16 bytes each here, as objects some 150.
 */

import type { Pack } from './pack.ts'

/** A pack; or, for one that is on disk and untouched, its count; 0 for one that is gone. */
export type Slot = Pack | number

export class PackTable {
  readonly #firsts: number[] = []
  readonly #slots: Slot[] = []
  /** Everything before is gone. */
  #head = 0
  #gone = 0
  /** Where the last one was found: the next is mostly there too, or right behind. */
  #cursor = 0

  /** Where the packs that are not gone begin. */
  get head(): number {
    return this.#head
  }

  /** Where they end. */
  get end(): number {
    return this.#slots.length
  }

  first(index: number): number {
    return this.#firsts[index]!
  }

  slot(index: number): Slot {
    return this.#slots[index]!
  }

  /** Add a pack; its first id is above all that are here. */
  push(first: number, slot: Slot): void {
    this.#firsts.push(first)
    this.#slots.push(slot)
  }

  set(index: number, slot: Slot): void {
    this.#slots[index] = slot
  }

  /** The last pack begins at another id now. */
  moveLast(first: number): void {
    this.#firsts[this.#firsts.length - 1] = first
  }

  /** Forget the pack at `index`. The places of others may change. */
  drop(index: number): void {
    this.#slots[index] = 0
    this.#gone++
    while (this.#head < this.#slots.length && this.#slots[this.#head] === 0) this.#head++
    if (this.#gone > 32 && this.#gone * 2 > this.#slots.length) this.#compact()
  }

  clear(): void {
    this.#firsts.length = 0
    this.#slots.length = 0
    this.#head = 0
    this.#gone = 0
  }

  /** The place of the pack that id belongs to, or -1. */
  find(id: number): number {
    const index = this.#covers(this.#cursor, id) ? this.#cursor : this.lastUpTo(id)
    if (!this.#covers(index, id)) return -1
    this.#cursor = index
    return index
  }

  /** The last place whose pack begins at `id` or before; `head - 1` when there is none. */
  lastUpTo(id: number): number {
    let low = this.#head
    let high = this.#firsts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#firsts[middle]! <= id) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #covers(index: number, id: number): boolean {
    if (index < this.#head || index >= this.#slots.length) return false
    const first = this.#firsts[index]!
    const slot = this.#slots[index]!
    return id >= first && id < first + (typeof slot === 'number' ? slot : slot.count)
  }

  #compact(): void {
    let to = 0
    for (let index = this.#head; index < this.#slots.length; index++) {
      const slot = this.#slots[index]!
      if (slot === 0) continue
      this.#firsts[to] = this.#firsts[index]!
      this.#slots[to++] = slot
    }
    this.#firsts.length = to
    this.#slots.length = to
    this.#head = 0
    this.#gone = 0
  }
}
