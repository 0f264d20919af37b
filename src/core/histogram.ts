/** How often something took how long: a number a class, so that a percentile can be told without keeping what was measured. */

export class Histogram {
  /** The longest of each class, in ascending order; what is longer is in a class of its own. */
  readonly bounds: readonly number[]
  /** How many there were of each class, one more than there are bounds. */
  readonly counts: number[]
  /** Of all that was measured. */
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array<number>(bounds.length + 1).fill(0)
  }

  add(value: number): void {
    let place = 0
    while (place < this.bounds.length && value > this.bounds[place]!) place++
    this.counts[place]!++
    this.sum += value
  }

  /** How many were measured. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }
}
