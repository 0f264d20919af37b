/**
 * Ids that are never given out twice in a log, not even after it was empty, forgotten and made again, or after a restart.
 * Each log counts by itself, so that the ids in a pack have no gaps; what they share is a limit that all ids so far are
 * below. It is reserved a million at a time, in the batch of the first entry beyond it. A restart counts on from it.
 */

import type { Commit } from './commit.ts'
import { IDS_KEY } from './keys.ts'

const BLOCK = 1_000_000

export class Ids {
  readonly #commit: Commit
  #limit: number
  #floor: number

  /** @param stored value of IDS_KEY, if there is one. */
  constructor(commit: Commit, stored: Buffer | undefined) {
    this.#commit = commit
    this.#limit = stored === undefined ? 1 : Number(stored.toString())
    this.#floor = this.#limit
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
