/**
 * Ids that are never given out twice in a log, not even after it was empty, forgotten and made again, or after a restart.
 * Each log counts by itself, so that the ids in a pack have no gaps; what they share is a limit that all ids so far are
 * below. It is reserved a million at a time, in the batch of the first entry beyond it. A restart counts on from it.
 */

import { unsealed } from '../checksum.ts'
import type { Commit } from '../commit.ts'
import type { Damage } from '../damage.ts'
import { type Database, visit } from '../database.ts'
import { IDS_KEY, type LogSpace, parsePackKey, rangeOf } from '../keys.ts'

const BLOCK = 1_000_000

/** Five years of 200,000 a second, and 1/256 of what an id can be: as far beyond what is known when the limit is not. */
const LEAP = 2 ** 45

export interface IdsParts {
  database: Database
  commit: Commit
  damage: Damage
}

export class Ids {
  readonly #commit: Commit
  #limit: number
  #floor: number

  private constructor(commit: Commit, limit: number) {
    this.#commit = commit
    this.#limit = limit
    this.#floor = limit
  }

  static async open({ database, commit, damage }: IdsParts): Promise<Ids> {
    const found = await database.get(IDS_KEY)
    if (found === undefined) return new Ids(commit, 1)
    try {
      return new Ids(commit, Number(unsealed(IDS_KEY, found).toString()))
    } catch (cause) {
      damage.keep(IDS_KEY, found)
      damage.tell(
        'The limit of all ids cannot be read: set aside. Ids go on far beyond the highest that is in use.',
        cause,
      )
      return new Ids(commit, (await highestId(database)) + LEAP)
    }
  }

  /** Where a log that is not known begins. */
  get floor(): number {
    return this.#floor
  }

  /** `id` is about to be used. */
  reserve(id: number): void {
    if (id < this.#limit) return
    this.#limit = id + BLOCK
    this.#commit.put(IDS_KEY, Buffer.from(String(this.#limit)))
  }

  /** A log is forgotten that would have given out `nextId` next. */
  retire(nextId: number): void {
    if (nextId > this.#floor) this.#floor = nextId
  }
}

async function highestId(database: Database): Promise<number> {
  let highest = 0
  for (const space of ['queue', 'outgoing'] satisfies LogSpace[]) {
    await visit(database.keys(rangeOf(space)), (key) => {
      highest = Math.max(highest, parsePackKey(space, key)?.first ?? 0)
    })
  }
  return highest
}
