/**
 * Ids, each with a time, the earliest first: a binary heap in two arrays of numbers, so that an id costs sixteen bytes and
 * no object. Of one time the lower id comes first. Nothing is removed from the middle: who takes an id out has to know
 * whether it still means anything.
 */

export class TimeHeap {
  readonly #times: number[] = []
  readonly #ids: number[] = []

  /** The earliest time; Infinity when there is none. */
  get firstTime(): number {
    return this.#times.length === 0 ? Infinity : this.#times[0]!
  }

  push(id: number, time: number): void {
    let place = this.#ids.length
    for (let parent = (place - 1) >>> 1; place > 0 && this.#isBefore(time, id, parent); parent = (place - 1) >>> 1) {
      this.#move(parent, place)
      place = parent
    }
    this.#times[place] = time
    this.#ids[place] = id
  }

  /** Take the id of the earliest time. There has to be one. */
  shift(): number {
    const first = this.#ids[0]!
    const time = this.#times.pop()!
    const id = this.#ids.pop()!
    const { length } = this.#ids
    if (length === 0) return first
    let place = 0
    for (let child = 1; child < length; child = 2 * place + 1) {
      const other = child + 1
      if (other < length && this.#isBefore(this.#times[other]!, this.#ids[other]!, child)) child = other
      if (this.#isBefore(time, id, child)) break
      this.#move(child, place)
      place = child
    }
    this.#times[place] = time
    this.#ids[place] = id
    return first
  }

  clear(): void {
    this.#times.length = 0
    this.#ids.length = 0
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from]!
    this.#ids[to] = this.#ids[from]!
  }

  #isBefore(time: number, id: number, place: number): boolean {
    const other = this.#times[place]!
    return time < other || (time === other && id < this.#ids[place]!)
  }
}
