/** Random numbers that can be had again: TEST_SEED=… repeats a run as far as the machine allows. */

export class Chance {
  readonly seed: number
  #state: number

  constructor() {
    // Not an EVENTFLOW_ variable that the broker would read: it refuses those that it does not know.
    this.seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
    this.#state = this.seed
    console.info(this.told)
  }

  /** For the message of an assertion. */
  get told(): string {
    return `chance was seeded with TEST_SEED=${this.seed}`
  }

  /** A whole number from `low` to `high`. */
  between(low: number, high: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return low + (((mixed ^ (mixed >>> 14)) >>> 0) % (high - low + 1))
  }
}
