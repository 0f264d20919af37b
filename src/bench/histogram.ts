/**
 * A histogram of latencies in microseconds: log-linear, as HdrHistogram has it.
 *
 * Each power of two is split into 64 buckets, so a percentile is at most 0.8 % off whatever its size, and recording is
 * an addition in a fixed array: no sample is kept, and nothing is allocated.
 */

const BITS = 6
const PER_POWER = 1 << BITS
const BUCKETS = (32 - BITS + 1) * PER_POWER

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS)
  #count = 0
  #max = 0

  get count(): number {
    return this.#count
  }

  /** The largest value recorded, exactly; 0 when there is none. */
  get max(): number {
    return this.#max
  }

  /** @param value a whole number from 0 to 2^32 - 1 */
  record(value: number): void {
    this.#counts[bucketOf(value)]!++
    this.#count++
    if (value > this.#max) this.#max = value
  }

  /** The value that the fraction `part` (0 to 1) of all values do not exceed; 0 when there is none. */
  percentile(part: number): number {
    const wanted = Math.max(1, Math.ceil(part * this.#count))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!
      if (seen >= wanted) return Math.min(middleOf(bucket), this.#max)
    }
    return 0
  }
}

function bucketOf(value: number): number {
  if (value < PER_POWER) return value
  const shift = 31 - Math.clz32(value) - BITS
  return shift * PER_POWER + (value >>> shift)
}

function middleOf(bucket: number): number {
  if (bucket < 2 * PER_POWER) return bucket
  const shift = Math.floor(bucket / PER_POWER) - 1
  // Not by shifting: the last buckets are beyond what a signed shift can hold.
  return ((bucket % PER_POWER) + PER_POWER) * 2 ** shift + 2 ** shift / 2
}
