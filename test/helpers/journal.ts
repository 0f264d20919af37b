/**
 * A disk for tests, as the list of what was written to it: each process has a database of its own, made from the list, and can
 * be killed at any write. What it does after that reaches nobody.
 */

import { MemoryLevel } from 'memory-level'
import type { Chain, Cursor, Database } from '../../src/store/level/database.ts'
import type { KeyRange } from '../../src/store/level/keys.ts'

interface Write {
  /** null: the key is removed. */
  readonly changes: ReadonlyArray<readonly [key: string, value: Buffer | null]>
  readonly sync: boolean
}

/** What becomes of the write at which a process is killed. */
export type Fate =
  /** It does not reach the disk. */
  | 'lost'
  /** It does, but nobody is told. */
  | 'written'
  /** The power goes: what was not synced before is lost too. */
  | 'power'

export class Journal {
  /** Writes so far, of all processes. */
  count = 0
  /** Kill the process at this write, counted from 1; null: let it live. */
  killAt: { write: number; fate: Fate } | null = null
  /** The process was killed. */
  onKilled: () => void = () => {}
  #writes: Write[] = []
  #process = 0

  /** The database of another process; the one before is dead. */
  async open(): Promise<Database> {
    const process = ++this.#process
    const level = new MemoryLevel<string, Buffer>({ keyEncoding: 'utf8', valueEncoding: 'buffer' })
    await level.open()
    for (const { changes } of this.#writes) await apply(level, changes)
    const alive = (): boolean => process === this.#process
    return {
      batch: () => this.#batch(level, alive),
      get: (key) => (alive() ? level.get(key) : never()),
      getMany: (keys) => (alive() ? level.getMany(keys) : never()),
      keys: (range: KeyRange): Cursor<string> => level.keys(range),
      iterator: (range: KeyRange): Cursor<[string, Buffer]> => level.iterator(range),
      close: () => Promise.resolve(),
    }
  }

  /** The process is gone. */
  kill(fate: Fate = 'lost'): void {
    this.#process++
    if (fate === 'power') this.#writes = this.#writes.slice(0, this.#writes.findLastIndex(({ sync }) => sync) + 1)
    this.onKilled()
  }

  #batch(level: MemoryLevel<string, Buffer>, alive: () => boolean): Chain {
    const changes: Array<[string, Buffer | null]> = []
    return {
      get length() {
        return changes.length
      },
      put: (key: string, value: Buffer) => changes.push([key, Buffer.from(value)]),
      del: (key: string) => changes.push([key, null]),
      write: async ({ sync }) => {
        if (!alive()) return never()
        const here = ++this.count === this.killAt?.write
        const { fate } = this.killAt ?? { fate: 'written' }
        if (!here || fate === 'written') this.#writes.push({ changes, sync })
        if (here) {
          this.kill(fate)
          return never()
        }
        await apply(level, changes)
        return alive() ? undefined : never()
      },
      close: () => Promise.resolve(),
    }
  }
}

async function apply(level: MemoryLevel<string, Buffer>, changes: Write['changes']): Promise<void> {
  const chain = level.batch()
  for (const [key, value] of changes) {
    if (value === null) chain.del(key)
    else chain.put(key, value)
  }
  await chain.write()
}

/** Nobody waits for the dead. */
function never<T>(): Promise<T> {
  return new Promise<T>(() => {})
}
