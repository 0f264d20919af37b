/** The SessionStore port. Records are small and rare: JSON (session-record.ts). */

import type { MessageLog, SessionRecord, SessionStore, StoredSession } from '../store.ts'
import { unsealed } from './checksum.ts'
import type { Commit, Part } from './commit.ts'
import type { Damage } from './damage.ts'
import { type Database, visit } from './database.ts'
import { key, logKeys, nameOf, parsePackKey, rangeBehind, rangeOf } from './keys.ts'
import type { Operations } from './operations.ts'
import { decodeSession, encodeSession } from './session-record.ts'

export interface SessionStoreParts {
  database: Database
  commit: Commit
  outgoing: MessageLog
  damage: Damage
}

export class LevelSessionStore implements SessionStore, Part {
  readonly outgoing: MessageLog
  readonly #database: Database
  readonly #commit: Commit
  readonly #damage: Damage
  /** Sets that changed since the last batch; null: the session is gone. */
  readonly #changed = new Map<string, ReadonlySet<number> | null>()
  /** Whose set may be on disk. Most are empty again before they get there, and then cost nothing. */
  readonly #stored = new Set<string>()

  private constructor(parts: SessionStoreParts) {
    this.outgoing = parts.outgoing
    this.#database = parts.database
    this.#commit = parts.commit
    this.#damage = parts.damage
  }

  static async open(parts: SessionStoreParts): Promise<LevelSessionStore> {
    const store = new LevelSessionStore(parts)
    await visit(parts.database.keys(rangeOf('received')), (key) => store.#stored.add(nameOf('received', key)))
    return store
  }

  async load(): Promise<StoredSession[]> {
    await this.#commit.durable()
    const received = new Map<string, number[]>()
    await visit(this.#database.iterator(rangeOf('received')), ([key, value]) => {
      const clientId = nameOf('received', key)
      try {
        received.set(clientId, decodeIdentifiers(unsealed(key, value)))
      } catch (cause) {
        this.#damage.setAside(key, value)
        const text = `What ${clientId} has sent at QoS 2 and not released cannot be read: set aside.`
        this.#damage.tell(`${text} It may be taken twice.`, cause)
      }
    })
    const sessions: StoredSession[] = []
    const damaged: Array<{ clientId: string; cause: unknown }> = []
    await visit(this.#database.iterator(rangeOf('session')), ([key, value]) => {
      const clientId = nameOf('session', key)
      try {
        sessions.push({ ...decodeSession(unsealed(key, value)), received: received.get(clientId) ?? [] })
      } catch (cause) {
        this.#damage.keep(key, value)
        damaged.push({ clientId, cause })
      }
    })
    for (const { clientId, cause } of damaged) await this.#setAside(clientId, cause)
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

  seal(operations: Operations): void {
    for (const [clientId, identifiers] of this.#changed) {
      const received = key('received', clientId)
      if (identifiers !== null && identifiers.size > 0) {
        this.#stored.add(clientId)
        operations.put(received, encodeIdentifiers(identifiers))
      } else if (this.#stored.delete(clientId)) {
        operations.del(received)
      }
    }
    this.#changed.clear()
  }

  /** A session that cannot be read goes with its messages: the client begins anew, and must not find them in its way. */
  async #setAside(clientId: string, cause: unknown): Promise<void> {
    const { packs, marks } = logKeys('outgoing', clientId)
    let count = 0
    for (const prefix of [packs, marks]) {
      await visit(this.#database.iterator(rangeBehind(prefix)), ([key, value]) => {
        this.#damage.keep(key, value)
        if (prefix === packs) count += parsePackKey('outgoing', key)?.count ?? 0
      })
    }
    this.remove(clientId)
    this.#damage.tell(`The session of ${clientId} cannot be read: set aside, with ${count} messages at most.`, cause)
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
