/** The RetainedStore port: one key a topic. */

import { EventflowError } from '../../core/errors.ts'
import type { Message } from '../../core/message.ts'
import { decodeRecord, encodeRecord, recordBound } from '../record.ts'
import type { RetainedStore } from '../store.ts'
import type { Commit } from './commit.ts'
import type { Database } from './database.ts'
import { key, nameOf, rangeOf } from './keys.ts'

export interface RetainedStoreContext {
  database: Database
  commit: Commit
  onFault: (error: Error) => void
}

export class LevelRetainedStore implements RetainedStore {
  readonly #database: Database
  readonly #commit: Commit
  readonly #onFault: (error: Error) => void

  constructor(context: RetainedStoreContext) {
    this.#database = context.database
    this.#commit = context.commit
    this.#onFault = context.onFault
  }

  async *load(): AsyncIterable<Message> {
    await this.#commit.durable()
    for await (const [key, value] of this.#database.iterator(rangeOf('retained'))) {
      const message = this.#decode(key, value)
      if (message !== null) yield message
    }
  }

  put(message: Message): void {
    const entry = { message, qos: message.qos, retain: true, identifiers: null }
    const bytes = Buffer.allocUnsafe(recordBound(entry))
    this.#commit.put(key('retained', message.topic), bytes.subarray(0, encodeRecord(entry, bytes, 0)))
  }

  remove(topic: string): void {
    this.#commit.del(key('retained', topic))
  }

  #decode(key: string, value: Buffer): Message | null {
    try {
      return decodeRecord(value, 0, value.length).message
    } catch (cause) {
      const text = `The retained message of ${nameOf('retained', key)} cannot be read.`
      this.#onFault(new EventflowError('STORE_CORRUPT', text, { cause }))
      return null
    }
  }
}
