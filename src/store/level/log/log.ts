/** One log: its packs, which of them is being filled, how many entries it holds. What it changes, it writes. */

import type { LogSummary, StoredMessage } from '../../store.ts'
import type { Commit } from '../commit.ts'
import { type LogKeys, type LogSpace, logKeys, packKey } from '../keys.ts'
import type { Ids } from './ids.ts'
import { Pack, type PackOwner } from './pack.ts'
import type { PackMarks } from './pack-codec.ts'
import { PackTable } from './pack-table.ts'

/** A pack as a reader meets it. `bytes` is null when they are on disk, under `key`. */
export interface PackView {
  first: number
  count: number
  bytes: Buffer | null
  key: string
}

export class Log implements PackOwner {
  readonly space: LogSpace
  readonly name: string
  readonly keys: LogKeys
  readonly commit: Commit
  readonly #ids: Ids
  readonly #table = new PackTable()
  #tail: Pack | null = null
  #count = 0
  #nextId: number

  constructor(space: LogSpace, name: string, commit: Commit, ids: Ids) {
    this.space = space
    this.name = name
    this.keys = logKeys(space, name)
    this.commit = commit
    this.#ids = ids
    this.#nextId = ids.floor
  }

  get count(): number {
    return this.#count
  }

  get nextId(): number {
    return this.#nextId
  }

  summary(): LogSummary {
    return { name: this.name, count: this.#count, firstId: this.#firstId(), nextId: this.#nextId }
  }

  append(entry: StoredMessage): number {
    const id = this.#nextId
    this.#ids.reserve(id)
    this.#open(id).append(entry)
    this.#nextId = id + 1
    this.#count++
    return id
  }

  remove(id: number): void {
    const index = this.#table.find(id)
    if (index < 0) return
    const pack = this.#pack(index)
    if (!pack.remove(id - pack.first)) return
    this.#count--
    // One that is still being filled stays: what comes next in this turn goes into it.
    if (pack.remaining === 0 && (pack.sealed || pack !== this.#tail)) this.#table.drop(index)
  }

  removeRange(from: number, to: number): void {
    const table = this.#table
    for (let at = from; ; ) {
      let index = Math.max(table.lastUpTo(at), table.head)
      if (index < table.end && this.#endOf(index) <= at) index++
      if (index >= table.end || table.first(index) >= to) return
      at = Math.max(this.#endOf(index), table.first(index) + 1)
      this.#removeWithin(index, from, to)
    }
  }

  mark(id: number, mark: number): void {
    const index = this.#table.find(id)
    if (index < 0) return
    const pack = this.#pack(index)
    pack.mark(id - pack.first, mark)
  }

  clear(): void {
    for (let index = this.#table.head; index < this.#table.end; index++) {
      const slot = this.#table.slot(index)
      if (typeof slot !== 'number') slot.removeAll()
      else if (slot > 0) this.commit.del(packKey(this.keys, this.#table.first(index), slot))
    }
    this.#table.clear()
    this.#tail = null
    this.#count = 0
  }

  /** The packs that hold the next entries from `fromId` on: enough for `limit` of them, if there are so many. */
  packsFrom(fromId: number, limit: number): PackView[] {
    const views: PackView[] = []
    const table = this.#table
    let wanted = limit
    for (let index = Math.max(table.lastUpTo(fromId), table.head); index < table.end && wanted > 0; index++) {
      const first = table.first(index)
      const slot = table.slot(index)
      const count = typeof slot === 'number' ? slot : slot.count
      const remaining = typeof slot === 'number' ? slot : slot.remaining
      if (remaining === 0 || first + count <= fromId) continue
      const bytes = typeof slot === 'number' ? null : slot.bytes
      views.push({ first, count, bytes, key: bytes === null ? packKey(this.keys, first, count) : '' })
      // Of the first pack, an unknown number may be before `fromId`.
      if (first >= fromId) wanted -= remaining
    }
    return views
  }

  /** The entry's mark, or -1 when there is no such entry. */
  markOf(id: number): number {
    const index = this.#table.find(id)
    if (index < 0) return -1
    const slot = this.#table.slot(index)
    if (typeof slot === 'number') return 0
    return slot.holds(id - slot.first) ? slot.markOf(id - slot.first) : -1
  }

  /** A pack that was found on disk. They are found in order. */
  restore(first: number, count: number): void {
    this.#table.push(first, count)
    this.#count += count
  }

  /** The count of a pack that was found on disk; 0 when there is none. */
  restored(first: number): number {
    const index = this.#table.find(first)
    return index < 0 ? 0 : (this.#table.slot(index) as number)
  }

  restoreMarks(first: number, marks: PackMarks): void {
    const index = this.#table.find(first)
    const count = this.#table.slot(index) as number
    const pack = Pack.stored(this, first, count, marks)
    this.#table.set(index, pack)
    this.#count -= count - pack.remaining
  }

  discard(pack: Pack): void {
    const index = this.#placeOf(pack)
    if (index >= 0) this.#table.drop(index)
  }

  reduce(pack: Pack): void {
    const index = this.#placeOf(pack)
    if (index >= 0) this.#table.set(index, pack.count)
  }

  #endOf(index: number): number {
    const slot = this.#table.slot(index)
    return this.#table.first(index) + (typeof slot === 'number' ? slot : slot.count)
  }

  /** Of one pack, what is in the range. The places of others may change. */
  #removeWithin(index: number, from: number, to: number): void {
    const first = this.#table.first(index)
    const end = this.#endOf(index)
    const slot = this.#table.slot(index)
    const open = typeof slot !== 'number' && (!slot.sealed || slot === this.#tail)
    if (open || first < from || end > to) {
      for (let id = Math.max(first, from); id < Math.min(end, to); id++) this.remove(id)
      return
    }
    this.#count -= typeof slot === 'number' ? slot : slot.remaining
    if (typeof slot !== 'number') slot.removeAll()
    else if (slot > 0) this.commit.del(packKey(this.keys, first, slot))
    this.#table.drop(index)
  }

  /** The pack to append to. */
  #open(id: number): Pack {
    const tail = this.#tail
    if (tail === null || tail.sealed || tail.full) {
      const pack = Pack.open(this, id)
      this.#tail = pack
      this.#table.push(id, pack)
      return pack
    }
    if (tail.remaining === 0) {
      tail.restart(id)
      this.#table.moveLast(id)
    }
    return tail
  }

  #pack(index: number): Pack {
    const slot = this.#table.slot(index)
    if (typeof slot !== 'number') return slot
    const pack = Pack.stored(this, this.#table.first(index), slot)
    this.#table.set(index, pack)
    return pack
  }

  #placeOf(pack: Pack): number {
    const index = this.#table.lastUpTo(pack.first)
    return index >= this.#table.head && this.#table.slot(index) === pack ? index : -1
  }

  #firstId(): number {
    for (let index = this.#table.head; index < this.#table.end; index++) {
      const slot = this.#table.slot(index)
      if (typeof slot === 'number' ? slot > 0 : slot.remaining > 0) {
        return typeof slot === 'number' ? this.#table.first(index) : slot.firstRemaining
      }
    }
    return this.#nextId
  }
}
