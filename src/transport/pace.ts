/**
 * So many handshakes a turn of the event loop, the others in the next ones: thousands of clients that come back at once wait
 * for each other, and not those who are in already. Whoever waits costs a closure, once a connection.
 */

import { Fifo } from '../session/fifo.ts'

/** A handshake takes about a tenth of a millisecond. */
const PER_TURN = 8

export class Pace {
  readonly #waiting = new Fifo<() => void>()
  #left = PER_TURN
  #scheduled = false

  /** Do it now, if others were not too many in this turn; else in its turn. */
  take(work: () => void): void {
    this.#schedule()
    if (this.#left <= 0 || this.#waiting.length > 0) {
      this.#waiting.push(work)
      return
    }
    this.#left--
    work()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#left = PER_TURN
      this.#goOn()
    })
  }

  #goOn(): void {
    while (this.#left > 0) {
      const work = this.#waiting.shift()
      if (work === undefined) return
      this.#schedule()
      this.#left--
      work()
    }
  }
}
