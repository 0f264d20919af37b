/**
 * Messages that can be delivered now, in the order of their ids; the first of them in memory, the rest on disk.
 *
 * Those that came back stand apart: new ones are only ever appended, and one that came back because of a consumer goes to
 * another as long as there is another. Ids say the order, so whatever comes back is at the front again, in order.
 */

import type { LogEntry } from '../../../src/plugin.ts'
import { groupOf } from '../records/instructions.ts'
import { Backlog, hasWindow, type Reading, WINDOW_BYTES } from './backlog.ts'
import type { Budget } from './budget.ts'
import { Entry, type Seat } from './consumer.ts'
import { IdList } from './id-list.ts'

export class Ready {
  /** How many are in memory. */
  length = 0
  readonly backlog: Backlog
  readonly #budget: Budget
  /** Of the messages in memory that have not been delivered since they came there. */
  #freshBytes = 0
  readonly #fresh = new IdList<Entry>()
  readonly #returned = new IdList<Entry>()
  /** Returned ones by the seat that should not have them next. Empty lists are removed. */
  readonly #avoiding = new Map<Seat, IdList<Entry>>()

  /** @param firstId below all ids to come */
  constructor(firstId: number, budget: Budget) {
    this.#budget = budget
    this.backlog = new Backlog(firstId, budget)
  }

  /** Whether any message looks for somebody else. */
  get choosy(): boolean {
    return this.#avoiding.size > 0
  }

  /** As Backlog.wantsRead(). */
  wantsRead(hungry: () => boolean): Reading {
    return this.backlog.wantsRead(this.#fresh.length, this.#freshBytes, hungry)
  }

  /** A message, just committed. `consumed`: there is a consumer, so it is worth keeping more in memory. */
  add(entry: Entry, consumed: boolean): void {
    if (this.backlog.length === 0 && hasWindow(this.#fresh.length, this.#freshBytes, consumed, this.#budget)) {
      this.backlog.passed(entry.id)
      this.#push(entry)
    } else {
      this.backlog.left(entry.id)
    }
  }

  /**
   * Messages that were read. Returns how many turned out to be missing from the log.
   * @param grouped whether their groups matter
   */
  addRead(found: readonly LogEntry[], grouped: boolean): number {
    let taken = 0
    for (const { id, message, mark } of found) {
      // Large ones may fill the memory; what is left is read again.
      if (taken > 0 && (this.#freshBytes >= WINDOW_BYTES || this.#budget.used > this.#budget.limit)) break
      const entry = new Entry(id, message, mark, grouped ? groupOf(message) : null)
      if (!this.backlog.take(id, entry.bytes)) continue
      this.#push(entry)
      taken++
    }
    return this.backlog.endRead()
  }

  /** A message that comes back; not to `entry.avoid`, if that is not null. */
  giveBack(entry: Entry): void {
    this.length++
    const { avoid } = entry
    if (avoid === null) {
      this.#returned.push(entry)
      return
    }
    let list = this.#avoiding.get(avoid)
    if (list === undefined) {
      list = new IdList()
      this.#avoiding.set(avoid, list)
    }
    list.push(entry)
  }

  /**
   * The next message for this seat. `alone`: nobody else is there, so it gets those as well that should avoid it.
   * `fresh`: one that never was on its way will do, too.
   */
  take(seat: Seat, alone: boolean, fresh: boolean): Entry | null {
    if (this.length === 0) return null
    let best = fresh ? this.#fresh : this.#returned
    if (this.#returned.length > 0 && this.#returned.firstId < best.firstId) best = this.#returned
    if (this.#avoiding.size > 0) best = this.#amongThoseAvoiding(seat, alone, best)
    return fresh && this.#isBeyondRead(best) ? null : this.#takeFrom(best)
  }

  /** The first of all, whoever should not have it; null when none is in memory. */
  takeOldest(): Entry | null {
    const oldest = this.#oldest
    return oldest === null ? null : this.#takeFrom(oldest)
  }

  /** When the first of all expires, in milliseconds since the epoch; Infinity: never, or none is in memory. */
  get firstExpiresAt(): number {
    return this.#oldest?.first?.message.expiresAt || Infinity
  }

  /** Whether the first of all is on disk only. */
  get firstIsOnDisk(): boolean {
    return this.#oldest === null
  }

  /** The list that has the first of all; null: that one is on disk only. */
  get #oldest(): IdList<Entry> | null {
    let best = this.#fresh
    if (this.#returned.firstId < best.firstId) best = this.#returned
    for (const list of this.#avoiding.values()) if (list.firstId < best.firstId) best = list
    return this.#isBeyondRead(best) ? null : best
  }

  /** After a restart one that came back may be from beyond what was read: what is on disk comes first, and is read first. */
  #isBeyondRead({ firstId }: IdList<Entry>): boolean {
    return this.backlog.length > 0 && firstId >= this.backlog.nextId
  }

  #takeFrom(best: IdList<Entry>): Entry | null {
    if (best.firstId === Infinity) return null
    const entry = best.shift()!
    if (best === this.#fresh) this.#unload(entry.bytes)
    this.length--
    return entry
  }

  /** So many bytes are not in memory any more, or are in somebody's hands. */
  #unload(bytes: number): void {
    this.#freshBytes -= bytes
    this.#budget.used -= bytes
  }

  /** The message with this id, if it is here: it is gone. Null: it was on disk only; undefined: it is not here. */
  extract(id: number): Entry | null | undefined {
    if (this.backlog.extract(id)) return null
    for (const list of [this.#fresh, this.#returned, ...this.#avoiding.values()]) {
      const entry = list.find(id)
      if (entry === undefined || entry.gone) continue
      entry.gone = true
      if (list === this.#fresh) this.#unload(entry.bytes)
      this.length--
      return entry
    }
    return undefined
  }

  /** All are gone. Returns those that were in memory; `backlog.clear()` says which were not. */
  clear(): Entry[] {
    const entries = [this.#fresh, this.#returned, ...this.#avoiding.values()].flatMap((list) => list.takeAll())
    this.#avoiding.clear()
    this.#unload(this.#freshBytes)
    this.length = 0
    return entries
  }

  /** A message that came back has left the queue from here: its late acknowledgement arrived. */
  forget(): void {
    this.length--
  }

  #push(entry: Entry): void {
    this.#fresh.push(entry)
    const { bytes } = entry
    this.#freshBytes += bytes
    this.#budget.used += bytes
    this.length++
  }

  #amongThoseAvoiding(seat: Seat, alone: boolean, best: IdList<Entry>): IdList<Entry> {
    for (const [avoided, list] of this.#avoiding) {
      const { firstId } = list
      if (firstId === Infinity) this.#avoiding.delete(avoided)
      else if ((alone || avoided.consumer.session !== seat.consumer.session) && firstId < best.firstId) best = list
    }
    return best
  }
}
