/** A database in memory that survives close(), counts what is written, and fails or waits when it is told to. */

import { MemoryLevel } from 'memory-level'
import { unsealed } from '../../src/store/level/checksum.ts'
import type { Chain, Cursor, Database } from '../../src/store/level/database.ts'
import type { KeyRange } from '../../src/store/level/keys.ts'

export interface WrittenBatch {
  keys: string[]
  sync: boolean
}

export class FakeDatabase implements Database {
  readonly #database = new MemoryLevel<string, Buffer>({ keyEncoding: 'utf8', valueEncoding: 'buffer' })
  readonly batches: WrittenBatch[] = []
  /** Writes fail while this is set, and after it until the database is opened anew, as LevelDB does. */
  failing = false
  /** How often it was to be opened anew. */
  reopens = 0
  #refuses = false
  #gate: Promise<void> = Promise.resolve()

  /** Writes wait from now on, until the returned function is called. */
  hold(): () => void {
    let release = (): void => {}
    this.#gate = new Promise<void>((resolve) => {
      release = resolve
    })
    return release
  }

  batch(): Chain {
    const chain = this.#database.batch()
    const keys: string[] = []
    return {
      get length() {
        return chain.length
      },
      put: (key: string, value: Buffer) => {
        keys.push(key)
        chain.put(key, value)
      },
      del: (key: string) => {
        keys.push(`-${key}`)
        chain.del(key)
      },
      write: async ({ sync }) => {
        this.batches.push({ keys, sync })
        await this.#gate
        if (this.failing || this.#refuses) {
          this.#refuses = true
          await chain.close()
          throw new Error('disk full')
        }
        await chain.write()
      },
      close: () => chain.close(),
    }
  }

  get(key: string): Promise<Buffer | undefined> {
    return this.#database.get(key)
  }

  getMany(keys: string[]): Promise<(Buffer | undefined)[]> {
    return this.#database.getMany(keys)
  }

  keys(range: KeyRange): Cursor<string> {
    return this.#database.keys(range)
  }

  iterator(range: KeyRange): Cursor<[string, Buffer]> {
    return this.#database.iterator(range)
  }

  /** What was written under the keys, without the checksums. */
  async values(...keys: string[]): Promise<(Buffer | undefined)[]> {
    const found = await this.#database.getMany(keys)
    return found.map((value, index) => (value === undefined ? undefined : unsealed(keys[index]!, value)))
  }

  put(key: string, value: Buffer): Promise<void> {
    return this.#database.put(key, value)
  }

  /** The disk loses a key that it had said to be safe. */
  lose(key: string): Promise<void> {
    return this.#database.del(key)
  }

  /** Every key of the store's data, for people: U+0000 as a blank. */
  async allKeys(): Promise<string[]> {
    const keys = await this.#database.keys().all()
    return keys.map((key) => key.replaceAll('\u0000', ' '))
  }

  async reopen(): Promise<void> {
    this.reopens++
    if (this.failing) throw new Error('disk full')
    this.#refuses = false
  }

  async close(): Promise<void> {}
}
