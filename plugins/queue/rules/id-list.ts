/**
 * Entries in the order of their ids, taken from the front. What is pushed nearly always belongs at the end, so it is an
 * array with a head; what comes back out of order is put in its place. An entry that is `gone` is passed over when its
 * turn comes: removing it at once would cost a search.
 */

export interface Numbered {
  readonly id: number
  readonly gone: boolean
}

export class IdList<T extends Numbered> {
  #items: Array<T | undefined> = []
  #head = 0

  /** How many it holds, those that are gone included. */
  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    const items = this.#items
    const last = items.length > this.#head ? items[items.length - 1]! : null
    if (last === null || last.id < item.id) items.push(item)
    else items.splice(this.#placeOf(item.id), 0, item)
  }

  /** Id of the first that is not gone; Infinity when there is none. */
  get firstId(): number {
    for (let head = this.#items[this.#head]; head !== undefined; head = this.#items[this.#head]) {
      if (!head.gone) return head.id
      this.#drop()
    }
    return Infinity
  }

  /** The first, gone or not: ask `firstId` before. */
  get first(): T | undefined {
    return this.#items[this.#head]
  }

  /** Take the first, gone or not: ask `firstId` before. */
  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (item !== undefined) this.#drop()
    return item
  }

  /** The one with this id, gone or not. */
  find(id: number): T | undefined {
    const item = this.#items[this.#placeOf(id)]
    return item?.id === id ? item : undefined
  }

  /** Take all that are not gone. */
  takeAll(): T[] {
    const items = this.#items.slice(this.#head).filter((item): item is T => item !== undefined && !item.gone)
    this.#items.length = 0
    this.#head = 0
    return items
  }

  #drop(): void {
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }

  #placeOf(id: number): number {
    let low = this.#head
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#items[middle]!.id < id) low = middle + 1
      else high = middle
    }
    return low
  }
}
