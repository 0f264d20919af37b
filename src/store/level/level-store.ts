/** The Store port on a sorted map of bytes: checks that the data is of our format, and puts the parts together. */

import { EventflowError } from '../../core/errors.ts'
import type { MessageLog, RetainedStore, SessionStore, Store } from '../store.ts'
import { Commit } from './commit.ts'
import type { Database } from './database.ts'
import { Ids } from './ids.ts'
import { FORMAT_VERSION, IDS_KEY, OLDER_VERSIONS, VERSION_KEY } from './keys.ts'
import { LevelMessageLog } from './message-log.ts'
import { LevelRetainedStore } from './retained.ts'
import { LevelSessionStore } from './sessions.ts'

export interface LevelStoreOptions {
  kind: string
  /** An open database, which the store closes. */
  database: Database
  /** Where it is, for people. */
  path: string
  /** Told of what could not be written or read, besides the caller that it concerns, if there is one. */
  onFault: (error: Error) => void
}

interface Parts {
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
  readonly #commit: Commit
  readonly #database: Database
  #closing: Promise<void> | null = null

  private constructor(options: LevelStoreOptions, parts: Parts) {
    this.kind = options.kind
    this.sessions = parts.sessions
    this.retained = parts.retained
    this.queues = parts.queues
    this.#commit = parts.commit
    this.#database = options.database
  }

  /** @throws EventflowError STORE_VERSION when the data is of another format. */
  static async open(options: LevelStoreOptions): Promise<LevelStore> {
    const { database, onFault } = options
    await checkVersion(options)
    const commit = new Commit({ database, onFault })
    const ids = new Ids(commit, await database.get(IDS_KEY))
    const context = { database, commit, ids, onFault }
    const queues = await LevelMessageLog.open('queue', context)
    const outgoing = await LevelMessageLog.open('outgoing', context)
    const sessions = await LevelSessionStore.open({ database, commit, outgoing, onFault })
    const retained = new LevelRetainedStore(context)
    return new LevelStore(options, { commit, sessions, retained, queues })
  }

  durable(): Promise<void> {
    return this.#commit.durable()
  }

  close(): Promise<void> {
    this.#closing ??= this.#commit.drain().then(() => this.#database.close())
    return this.#closing
  }
}

async function checkVersion({ database, path }: LevelStoreOptions): Promise<void> {
  const stored = await database.get(VERSION_KEY)
  const found = stored?.toString() ?? 'no version'
  if (found === String(FORMAT_VERSION)) return
  if (OLDER_VERSIONS.includes(found) || (stored === undefined && (await isEmpty(database)))) {
    const chain = database.batch()
    chain.put(VERSION_KEY, Buffer.from(String(FORMAT_VERSION)))
    return chain.write({ sync: true })
  }
  const readable = [...OLDER_VERSIONS, FORMAT_VERSION].join(' and ')
  const text = `The store in ${path} has format ${found}; this version of Eventflow reads formats ${readable}.`
  throw new EventflowError('STORE_VERSION', text)
}

async function isEmpty(database: Database): Promise<boolean> {
  const keys = database.keys({ gte: '', lt: '\u{10ffff}' })
  const first = await keys.nextv(1)
  await keys.close()
  return first.length === 0
}
