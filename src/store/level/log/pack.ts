/**
 * A pack: the messages that were appended to one log in one batch, as one value in the database, so that a message does
 * not cost a key of its own. Its messages are removed one by one; with the last one the pack goes.
 *
 * It holds the messages' bytes until they are on disk. Then only a pack of which something was removed or marked stays
 * an object; of an untouched one the table keeps a number (see pack-table.ts).
 */

import { encodeRecord, recordBound } from '../../record.ts'
import type { StoredMessage } from '../../store.ts'
import type { Commit, Part } from '../commit.ts'
import { type LogKeys, marksKey, packKey } from '../keys.ts'
import type { Operations } from '../operations.ts'
import { encodeMarks, hasBit, LENGTH_BYTES, PACK_BYTES, PACK_ENTRIES, type PackMarks, setBit } from './pack-codec.ts'

/** The log that a pack belongs to. */
export interface PackOwner {
  readonly keys: LogKeys
  readonly commit: Commit
  /** All was taken back before it was written: forget the pack. */
  discard(pack: Pack): void
  /** The pack is on disk and untouched: its count is all there is to know. */
  reduce(pack: Pack): void
}

export class Pack implements Part {
  readonly #owner: PackOwner
  #first: number
  #count: number
  #remaining: number
  /** Until the pack is written: its value. */
  #bytes: Buffer | null = null
  #length = 0
  /** It has been in a batch; nothing is added to it any more. */
  #sealed: boolean
  #joined = false
  #removed: Uint8Array | null = null
  #marks: Map<number, number> | null = null
  /** The marks differ from those on disk; there may be marks on disk. */
  #marksChanged = false
  #marksWritten = false

  private constructor(owner: PackOwner, first: number, count: number) {
    this.#owner = owner
    this.#first = first
    this.#count = count
    this.#remaining = count
    this.#sealed = count > 0
  }

  /** A pack to be filled, from id `first` on. */
  static open(owner: PackOwner, first: number): Pack {
    return new Pack(owner, first, 0)
  }

  /** A pack that is on disk. */
  static stored(owner: PackOwner, first: number, count: number, marks?: PackMarks): Pack {
    const pack = new Pack(owner, first, count)
    if (marks !== undefined) pack.#restore(marks)
    return pack
  }

  get first(): number {
    return this.#first
  }

  /** How many entries it was made of. */
  get count(): number {
    return this.#count
  }

  get remaining(): number {
    return this.#remaining
  }

  get sealed(): boolean {
    return this.#sealed
  }

  get full(): boolean {
    return this.#count >= PACK_ENTRIES || this.#length >= PACK_BYTES
  }

  /** Its value as far as it is not on disk yet; null: read it there. */
  get bytes(): Buffer | null {
    return this.#bytes === null ? null : this.#bytes.subarray(0, this.#length)
  }

  get firstRemaining(): number {
    let index = 0
    while (index < this.#count && !this.holds(index)) index++
    return this.#first + index
  }

  holds(index: number): boolean {
    return this.#remaining > 0 && (this.#removed === null || !hasBit(this.#removed, index))
  }

  markOf(index: number): number {
    return this.#marks?.get(index) ?? 0
  }

  append(entry: StoredMessage): void {
    const bytes = this.#room(LENGTH_BYTES + recordBound(entry))
    const start = this.#length + LENGTH_BYTES
    const end = encodeRecord(entry, bytes, start)
    bytes.writeUInt32BE(end - start, this.#length)
    const added = end - this.#length
    this.#length = end
    this.#count++
    this.#remaining++
    this.#join()
    this.#owner.commit.grow(added)
  }

  /** All that it had was taken back before it was written: begin again, at `first`. */
  restart(first: number): void {
    this.#first = first
    this.#count = 0
    this.#length = 0
    this.#removed = null
    this.#marks = null
    this.#marksChanged = false
  }

  /** Returns whether it was there. */
  remove(index: number): boolean {
    if (!this.holds(index)) return false
    this.#remaining--
    if (this.#remaining > 0) {
      this.#removed ??= new Uint8Array(((this.#sealed ? this.#count : PACK_ENTRIES) + 7) >> 3)
      setBit(this.#removed, index)
      this.#marks?.delete(index)
      this.#marksChanged = true
    }
    this.#join()
    return true
  }

  mark(index: number, mark: number): void {
    if (!this.holds(index)) return
    this.#marks ??= new Map()
    this.#marks.set(index, mark)
    this.#marksChanged = true
    this.#join()
  }

  removeAll(): void {
    this.#remaining = 0
    this.#join()
  }

  seal(operations: Operations): void {
    const { keys } = this.#owner
    this.#joined = false
    if (this.#remaining === 0) {
      if (this.#sealed) operations.del(packKey(keys, this.#first, this.#count))
      else this.#owner.discard(this)
      if (this.#marksWritten) operations.del(marksKey(keys, this.#first))
    } else {
      if (this.#bytes !== null) operations.put(packKey(keys, this.#first, this.#count), this.bytes!)
      if (this.#marksChanged) {
        operations.put(marksKey(keys, this.#first), encodeMarks(this.#count, this.#removed, this.#marks))
        this.#marksChanged = false
        this.#marksWritten = true
      }
    }
    this.#sealed = true
  }

  written(): void {
    this.#bytes = null
    if (this.#remaining === this.#count && this.#marks === null) this.#owner.reduce(this)
  }

  #join(): void {
    if (this.#joined) return
    this.#joined = true
    this.#owner.commit.join(this)
  }

  #room(needed: number): Buffer {
    const bytes = this.#bytes
    if (bytes !== null && bytes.length - this.#length >= needed) return bytes
    const grown = Buffer.allocUnsafe(bytes === null ? needed : Math.max(2 * bytes.length, this.#length + needed))
    bytes?.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
    return grown
  }

  #restore({ removed, marks }: PackMarks): void {
    this.#removed = removed
    this.#marks = marks
    this.#marksWritten = true
    for (let index = 0; index < this.#count; index++) if (hasBit(removed, index)) this.#remaining--
  }
}
