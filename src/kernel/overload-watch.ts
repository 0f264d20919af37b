/**
 * Tells when the broker has more to do than it can: when timers come late, all that clients send waits as long.
 *
 * One long pause (a collection of garbage, a sleeping machine) is no overload, and one good moment is no end of it: it begins
 * when the broker has been late by more than the limit for a whole period, and ends when it has been late by no more than half
 * of the limit for as long.
 */

import type { Clock, Timer } from '../core/clock.ts'
import type { Events } from '../core/events.ts'
import type { Logger } from './plugin-contract.ts'

export interface OverloadParts extends OverloadLimits {
  clock: Clock
  /** Milliseconds that only go forward, whatever becomes of the time of day. */
  uptime: () => number
  events: Events
  log: Logger
}

export interface OverloadLimits {
  /** How late is too late, in milliseconds; 0: nobody watches. */
  limitMs: number
  /** For how long, in milliseconds. */
  periodMs: number
}

/** How often it is looked, at most. */
const LOOK_MS = 100

export class OverloadWatch {
  #parts: OverloadParts
  #timer: Timer | null = null
  #dueAt = 0
  /** Since when it is as it would have to be for a change to be told; null: it is not. */
  #since: number | null = null
  /** When overload was told; null: there is none. */
  #toldAt: number | null = null
  #maxLagMs = 0

  constructor(parts: OverloadParts) {
    this.#parts = parts
  }

  start(): void {
    const { clock, uptime, limitMs, periodMs } = this.#parts
    if (limitMs === 0) return
    const lookMs = Math.min(LOOK_MS, periodMs / 4)
    this.#dueAt = uptime() + lookMs
    this.#timer = clock.after(lookMs, () => {
      this.#look(uptime())
      this.start()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Watch by other limits, if it watches at all; what has begun is told the end of by these. */
  change(limits: OverloadLimits): void {
    this.#parts = { ...this.#parts, ...limits }
    this.#since = null
    this.stop()
    this.start()
  }

  #look(now: number): void {
    const { limitMs, periodMs } = this.#parts
    const lagMs = now - this.#dueAt
    const late = this.#toldAt === null && lagMs > limitMs
    const inTime = this.#toldAt !== null && lagMs <= limitMs / 2
    if (late || this.#toldAt !== null) this.#maxLagMs = Math.max(this.#maxLagMs, Math.round(lagMs))
    else this.#maxLagMs = 0
    if (!late && !inTime) {
      this.#since = null
      return
    }
    this.#since ??= late ? this.#dueAt : now
    if (now - this.#since < periodMs) return
    this.#since = null
    if (late) this.#begin(now)
    else this.#end(now)
  }

  #begin(now: number): void {
    const { events, log, limitMs } = this.#parts
    this.#toldAt = now
    const data = { lagMs: this.#maxLagMs, limitMs }
    log.warn(data, 'the broker is overloaded: what clients send waits')
    events.emit('broker.overloaded', data)
  }

  #end(now: number): void {
    const { events, log } = this.#parts
    const data = { durationMs: Math.round(now - this.#toldAt!), maxLagMs: this.#maxLagMs }
    this.#toldAt = null
    log.info(data, 'the broker is in time again')
    events.emit('broker.relieved', data)
  }
}
