/** How long a refused message rests before it is delivered again. */

export interface Backoff {
  /** Milliseconds. */
  initial: number
  /** Milliseconds. */
  max: number
}

/**
 * Exponential, with jitter so that messages refused together (a database was down) do not come back together: the n-th
 * delay lies between initial × 2^(n-1) and twice that, and never beyond `max`. The jitter is computed from the message's
 * id, for the rules of a queue are deterministic.
 */
export function backoffDelay({ initial, max }: Backoff, deliveries: number, id: number): number {
  const doubled = initial * 2 ** (deliveries - 1)
  // At the ceiling there would be no room for jitter: half of it is the floor there.
  const low = Math.min(Math.max(initial, Math.min(doubled, max / 2)), max)
  const high = Math.min(low * 2, max)
  return Math.round(low + (high - low) * scatter(id, deliveries))
}

/** A number in [0, 1) that neighbouring ids do not share (the finalizer of MurmurHash3). */
function scatter(id: number, deliveries: number): number {
  let hash = Math.imul(id | 0, 0x9e3779b1) ^ Math.imul(deliveries, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}
