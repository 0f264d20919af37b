/**
 * Messages that can be delivered now, in the order of their ids; the first of them in memory, the rest on disk.
 *
 * Those that came back stand apart: new ones are only ever appended, and one that came back because of a consumer goes to
 * another as long as there is another. Ids say the order, so whatever comes back is at the front again, in order.
 */

import type { LogEntry } from '../../src/plugin.ts'
import { Backlog, hasWindow, WINDOW_BYTES } from './backlog.ts'
import { Entry, type Seat } from './consumer.ts'
import { IdList } from './id-list.ts'

export class Ready {
  /** How many are in memory. */
  length = 0
  readonly backlog = new Backlog()
  /** Of the messages in memory that have not been delivered since they came there. */
  #freshBytes = 0
  readonly #fresh = new IdList<Entry>()
  readonly #returned = new IdList<Entry>()
  /** Returned ones by the seat that should not have them next. Empty lists are removed. */
  readonly #avoiding = new Map<Seat, IdList<Entry>>()

  /** Whether any message looks for somebody else. */
  get choosy(): boolean {
    return this.#avoiding.size > 0
  }

  /** Whether messages on disk are to be read. */
  get wantsRead(): boolean {
    return this.backlog.wantsRead(this.#fresh.length, this.#freshBytes)
  }

  /** A message, just committed. `consumed`: there is a consumer, so it is worth keeping more in memory. */
  add(entry: Entry, consumed: boolean): void {
    if (this.backlog.length === 0 && hasWindow(this.#fresh.length, this.#freshBytes, consumed)) {
      this.backlog.passed(entry.id)
      this.#push(entry)
    } else {
      this.backlog.left(entry.id)
    }
  }

  /** Messages that were read. Returns how many turned out to be missing from the log. */
  addRead(found: readonly LogEntry[]): number {
    let taken = 0
    for (const { id, message, mark } of found) {
      // Large ones may fill the memory; what is left is read again.
      if (taken > 0 && this.#freshBytes >= WINDOW_BYTES) break
      if (this.backlog.passesOver(id)) {
        taken++
        continue
      }
      const entry = new Entry(id, message, mark)
      if (!this.backlog.take(id, entry.bytes)) continue
      this.#push(entry)
      taken++
    }
    return this.backlog.endRead(taken)
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

  /** The next message for this seat. `alone`: nobody else is there, so it gets those as well that should avoid it. */
  take(seat: Seat, alone: boolean): Entry | null {
    if (this.length === 0) return null
    let best = this.#fresh
    if (this.#returned.length > 0 && this.#returned.firstId < best.firstId) best = this.#returned
    if (this.#avoiding.size > 0) best = this.#amongThoseAvoiding(seat, alone, best)
    if (best.firstId === Infinity) return null
    // After a restart one that came back may be from beyond what was read: what is on disk comes first, and is being read.
    if (this.backlog.length > 0 && best.firstId >= this.backlog.nextId) return null
    const entry = best.shift()!
    if (best === this.#fresh) this.#freshBytes -= entry.bytes
    this.length--
    return entry
  }

  /** A message that came back has left the queue from here: its late acknowledgement arrived. */
  forget(): void {
    this.length--
  }

  #push(entry: Entry): void {
    this.#fresh.push(entry)
    this.#freshBytes += entry.bytes
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
