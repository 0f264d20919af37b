/** What stands on the topics now: read from the broker when somebody looks, once a second at most. */

import { Message } from '../../src/plugin.ts'
import { type Reading, TOPICS } from './topics.ts'

/** However many clients subscribe in a second, the sessions are counted once. */
const FRESH_MS = 1_000

/** One topic with its value: the same object as long as the value is the same. */
export interface Posted {
  readonly topic: string
  readonly text: string
  /** For all who get it. */
  readonly message: Message
}

export class Board {
  readonly #read: (now: number) => Reading
  #posted: readonly Posted[] = []
  #readAt = Number.NEGATIVE_INFINITY

  /** @param read reads the broker */
  constructor(read: (now: number) => Reading) {
    this.#read = read
  }

  /** All topics, no older than a second. */
  recent(now: number): readonly Posted[] {
    return Math.abs(now - this.#readAt) < FRESH_MS ? this.#posted : this.present(now)
  }

  /** All topics, as of now. */
  present(now: number): readonly Posted[] {
    const reading = this.#read(now)
    this.#readAt = now
    this.#posted = Array.from(TOPICS, ([topic, value], i) => {
      const text = String(value(reading))
      const before = this.#posted[i]
      return before?.text === text ? before : post(topic, text, now)
    })
    return this.#posted
  }
}

function post(topic: string, text: string, now: number): Posted {
  return { topic, text, message: Message.of({ topic, payload: Buffer.from(text), retain: true, receivedAt: now }) }
}
