/**
 * What is stored and cannot be read is set aside: out of the way of what can, under a key of its own for whoever wants to
 * look at it, and told of once.
 */

import { EventflowError } from '../../core/errors.ts'
import type { Commit } from './commit.ts'
import { key } from './keys.ts'

export interface DamageParts {
  commit: Commit
  onFault: (error: Error) => void
}

export class Damage {
  readonly #parts: DamageParts

  constructor(parts: DamageParts) {
    this.#parts = parts
  }

  /** Keep what was found under `from`, as it was found. */
  keep(from: string, found: Buffer): void {
    this.#parts.commit.put(key('damaged', from), found)
  }

  /** Keep it, and remove it from where it was found. */
  setAside(from: string, found: Buffer): void {
    this.keep(from, found)
    this.#parts.commit.del(from)
  }

  /** @param what cannot be read, and what became of it: a sentence or two */
  tell(what: string, cause: unknown): void {
    this.#parts.onFault(new EventflowError('STORE_CORRUPT', what, { cause }))
  }
}
