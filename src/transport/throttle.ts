/**
 * How fast one client may send: messages and bytes a second, and a second's worth at once. It takes what has come, and says how
 * long to wait with what comes next; its connection is read no further meanwhile, so TCP slows the client down and nothing
 * is lost.
 */

import { TokenBucket } from '../core/token-bucket.ts'

export interface ThrottleLimits {
  /** Messages a second; null: any number. */
  messageRate: number | null
  /** Bytes a second; null: any number. */
  byteRate: number | null
}

/** Which of the two keeps the client waiting. */
export type Exceeded = keyof ThrottleLimits

/** It is told once so often, not each time that a connection is paused. */
const TELL_EVERY_MS = 60_000

export class Throttle {
  readonly #messages: TokenBucket | null
  readonly #bytes: TokenBucket | null
  #toldAt = Number.NEGATIVE_INFINITY

  constructor({ messageRate, byteRate }: ThrottleLimits, now: number) {
    this.#messages = messageRate === null ? null : new TokenBucket(messageRate, messageRate, now)
    this.#bytes = byteRate === null ? null : new TokenBucket(byteRate, byteRate, now)
  }

  /** The throttle of one client; null: nothing limits it, and nothing is counted. */
  static of(limits: ThrottleLimits, now: number): Throttle | null {
    return limits.messageRate === null && limits.byteRate === null ? null : new Throttle(limits, now)
  }

  message(): void {
    this.#messages?.spend(1)
  }

  read(bytes: number): void {
    this.#bytes?.spend(bytes)
  }

  /** Milliseconds to wait before the next packet; 0: none. */
  waitMs(now: number): number {
    return Math.max(this.#messages?.debtMs(now) ?? 0, this.#bytes?.debtMs(now) ?? 0)
  }

  exceeded(now: number): Exceeded {
    return (this.#messages?.debtMs(now) ?? 0) > 0 ? 'messageRate' : 'byteRate'
  }

  /** Whether it is worth telling now that the client has to wait. */
  tell(now: number): boolean {
    if (now - this.#toldAt < TELL_EVERY_MS) return false
    this.#toldAt = now
    return true
  }
}
