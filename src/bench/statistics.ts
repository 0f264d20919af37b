/** Several runs as one figure: the median, which one bad run cannot move, and the spread, which shows the bad run. */

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** @param values at least one */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const last = sorted.length - 1
  const median = (sorted[Math.floor(last / 2)]! + sorted[Math.ceil(last / 2)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}
