/** The Store port on a sorted map of bytes: checks that the data is of our format, and puts the parts together. */

import type { Clock, Timer } from '../../core/clock.ts'
import { EventflowError } from '../../core/errors.ts'
import type { Histogram } from '../../core/histogram.ts'
import type { BackupOptions, BackupResult, MessageLog, RetainedStore, SessionStore, Store } from '../store.ts'
import { writeBackup } from './backup/backup.ts'
import { Commit } from './commit.ts'
import { Damage } from './damage.ts'
import type { Database } from './database.ts'
import { ALL_KEYS, FORMAT_VERSION, VERSION_KEY } from './keys.ts'
import { Ids } from './log/ids.ts'
import { LevelMessageLog } from './log/message-log.ts'
import { LevelRetainedStore } from './retained.ts'
import { LevelSessionStore } from './sessions.ts'
import { SLOW_MS, Writer } from './writer.ts'

export interface LevelStoreOptions {
  kind: string
  /** An open database, which the store closes. */
  database: Database
  /** Where it is, for people. */
  path: string
  clock: Clock
  /** See OpenStoreOptions. */
  onFault: (error: Error) => void
  onRecovered: (durationMs: number) => void
}

/** What may wait in memory for a disk that does not write. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024

interface Parts {
  writer: Writer
  commit: Commit
  sessions: SessionStore
  retained: RetainedStore
  queues: MessageLog
}

export class LevelStore implements Store {
  readonly kind: string
  readonly sessions: SessionStore
  readonly retained: RetainedStore
  readonly queues: MessageLog
  readonly #writer: Writer
  readonly #commit: Commit
  readonly #database: Database
  readonly #clock: Clock
  readonly #ending = new AbortController()
  #backup: Promise<unknown> | null = null
  #closing: Promise<void> | null = null

  private constructor(options: LevelStoreOptions, parts: Parts) {
    this.kind = options.kind
    this.sessions = parts.sessions
    this.retained = parts.retained
    this.queues = parts.queues
    this.#writer = parts.writer
    this.#commit = parts.commit
    this.#database = options.database
    this.#clock = options.clock
  }

  /** @throws EventflowError STORE_VERSION when the data is of another format. */
  static async open(options: LevelStoreOptions): Promise<LevelStore> {
    const { database, clock, onFault, onRecovered } = options
    await checkVersion(options)
    const writer = new Writer({ database, clock, onFault, onRecovered })
    const commit = new Commit(writer)
    const damage = new Damage({ commit, onFault })
    const ids = await Ids.open({ database, commit, damage })
    const context = { database, commit, ids, damage }
    const queues = await LevelMessageLog.open('queue', context)
    const outgoing = await LevelMessageLog.open('outgoing', context)
    const sessions = await LevelSessionStore.open({ database, commit, outgoing, damage })
    const retained = new LevelRetainedStore(context)
    // Looking for the keys has read all that waits. Of ten million messages 800 MB would stay resident, of which a queue
    // without consumers needs nothing.
    await commit.durable()
    await database.release?.()
    return new LevelStore(options, { writer, commit, sessions, retained, queues })
  }

  get fault(): Error | null {
    return this.#writer.fault
  }

  get commitTimes(): Histogram {
    return this.#writer.times
  }

  get accepting(): boolean {
    return this.#writer.fault === null || this.#commit.bytes < MAX_WAITING_BYTES
  }

  durable(): Promise<void> {
    return this.#commit.durable()
  }

  backup(options: BackupOptions): Promise<BackupResult> {
    const source = {
      database: this.#database,
      durable: () => this.#commit.durable(),
      signal: this.#ending.signal,
      clock: this.#clock,
    }
    const backup = writeBackup(source, options)
    this.#backup = backup.catch(() => {})
    return backup
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#ending.abort(new EventflowError('BACKUP_FAILED', 'The store was closed before the backup was written.'))
    this.#writer.stop()
    await this.#within(SLOW_MS, this.#commit.drain())
    // It ends soon, and removes what it has written; where it was written to may be a disk that does not answer.
    if (this.#backup !== null) await this.#within(SLOW_MS, this.#backup).catch(() => {})
    await this.#database.close()
  }

  /** A disk that does not answer must not keep the broker from stopping. */
  async #within(timeMs: number, drained: Promise<unknown>): Promise<void> {
    let timer: Timer
    const late = new Promise<void>((_, reject) => {
      const fault = new EventflowError('STORE_FAILED', 'The store could not be closed: the disk does not answer.')
      timer = this.#clock.after(timeMs, () => reject(fault))
    })
    await Promise.race([drained, late]).finally(() => timer.cancel())
  }
}

async function checkVersion({ database, path }: LevelStoreOptions): Promise<void> {
  const stored = await database.get(VERSION_KEY)
  const found = stored?.toString() ?? 'no version'
  if (found === String(FORMAT_VERSION)) return
  if (stored === undefined && (await isEmpty(database))) {
    const chain = database.batch()
    chain.put(VERSION_KEY, Buffer.from(String(FORMAT_VERSION)))
    return chain.write({ sync: true })
  }
  const text = `The store in ${path} has format ${found}; this version of Eventflow reads format ${FORMAT_VERSION} only.`
  throw new EventflowError('STORE_VERSION', text)
}

async function isEmpty(database: Database): Promise<boolean> {
  const keys = database.keys(ALL_KEYS)
  const first = await keys.nextv(1)
  await keys.close()
  return first.length === 0
}
