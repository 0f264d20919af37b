/** The SessionStore port. Records are small and rare: JSON (session-record.ts). */

import { EventflowError } from '../../core/errors.ts'
import type { MessageLog, SessionRecord, SessionStore, StoredSession } from '../store.ts'
import type { Commit, Part } from './commit.ts'
import { type Chain, type Database, visit } from './database.ts'
import { key, nameOf, rangeOf } from './keys.ts'
import { decodeSession, encodeSession } from './session-record.ts'

export interface SessionStoreContext {
  database: Database
  commit: Commit
  outgoing: MessageLog
  onFault: (error: Error) => void
}

export class LevelSessionStore implements SessionStore, Part {
  readonly outgoing: MessageLog
  readonly #database: Database
  readonly #commit: Commit
  readonly #onFault: (error: Error) => void
  /** Sets that changed since the last batch; null: the session is gone. */
  readonly #changed = new Map<string, ReadonlySet<number> | null>()
  /** The same, in the batch that is being written. */
  #sealed: [string, ReadonlySet<number> | null][] = []
  /** Whose set may be on disk. Most are empty again before they get there, and then cost nothing. */
  readonly #stored = new Set<string>()

  private constructor(context: SessionStoreContext) {
    this.outgoing = context.outgoing
    this.#database = context.database
    this.#commit = context.commit
    this.#onFault = context.onFault
  }

  static async open(context: SessionStoreContext): Promise<LevelSessionStore> {
    const store = new LevelSessionStore(context)
    await visit(context.database.keys(rangeOf('received')), (key) => store.#stored.add(nameOf('received', key)))
    return store
  }

  async load(): Promise<StoredSession[]> {
    await this.#commit.durable()
    const received = new Map<string, number[]>()
    await visit(this.#database.iterator(rangeOf('received')), ([key, value]) => {
      received.set(nameOf('received', key), decodeIdentifiers(value))
    })
    const sessions: StoredSession[] = []
    await visit(this.#database.iterator(rangeOf('session')), ([key, value]) => {
      const clientId = nameOf('session', key)
      try {
        sessions.push({ ...decodeSession(value), received: received.get(clientId) ?? [] })
      } catch (cause) {
        this.#onFault(new EventflowError('STORE_CORRUPT', `The session of ${clientId} cannot be read.`, { cause }))
      }
    })
    return sessions
  }

  put(record: SessionRecord): void {
    this.#commit.put(key('session', record.clientId), () => encodeSession(record))
  }

  remove(clientId: string): void {
    this.#commit.del(key('session', clientId))
    this.#change(clientId, null)
    this.outgoing.clear(clientId)
  }

  received(clientId: string, identifiers: ReadonlySet<number>): void {
    this.#change(clientId, identifiers)
  }

  seal(chain: Chain): void {
    this.#sealed = [...this.#changed]
    this.#changed.clear()
    for (const [clientId, identifiers] of this.#sealed) {
      const received = key('received', clientId)
      if (identifiers !== null && identifiers.size > 0) {
        this.#stored.add(clientId)
        chain.put(received, encodeIdentifiers(identifiers))
      } else if (this.#stored.delete(clientId)) {
        chain.del(received)
      }
    }
  }

  settled(failed: boolean): void {
    if (failed) {
      for (const [clientId, identifiers] of this.#sealed) {
        this.#stored.add(clientId)
        if (!this.#changed.has(clientId)) this.#changed.set(clientId, identifiers)
      }
    }
    this.#sealed = []
  }

  #change(clientId: string, identifiers: ReadonlySet<number> | null): void {
    this.#changed.set(clientId, identifiers)
    this.#commit.join(this)
  }
}

function encodeIdentifiers(identifiers: ReadonlySet<number>): Buffer {
  const bytes = Buffer.allocUnsafe(2 * identifiers.size)
  let at = 0
  for (const identifier of identifiers) at = bytes.writeUInt16BE(identifier, at)
  return bytes
}

function decodeIdentifiers(bytes: Buffer): number[] {
  const identifiers: number[] = []
  for (let at = 0; at + 1 < bytes.length; at += 2) identifiers.push(bytes.readUInt16BE(at))
  return identifiers
}
