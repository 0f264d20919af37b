/**
 * Slows those down who guess. After a few failures from one address nobody is let in from there for a while, twice as long
 * with each further one up to a limit, and forgotten in time. Refused, not delayed: a delay would hold a socket for each
 * guess, as many as the guesser likes to open.
 *
 * Many clients share an address (a gateway, a proxy). So a user who has come in from an address is counted apart there: the
 * guesses of others do not keep that user out, nor do that user's own let others guess.
 */

import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { sourceOf } from '../core/addresses.ts'
import type { Clock } from '../core/clock.ts'

export interface SlowDownLimits {
  /** Failures from one address that cost nothing; null: any number. */
  after: number | null
  /** Milliseconds that the first failure beyond them costs. */
  initialMs: number
  maxMs: number
}

export const NEVER_SLOWED: SlowDownLimits = { after: null, initialMs: 0, maxMs: 0 }

/** Failures are forgotten when there was none for so many times the longest wait. */
const FORGOTTEN_AFTER = 10
/** Addresses, and users at addresses, that are remembered: the ones seen last. About 2 MB each. */
const MAX_REMEMBERED = 10_000

interface Record {
  failures: number
  failedAt: number
  /** When the next attempt is heard. */
  until: number
}

export class SlowDown {
  #limits: SlowDownLimits
  readonly #clock: Clock
  readonly #addresses = new LRUCache<string, Record>({ max: MAX_REMEMBERED })
  /** Users who came in, each at an address. */
  readonly #users = new LRUCache<string, Record>({ max: MAX_REMEMBERED })

  constructor(limits: SlowDownLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Other limits. Who was not heard by the old ones has a new beginning. */
  change(limits: SlowDownLimits): void {
    if (isDeepStrictEqual(limits, this.#limits)) return
    this.#limits = limits
    this.#addresses.clear()
    this.#users.clear()
  }

  /**
   * Milliseconds until somebody from there is heard again; 0: now. Beyond the failures that cost nothing one is heard at a
   * time: nobody else until it is known whether that was another failure, or as long as one would cost.
   */
  hear(address: string, username: string | null): number {
    const record = this.#slowed(address, username)
    const now = this.#clock.now()
    if (record === null) return 0
    if (record.until > now) return record.until - now
    record.until = now + this.#cost(record.failures + 1)
    return 0
  }

  /** Whether a failure from there would be one of those that cost nothing, so that `hear` lets any number try. */
  isFree(address: string, username: string | null): boolean {
    return this.#slowed(address, username) === null
  }

  /** Somebody from there has guessed. Returns for how many milliseconds nobody is heard now; 0: not yet. */
  failed(address: string, username: string | null): number {
    const { after } = this.#limits
    if (after === null) return 0
    const now = this.#clock.now()
    const origin = sourceOf(address) ?? address
    const record = this.#recordOf(origin, username) ?? this.#add(origin)
    record.failures = this.#isForgotten(record, now) ? 1 : record.failures + 1
    record.failedAt = now
    record.until = record.failures <= after ? 0 : now + this.#cost(record.failures)
    return Math.max(record.until - now, 0)
  }

  /** This user has come in from there. */
  succeeded(address: string, username: string | null): void {
    if (this.#limits.after === null) return
    const origin = sourceOf(address) ?? address
    const record = this.#recordOf(origin, username)
    if (record !== undefined) record.until = 0
    if (username !== null) this.#users.set(userAt(origin, username), { failures: 0, failedAt: 0, until: 0 })
  }

  /** Addresses and users that are remembered. */
  get size(): number {
    return this.#addresses.size + this.#users.size
  }

  #recordOf(origin: string, username: string | null): Record | undefined {
    const user = username === null ? undefined : this.#users.get(userAt(origin, username))
    return user ?? this.#addresses.get(origin)
  }

  /** The record of somebody who has failed too often already. */
  #slowed(address: string, username: string | null): Record | null {
    const { after } = this.#limits
    const record = after === null ? undefined : this.#recordOf(sourceOf(address) ?? address, username)
    if (record === undefined || record.failures < after!) return null
    return this.#isForgotten(record, this.#clock.now()) ? null : record
  }

  #add(origin: string): Record {
    const record = { failures: 0, failedAt: 0, until: 0 }
    this.#addresses.set(origin, record)
    return record
  }

  /** Milliseconds that the failure of this number costs. */
  #cost(failures: number): number {
    const { after, initialMs, maxMs } = this.#limits
    return Math.min(initialMs * 2 ** Math.min(failures - after! - 1, 32), maxMs)
  }

  #isForgotten({ failedAt }: Record, now: number): boolean {
    return now - failedAt > FORGOTTEN_AFTER * this.#limits.maxMs
  }
}

function userAt(origin: string, username: string): string {
  return `${origin}\n${username}`
}
