/**
 * How fast one client may send: messages and bytes a second, and a second's worth at once. It takes what has come, and makes
 * what comes next wait; the connection is read no further meanwhile, so TCP slows the client down and nothing is lost.
 */

import type { Clock, Timer } from '../core/clock.ts'
import { TokenBucket } from '../core/token-bucket.ts'

export interface ThrottleLimits {
  /** Messages a second; null: any number. */
  messageRate: number | null
  /** Bytes a second; null: any number. */
  byteRate: number | null
}

const TELL_EVERY_MS = 60_000

export interface ThrottleParts {
  clock: Clock
  /** The client has to wait, by this limit: told once a minute, as long as it sends too fast. */
  exceeded: (limit: keyof ThrottleLimits) => void
  /** It need not wait any more. */
  resume: () => void
}

export class Throttle {
  readonly #parts: ThrottleParts
  readonly #messages: TokenBucket | null
  readonly #bytes: TokenBucket | null
  #timer: Timer | null = null
  #toldAt = Number.NEGATIVE_INFINITY

  constructor({ messageRate, byteRate }: ThrottleLimits, parts: ThrottleParts) {
    this.#parts = parts
    const now = parts.clock.now()
    this.#messages = messageRate === null ? null : new TokenBucket(messageRate, messageRate, now)
    this.#bytes = byteRate === null ? null : new TokenBucket(byteRate, byteRate, now)
  }

  /** The throttle of one client; null: nothing limits it, and nothing is counted. */
  static of(limits: ThrottleLimits, parts: ThrottleParts): Throttle | null {
    return limits.messageRate === null && limits.byteRate === null ? null : new Throttle(limits, parts)
  }

  /** Whether the client has to wait. */
  get waiting(): boolean {
    return this.#timer !== null
  }

  /** A message has come. */
  message(): void {
    this.#messages?.spend(1)
    this.#check()
  }

  /** So many bytes have come. */
  read(bytes: number): void {
    this.#bytes?.spend(bytes)
    this.#check()
  }

  /** The connection is gone. */
  end(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #check(): void {
    if (this.#timer !== null) return
    const { clock, exceeded } = this.#parts
    const now = clock.now()
    const messagesMs = this.#messages?.debtMs(now) ?? 0
    const bytesMs = this.#bytes?.debtMs(now) ?? 0
    if (messagesMs === 0 && bytesMs === 0) return
    this.#timer = clock.after(Math.max(messagesMs, bytesMs), () => this.#goOn())
    if (now - this.#toldAt < TELL_EVERY_MS) return
    this.#toldAt = now
    exceeded(messagesMs > bytesMs ? 'messageRate' : 'byteRate')
  }

  #goOn(): void {
    this.#timer = null
    this.#check()
    if (this.#timer === null) this.#parts.resume()
  }
}
