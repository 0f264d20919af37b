/** First in, first out, without moving what is inside: an array with a head that is cut off now and then. */

export class Fifo<T> {
  #items: Array<T | undefined> = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Everything, in order. */
  toArray(): T[] {
    return this.#items.slice(this.#head) as T[]
  }

  /** Everything, in order; it is empty afterwards. */
  drain(): T[] {
    const all = this.toArray()
    this.#items = []
    this.#head = 0
    return all
  }
}
