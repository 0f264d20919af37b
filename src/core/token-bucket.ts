/**
 * A rate limit: so many a second on average, and a burst of what was not used before. Pure arithmetic on times that are handed
 * in; a clock that is set back gives nothing and takes nothing.
 */

export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #filledAt: number

  /** @param perSecond above 0 @param burst how many there are at first, and at most @param now in milliseconds */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1_000
    this.#burst = burst
    this.#tokens = burst
    this.#filledAt = now
  }

  /** Take one, if there is one. */
  take(now: number): boolean {
    this.#fill(now)
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** Take as many, on credit if need be: what has come already cannot be refused, only what comes next be put off. */
  spend(amount: number): void {
    this.#tokens -= amount
  }

  /** Milliseconds until nothing is owed; 0: nothing is. */
  debtMs(now: number): number {
    if (this.#tokens >= 0) return 0
    this.#fill(now)
    return this.#tokens >= 0 ? 0 : Math.ceil(-this.#tokens / this.#perMs)
  }

  /** Whether it is as it was at first. */
  isFull(now: number): boolean {
    this.#fill(now)
    return this.#tokens >= this.#burst
  }

  #fill(now: number): void {
    const passedMs = now - this.#filledAt
    this.#filledAt = now
    if (passedMs > 0) this.#tokens = Math.min(this.#burst, this.#tokens + passedMs * this.#perMs)
  }
}
