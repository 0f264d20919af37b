/**
 * Lets a few tasks run at a time; the others wait their turn, up to a number of them. Hashing shares the threads of the
 * process (libuv has four) with the store's writing: a thousand clients that connect at once would otherwise hold up
 * every acknowledgement. And who waits costs a socket and memory: beyond the number a client is told to come later.
 */

import { ReasonCode, Refusal } from './reason-codes.ts'

export class Turns {
  readonly #limit: number
  readonly #maxWaiting: number
  #taken = 0
  #waiting: Array<() => void> = []
  /** Those before have had their turn: shift() moves a whole array once there are many. */
  #first = 0

  /**
   * @param limit tasks that run at a time, 1 or more
   * @param maxWaiting tasks that wait beside them
   */
  constructor(limit: number, maxWaiting = Infinity) {
    this.#limit = limit
    this.#maxWaiting = maxWaiting
  }

  /** Whether nothing runs, and so nothing waits. */
  get idle(): boolean {
    return this.#taken === 0
  }

  /** Run `task` when it is its turn. Settles as the task does. @throws Refusal 0x89 when too many wait */
  async run<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#taken < this.#limit) this.#taken++
    else await this.#turn() // takes over the place of one that is done
    try {
      return await task()
    } finally {
      this.#next()
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length - this.#first >= this.#maxWaiting) {
      throw new Refusal(ReasonCode.ServerBusy, 'too many clients are being let in; try again later')
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #next(): void {
    const next = this.#waiting[this.#first]
    if (next === undefined) {
      this.#taken--
      return
    }
    this.#first++
    if (this.#first === this.#waiting.length) {
      this.#waiting = []
      this.#first = 0
    } else if (this.#first >= 1_024) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
    next()
  }
}
