/**
 * How many bytes of payload a queue holds, for `maxBytes`. What was in the store at the start has to be read to be known,
 * piece by piece while messages go: one that goes before it was read was never counted, and must not be taken off.
 */

import type { LogEntry } from '../../src/plugin.ts'

export class ByteCount {
  total = 0
  /** Ids from here up to, and without, `#end` have not been read. */
  #next = 0
  #end = 0
  #reading = false
  /** While a piece is being read: what has gone meanwhile. */
  readonly #gone = new Set<number>()

  /** Whether something is left to be read. */
  get unknown(): boolean {
    return this.#next < this.#end
  }

  /** A piece is going to be read. Returns from where on. */
  beginRead(): number {
    this.#reading = true
    return this.#next
  }

  /** Messages with these ids are in the store, of unknown size. */
  restore(firstId: number, nextId: number): void {
    this.#next = firstId
    this.#end = nextId
  }

  add(bytes: number): void {
    this.total += bytes
  }

  remove(id: number, bytes: number): void {
    if (id < this.#next || id >= this.#end) this.total -= bytes
    else if (this.#reading) this.#gone.add(id)
  }

  /** The piece that was read; empty: there is nothing left to be read. */
  found(entries: readonly LogEntry[]): void {
    for (const { id, message } of entries)
      if (id < this.#end && !this.#gone.has(id)) this.total += message.payloadLength
    this.#next = entries.length === 0 ? this.#end : entries.at(-1)!.id + 1
    this.#reading = false
    this.#gone.clear()
  }

  /** Nothing is left. */
  clear(): void {
    this.total = 0
    this.#next = this.#end
    this.#gone.clear()
  }
}
