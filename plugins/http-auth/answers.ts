/**
 * Answers that are remembered for a while, those given last. What is remembered under is a keyed hash of all that was asked:
 * no password lies in it, and who can read the memory of the broker but not its key can try none.
 */

import { createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../src/plugin.ts'
import type { Answer } from './answer.ts'

export interface AnswersParts {
  readonly size: number
  readonly allowedMs: number
  /** Of answers that deny or ignore. */
  readonly deniedMs: number
  readonly clock: Clock
}

interface Remembered {
  readonly answer: Answer
  readonly until: number
}

export class Answers {
  readonly #parts: AnswersParts
  readonly #key = randomBytes(32)
  readonly #remembered: LRUCache<string, Remembered>

  constructor(parts: AnswersParts) {
    this.#parts = parts
    this.#remembered = new LRUCache({ max: parts.size })
  }

  /** What was answered to this question, if it still counts. */
  get(question: string): { readonly answer: Answer } | null {
    const found = this.#remembered.get(this.#hash(question))
    return found !== undefined && found.until > this.#parts.clock.now() ? found : null
  }

  /** Remember an answer, and one that ends not beyond its end. */
  put(question: string, answer: Answer): void {
    const { allowedMs, deniedMs, clock } = this.#parts
    const allowed = answer !== 'deny' && answer !== null
    const ends = (typeof answer === 'object' ? answer?.expiresAt : undefined) ?? Number.POSITIVE_INFINITY
    const until = Math.min(clock.now() + (allowed ? allowedMs : deniedMs), ends)
    if (until > clock.now()) this.#remembered.set(this.#hash(question), { answer, until })
  }

  #hash(question: string): string {
    return createHmac('sha256', this.#key).update(question).digest('base64')
  }
}
