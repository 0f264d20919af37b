/**
 * How many bytes of payload a queue holds, for `maxBytes`. What was in the store at the start has to be read to be known,
 * piece by piece while messages go: one that goes before it was read was never counted, and must not be taken off.
 */

import type { LogEntry } from '../../../src/plugin.ts'

/** Ids from `next` up to, and without, `end` have not been read. */
interface Range {
  next: number
  end: number
}

export class ByteCount {
  total = 0
  /** One for each log that was found; they do not overlap. */
  readonly #unread: Range[] = []
  #reading = false
  /** While a piece is being read: what has gone meanwhile. */
  readonly #gone = new Set<number>()

  /** Whether something is left to be read. */
  get unknown(): boolean {
    return this.#unread.length > 0
  }

  /** A piece is going to be read. Returns from where on. */
  beginRead(): number {
    this.#reading = true
    return this.#unread[0]!.next
  }

  /** Messages with these ids are in the store, of unknown size. */
  restore(firstId: number, nextId: number): void {
    if (firstId < nextId) this.#unread.push({ next: firstId, end: nextId })
  }

  add(bytes: number): void {
    this.total += bytes
  }

  remove(id: number, bytes: number): void {
    if (this.#unread.length === 0 || !this.#isUnread(id)) this.total -= bytes
    else if (this.#reading) this.#gone.add(id)
  }

  /** The piece that was read; empty: there is nothing left of this log. */
  found(entries: readonly LogEntry[]): void {
    const range = this.#unread[0]
    if (range === undefined) return
    for (const { id, message } of entries) {
      if (id < range.end && !this.#gone.has(id)) this.total += message.payloadLength
    }
    range.next = entries.length === 0 ? range.end : entries.at(-1)!.id + 1
    if (range.next >= range.end) this.#unread.shift()
    this.#endRead()
  }

  /** What is left has so many bytes, and nothing is to be read. */
  reset(bytes: number): void {
    this.total = bytes
    this.#unread.length = 0
    this.#endRead()
  }

  #endRead(): void {
    this.#reading = false
    this.#gone.clear()
  }

  #isUnread(id: number): boolean {
    for (let i = 0; i < this.#unread.length; i++) {
      const { next, end } = this.#unread[i]!
      if (id >= next && id < end) return true
    }
    return false
  }
}
