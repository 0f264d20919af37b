/**
 * Who is at a queue, and whose turn it is. Those found without room lose their turn, and wait for room at their consumer.
 * At an exclusive queue one has all the turns; the others stand by, and the next is who subscribed first of them.
 */

import type { Entry, Seat } from './consumer.ts'
import { LinkedList } from './linked-list.ts'

export class Seats {
  readonly all = new Set<Seat>()
  /** Seats whose consumer is active. */
  active = 0
  /** Active seats, in the order of their turns. */
  readonly #turns = new LinkedList<Seat>()
  #exclusive = false
  /** Who has all the turns, if it is exclusive and somebody is there. */
  #owner: Seat | null = null

  /** How many may be served. */
  get inTurn(): number {
    return this.#turns.length
  }

  /** What all of them have in hand. */
  *held(): Iterable<Entry> {
    for (const { held } of this.all) for (let entry = held.first; entry !== null; entry = entry.next) yield entry
  }

  activate(seat: Seat): void {
    this.active++
    this.#admit(seat)
  }

  deactivate(seat: Seat): void {
    this.active--
    seat.list?.remove(seat)
    if (seat !== this.#owner) return
    this.#owner = null
    for (const other of this.all) if (other !== seat && other.consumer.active) this.#admit(other)
  }

  /** Whether one at a time has all the turns, from now on. */
  change(exclusive: boolean): void {
    if (exclusive === this.#exclusive) return
    this.#exclusive = exclusive
    this.#owner = null
    for (const seat of this.all) {
      if (!seat.consumer.active) continue
      seat.list?.remove(seat)
      this.#admit(seat)
    }
  }

  /** Whether somebody has room. */
  get hungry(): boolean {
    const seat = this.next()
    if (seat !== null) this.#turns.unshift(seat)
    return seat !== null
  }

  /** Whose turn it is. Tell with `served` or `unserved` what became of it. */
  next(): Seat | null {
    for (let seat = this.#turns.shift(); seat !== null; seat = this.#turns.shift()) {
      if (seat.consumer.hasRoom) return seat
      seat.consumer.wait(seat)
    }
    return null
  }

  /** It got a message: its next turn is after all others. */
  served(seat: Seat): void {
    if (seat.consumer.hasRoom) this.#turns.push(seat)
    else seat.consumer.wait(seat)
  }

  /** There was nothing for it. */
  unserved(seat: Seat): void {
    this.#turns.push(seat)
  }

  /** Its consumer has room again: it takes its turn after all others. */
  makeRoom(seat: Seat): void {
    seat.list?.remove(seat)
    this.#turns.push(seat)
  }

  /** Whether no other session consumes here now. */
  isAlone(seat: Seat): boolean {
    if (this.#exclusive) return true
    for (const { consumer } of this.all) {
      if (consumer.active && consumer.session !== seat.consumer.session) return false
    }
    return true
  }

  #admit(seat: Seat): void {
    if (this.#exclusive && this.#owner !== null) return
    if (this.#exclusive) this.#owner = seat
    this.#turns.push(seat)
  }
}
