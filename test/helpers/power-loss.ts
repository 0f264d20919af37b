/**
 * A database that loses its power: of the batches that no sync has covered any may survive, each whole or not at all.
 * LevelDB loses them from the end; here any of them may be lost, which is worse.
 */

import { MemoryLevel } from 'memory-level'
import type { Chain, Cursor, Database } from '../../src/store/level/database.ts'
import type { KeyRange } from '../../src/store/level/keys.ts'
import type { Chance } from './chance.ts'

type Batch = Array<[key: string, value: Buffer | null]>

export class PowerLossDatabase implements Database {
  readonly #chance: Chance
  readonly #level = new MemoryLevel<string, Buffer>({ keyEncoding: 'utf8', valueEncoding: 'buffer' })
  /** What no power loss can take away. */
  readonly #synced: Map<string, Buffer>
  /** What was handed over since the last sync, or is being. */
  #unsynced: Batch[] = []
  #off = false
  /** Batches that could have been lost, and those that were, over all power losses. */
  readonly tally: { atRisk: number; lost: number }

  private constructor(chance: Chance, content: Map<string, Buffer>, tally = { atRisk: 0, lost: 0 }) {
    this.#chance = chance
    this.#synced = content
    this.tally = tally
  }

  static empty(chance: Chance): PowerLossDatabase {
    return new PowerLossDatabase(chance, new Map())
  }

  /** From now on every write fails. Resolves with what is found when the power is back. */
  async powerOff(): Promise<PowerLossDatabase> {
    this.#off = true
    const content = new Map(this.#synced)
    const survives = this.#fate()
    this.tally.atRisk += this.#unsynced.length
    for (const [index, batch] of this.#unsynced.entries()) {
      if (survives(index)) apply(batch, content)
      else this.tally.lost++
    }
    const next = new PowerLossDatabase(this.#chance, content, this.tally)
    for (const [key, value] of content) await next.#level.put(key, value)
    return next
  }

  batch(): Chain {
    const batch: Batch = []
    return {
      get length() {
        return batch.length
      },
      put: (key: string, value: Buffer) => batch.push([key, Buffer.from(value)]),
      del: (key: string) => batch.push([key, null]),
      write: ({ sync }) => this.#write(batch, sync),
      close: async () => {},
    }
  }

  get(key: string): Promise<Buffer | undefined> {
    return this.#level.get(key)
  }

  getMany(keys: string[]): Promise<(Buffer | undefined)[]> {
    return this.#level.getMany(keys)
  }

  keys(range: KeyRange): Cursor<string> {
    return this.#level.keys(range)
  }

  iterator(range: KeyRange): Cursor<[string, Buffer]> {
    return this.#level.iterator(range)
  }

  async close(): Promise<void> {}

  async #write(batch: Batch, sync: boolean): Promise<void> {
    this.#check()
    this.#unsynced.push(batch)
    for (let turns = this.#chance.between(0, 6); turns > 0; turns--) await new Promise(setImmediate)
    this.#check()
    for (const [key, value] of batch) {
      if (value === null) await this.#level.del(key)
      else await this.#level.put(key, value)
    }
    this.#check()
    if (!sync) return
    for (const written of this.#unsynced) apply(written, this.#synced)
    this.#unsynced = []
  }

  #check(): void {
    if (this.#off) throw new Error('the power is off')
  }

  /** Which of the batches survive: none, all, the first ones, or any. */
  #fate(): (index: number) => boolean {
    const first = this.#chance.between(0, this.#unsynced.length)
    const fates = [() => false, () => true, (i: number) => i < first, () => this.#chance.between(0, 1) === 1]
    return fates[this.#chance.between(0, 3)]!
  }
}

function apply(batch: Batch, content: Map<string, Buffer>): void {
  for (const [key, value] of batch) {
    if (value === null) content.delete(key)
    else content.set(key, value)
  }
}
