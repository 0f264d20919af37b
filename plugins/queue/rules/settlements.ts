/**
 * What becomes of messages in consumers' hands: acknowledged, refused, timed out, lost or left behind; so they leave the
 * queue, or come back to be delivered again. Nothing is delivered here: whoever calls pumps afterwards.
 *
 * A settlement in time is by the seat that holds the message. One that is late, for the message timed out or its consumer
 * unsubscribed, counts only while nobody has it.
 */

import type { Settlement } from '../../../src/plugin.ts'
import type { Alarm } from './alarm.ts'
import { backoffDelay } from './backoff.ts'
import type { Entry, Seat } from './consumer.ts'
import type { Contents } from './contents.ts'
import type { Effects, ReturnReason, Rules } from './effects.ts'

/** PUBACK/PUBREC with one of these: this message will never do (not authorized, topic invalid, payload invalid). */
const REJECTIONS: readonly number[] = [0x87, 0x90, 0x99]

export interface SettlementsParts {
  /** As they are now: they change in place. */
  rules: Readonly<Rules>
  contents: Contents
  alarm: Alarm
  effects: Effects
}

export class Settlements {
  readonly #rules: Readonly<Rules>
  readonly #contents: Contents
  readonly #alarm: Alarm
  readonly #effects: Effects

  constructor({ rules, contents, alarm, effects }: SettlementsParts) {
    this.#rules = rules
    this.#contents = contents
    this.#alarm = alarm
    this.#effects = effects
  }

  /** By the seat that has the message. */
  inTime(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number, now: number): void {
    const { consumer } = seat
    seat.letGo(entry)
    if (settlement === 'acknowledged') {
      if (consumer.late > 0) consumer.caughtUp()
      this.#contents.done(entry, seat)
    } else if (settlement === 'lost') {
      this.#comeBack(entry, seat, 'consumer-gone', null)
    } else if (this.#isRejection(reasonCode)) {
      this.#contents.die(entry, 'rejected')
    } else {
      // One that is too large for this consumer may not be so for another.
      consumer.caughtUp()
      entry.dueAt = now + backoffDelay(this.#rules.backoff, entry.deliveries, entry.id)
      this.#comeBack(entry, seat, 'refused', seat)
    }
  }

  /** By a seat that has it no longer. */
  late(seat: Seat, entry: Entry, settlement: Settlement, reasonCode: number): void {
    seat.consumer.settledLate()
    if (entry.gone || entry.holder !== null) return
    const rejected = settlement === 'refused' && this.#isRejection(reasonCode)
    if (settlement !== 'acknowledged' && !rejected) return
    if (this.#contents.resting.take(entry.id) === undefined) this.#contents.waiting.forget(entry)
    if (rejected) this.#contents.die(entry, 'rejected')
    else this.#contents.done(entry, seat)
  }

  /** What a seat has had for too long comes back. */
  timeOut(seat: Seat, now: number): void {
    const deadline = now - this.#rules.ackTimeoutMs
    for (let entry = seat.held.first; entry !== null && entry.since <= deadline; entry = seat.held.first) {
      seat.consumer.timedOut()
      this.#withdraw(entry, seat)
      this.#comeBack(entry, seat, 'timeout', seat)
    }
  }

  /** All that a seat has comes back: it is no more. */
  leave(seat: Seat): void {
    for (let entry = seat.held.first; entry !== null; entry = seat.held.first) {
      this.#withdraw(entry, seat)
      this.#comeBack(entry, seat, 'consumer-gone', null)
    }
  }

  /** All that a seat has is gone. Returns how many messages that were. */
  takeBack(seat: Seat, gone: (entry: Entry) => void): number {
    const count = seat.held.length
    for (let entry = seat.held.first; entry !== null; entry = seat.held.first) {
      this.#withdraw(entry, seat)
      gone(entry)
      this.#contents.remove(entry)
    }
    return count
  }

  #withdraw(entry: Entry, seat: Seat): void {
    seat.letGo(entry)
    this.#effects.withdraw(entry, seat)
  }

  /** What was held comes back: to be delivered again, after its backoff if it has one, or it was the last time. */
  #comeBack(entry: Entry, seat: Seat, reason: ReturnReason, avoid: Seat | null): void {
    if (entry.deliveries >= this.#rules.maxDeliveries) {
      this.#contents.die(entry, 'max-deliveries')
      return
    }
    this.#effects.returned(entry, seat, reason)
    entry.avoid = avoid
    if (entry.dueAt === 0) {
      this.#contents.waiting.giveBack(entry)
    } else {
      this.#contents.resting.push(entry)
      this.#alarm.set(entry.dueAt)
    }
  }

  /** Where nothing is given up, it is a refusal like any other. */
  #isRejection(reasonCode: number): boolean {
    return this.#rules.maxDeliveries < Infinity && REJECTIONS.includes(reasonCode)
  }
}
