/** The RetainedStore port: one key a topic. */

import type { Message } from '../../core/message.ts'
import { decodeRecord, encodeRecord, recordBound } from '../record.ts'
import type { RetainedStore } from '../store.ts'
import { unsealed } from './checksum.ts'
import type { Commit } from './commit.ts'
import type { Damage } from './damage.ts'
import type { Database } from './database.ts'
import { key, nameOf, rangeOf } from './keys.ts'

export interface RetainedStoreParts {
  database: Database
  commit: Commit
  damage: Damage
}

export class LevelRetainedStore implements RetainedStore {
  readonly #database: Database
  readonly #commit: Commit
  readonly #damage: Damage

  constructor(parts: RetainedStoreParts) {
    this.#database = parts.database
    this.#commit = parts.commit
    this.#damage = parts.damage
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
      const record = unsealed(key, value)
      return decodeRecord(record, 0, record.length, true).message
    } catch (cause) {
      this.#damage.setAside(key, value)
      this.#damage.tell(`The retained message of ${nameOf('retained', key)} cannot be read: set aside.`, cause)
      return null
    }
  }
}
