/** A queue message in the hands of a program that embeds the broker. */

import type { Message } from '../core/message.ts'
import { ReasonCode } from '../core/reason-codes.ts'
import type { Settlement } from '../session/outbox-contract.ts'
import { allUserProperties } from '../wire/properties.ts'

export class Job {
  readonly topic: string
  readonly payload: Buffer
  readonly #properties: Buffer | null
  readonly #settle: (settlement: Settlement, reasonCode: number) => void

  constructor(message: Message, settle: (settlement: Settlement, reasonCode: number) => void) {
    this.topic = message.topic
    this.payload = message.payload
    this.#properties = message.properties
    this.#settle = settle
  }

  /** The user properties that the publisher gave it, the last of each name. */
  get userProperties(): Record<string, string> {
    return this.#properties === null ? {} : Object.fromEntries(allUserProperties(this.#properties))
  }

  /** The work is done: the message is removed from the queue. */
  acknowledge(): void {
    this.#settle('acknowledged', 0)
  }

  /** Not now: it is delivered again after the queue's backoff. */
  retry(): void {
    this.#settle('refused', ReasonCode.UnspecifiedError)
  }

  /** Never: it is moved to the dead letter queue at once. */
  reject(): void {
    this.#settle('refused', ReasonCode.NotAuthorized)
  }
}

/** Jobs as they come, in order, until `end()`. */
export class JobIterator implements AsyncIterableIterator<Job> {
  readonly #onEnd: () => void
  readonly #ready: Job[] = []
  readonly #waiting: Array<(result: IteratorResult<Job, undefined>) => void> = []
  #ended = false

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  push(job: Job): void {
    const next = this.#waiting.shift()
    if (next) next({ value: job, done: false })
    else this.#ready.push(job)
  }

  async next(): Promise<IteratorResult<Job, undefined>> {
    const job = this.#ready.shift()
    if (job !== undefined) return { value: job, done: false }
    if (this.#ended) return { value: undefined, done: true }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Leaving the loop ends the consumer: what it has in hand goes back to the queue. */
  async return(): Promise<IteratorResult<Job, undefined>> {
    this.end()
    return { value: undefined, done: true }
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#ready.length = 0
    for (const resolve of this.#waiting.splice(0)) resolve({ value: undefined, done: true })
    this.#onEnd()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
