/** The MessageLog port: the logs of one kind by name. A log is known while it holds an entry, and forgotten after. */

import type { LogEntry, LogSummary, MessageLog, StoredMessage } from '../../store.ts'
import { unsealed } from '../checksum.ts'
import type { Commit, Part } from '../commit.ts'
import type { Damage } from '../damage.ts'
import { type Database, visit } from '../database.ts'
import { type LogSpace, parseMarksKey, parsePackKey, rangeOf } from '../keys.ts'
import type { Ids } from './ids.ts'
import { Log } from './log.ts'
import { decodeMarks } from './pack-codec.ts'
import { readLog } from './read-log.ts'

export interface MessageLogContext {
  database: Database
  commit: Commit
  ids: Ids
  damage: Damage
}

const IGNORED = (): void => {}

export class LevelMessageLog implements MessageLog, Part {
  readonly #space: LogSpace
  readonly #context: MessageLogContext
  readonly #logs = new Map<string, Log>()
  readonly #emptied = new Set<Log>()

  private constructor(space: LogSpace, context: MessageLogContext) {
    this.#space = space
    this.#context = context
  }

  /** Find the logs that the database holds. Reads their keys and marks, not their messages. */
  static async open(space: LogSpace, context: MessageLogContext): Promise<LevelMessageLog> {
    const logs = new LevelMessageLog(space, context)
    await logs.#restore()
    return logs
  }

  list(): LogSummary[] {
    const summaries: LogSummary[] = []
    for (const log of this.#logs.values()) if (log.count > 0) summaries.push(log.summary())
    return summaries
  }

  append(name: string, entry: StoredMessage): number {
    return (this.#logs.get(name) ?? this.#add(name)).append(entry)
  }

  remove(name: string, id: number): void {
    const log = this.#logs.get(name)
    if (log === undefined) return
    log.remove(id)
    if (log.count === 0) this.#empty(log)
  }

  removeRange(name: string, fromId: number, toId: number): void {
    const log = this.#logs.get(name)
    if (log === undefined) return
    log.removeRange(fromId, toId)
    if (log.count === 0) this.#empty(log)
  }

  mark(name: string, id: number, mark: number): void {
    this.#logs.get(name)?.mark(id, mark)
  }

  async read(name: string, fromId: number, limit: number, lost: (mark: number) => void = IGNORED): Promise<LogEntry[]> {
    const log = this.#logs.get(name)
    if (log === undefined) return []
    const entries = await readLog({ ...this.#context, lost }, log, fromId, limit)
    // Reading drops what is damaged.
    if (log.count === 0 && this.#logs.get(name) === log) this.#empty(log)
    return entries
  }

  clear(name: string): void {
    const log = this.#logs.get(name)
    if (log === undefined) return
    log.clear()
    this.#empty(log)
  }

  /** Forget the logs that are still empty when the batch is closed: most get the next message in the same turn. */
  seal(): void {
    for (const log of this.#emptied) {
      if (log.count > 0) continue
      this.#logs.delete(log.name)
      this.#context.ids.retire(log.nextId)
    }
    this.#emptied.clear()
  }

  #add(name: string): Log {
    const log = new Log(this.#space, name, this.#context.commit, this.#context.ids)
    this.#logs.set(name, log)
    return log
  }

  #empty(log: Log): void {
    if (this.#emptied.size === 0) this.#context.commit.join(this)
    this.#emptied.add(log)
  }

  async #restore(): Promise<void> {
    const { database, damage } = this.#context
    const space = this.#space
    const nameless: string[] = []
    await visit(database.keys(rangeOf(space)), (key) => {
      const parsed = parsePackKey(space, key)
      if (parsed === null) {
        nameless.push(key)
        return
      }
      const { name, first, count } = parsed
      const log = this.#logs.get(name) ?? this.#add(name)
      log.restore(first, count)
    })
    for (const key of nameless) {
      damage.setAside(key, (await database.get(key)) ?? Buffer.alloc(0))
      damage.tell(`Messages of a ${space} whose key is damaged are set aside.`, undefined)
    }
    await visit(database.iterator(rangeOf(`${space}-marks`)), ([key, value]) => {
      const { name, first } = parseMarksKey(space, key)
      const log = this.#logs.get(name)
      const count = log?.restored(first) ?? 0
      if (log === undefined || count === 0) return
      try {
        log.restoreMarks(first, decodeMarks(unsealed(key, value), count))
      } catch (cause) {
        damage.setAside(key, value)
        const text = `What was done of ${count} messages of ${space} ${name}, from ${first} on, cannot be read: set aside.`
        damage.tell(`${text} They come again.`, cause)
      }
    })
  }
}
