/**
 * Lets a few tasks run at a time; the others wait their turn. Hashing shares the threads of the process (libuv has four)
 * with the store's writing: a thousand clients that connect at once would otherwise hold up every acknowledgement.
 */

export class Turns {
  readonly #limit: number
  #taken = 0
  readonly #waiting: Array<() => void> = []

  /** @param limit tasks that run at a time, 1 or more */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Run `task` when it is its turn. Settles as the task does. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#limit) this.#taken++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve)) // takes over the place of one that is done
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#taken--
      else next()
    }
  }
}
