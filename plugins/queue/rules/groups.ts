/**
 * Groups: of the messages of one group only one is on its way at a time, be it ready again, in a consumer's hands or
 * resting; the others of it that come up are set aside until it has left the queue. So their order is that of the queue,
 * through redeliveries too, and other groups pass by.
 *
 * What is set aside is in memory, so it is bounded: beyond that the queue goes no further until a group moves on.
 */

import { laneOf, PRIORITIES } from '../records/queue-log.ts'
import type { Entry } from './consumer.ts'
import { LinkedList } from './linked-list.ts'

/** How far a queue looks ahead of groups that do not move. */
const LOOK_AHEAD_MESSAGES = 10_000
const LOOK_AHEAD_BYTES = 16 * 1024 * 1024

interface Group {
  /** The one that is on its way. */
  current: Entry
  /** Set aside, by priority. */
  readonly waiting: Array<LinkedList<Entry> | undefined>
}

export class Groups {
  /** How many are set aside. */
  length = 0
  #bytes = 0
  /** Those of which a message is on its way. */
  readonly #groups = new Map<string, Group>()

  /** Whether no more should be set aside. */
  get full(): boolean {
    return this.length >= LOOK_AHEAD_MESSAGES || this.#bytes >= LOOK_AHEAD_BYTES
  }

  /** Whether it is the turn of this message of a group; else it is set aside. */
  admits(entry: Entry): boolean {
    const group = this.#groups.get(entry.group!)
    if (group === undefined) {
      this.#groups.set(entry.group!, { current: entry, waiting: [] })
      return true
    }
    if (group.current === entry) return true
    const lane = laneOf(entry.id)
    group.waiting[lane] ??= new LinkedList()
    group.waiting[lane].push(entry)
    this.length++
    this.#bytes += entry.bytes
    return false
  }

  /** A message of a group is in a consumer's hands without having been admitted: since before a restart. */
  occupy(entry: Entry): void {
    if (!this.#groups.has(entry.group!)) this.#groups.set(entry.group!, { current: entry, waiting: [] })
  }

  /** A message of a group has left the queue. Returns the next of its group, which is on its way now; null: none. */
  left(entry: Entry): Entry | null {
    const group = this.#groups.get(entry.group!)
    if (group?.current !== entry) return null
    const next = this.#take(group)
    if (next === null) this.#groups.delete(entry.group!)
    else group.current = next
    return next
  }

  /** Take one out that is set aside; of any group, the first of its lowest priority. Null: none is. */
  takeAny(): Entry | null {
    if (this.length === 0) return null
    for (const { waiting } of this.#groups.values()) {
      for (const list of waiting) if (list?.first) return this.#remove(list.first)
    }
    return null
  }

  /** Take this one out, if it is set aside. */
  remove(entry: Entry): boolean {
    const group = this.#groups.get(entry.group!)
    if (entry.list === null || group?.waiting[laneOf(entry.id)] !== entry.list) return false
    this.#remove(entry)
    return true
  }

  /** Forget all that are set aside. Returns them. */
  clear(): Entry[] {
    const cleared: Entry[] = []
    for (let entry = this.takeAny(); entry !== null; entry = this.takeAny()) cleared.push(entry)
    return cleared
  }

  #take({ waiting }: Group): Entry | null {
    for (let lane = PRIORITIES - 1; lane >= 0; lane--) {
      const first = waiting[lane]?.first
      if (first) return this.#remove(first)
    }
    return null
  }

  #remove(entry: Entry): Entry {
    entry.list!.remove(entry)
    this.length--
    this.#bytes -= entry.bytes
    return entry
  }
}
