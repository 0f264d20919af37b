/**
 * Writes a copy of a database that is in use: what is read is a snapshot, so it is the store as it was at one moment. The
 * records come sorted, so LevelDB sorts nothing again: one background thread serves all databases of a process.
 */

import { resolve } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import { EventflowError } from '../../../core/errors.ts'
import type { BackupOptions, BackupResult } from '../../store.ts'
import type { Database } from '../database.ts'
import { FORMAT_VERSION } from '../keys.ts'
import { openLevel } from '../level-database.ts'
import { checkEmpty, checkRoom, discard, finish, PARTIAL, prepare } from './backup-folder.ts'
import { type Records, readAll, Tally } from './tally.ts'

export interface BackupSource {
  database: Database
  /** Resolves when all that was written so far is in the database, and on disk. */
  durable: () => Promise<void>
  /** Aborted with an EventflowError when the database is about to be closed. */
  signal: AbortSignal
  clock: Clock
}

/** Bytes after which the room on the disk is looked at again. */
const ROOM_STEP_BYTES = 8 * 1024 * 1024

/** See Store.backup(). */
export async function writeBackup(source: BackupSource, options: BackupOptions): Promise<BackupResult> {
  const path = resolve(options.path)
  if (path.endsWith(PARTIAL)) {
    const text = `A directory whose name ends with ${PARTIAL} is a backup that was not finished.`
    throw new EventflowError('BACKUP_REFUSED', text)
  }
  await checkEmpty(path)
  const partial = path + PARTIAL
  try {
    await prepare(partial)
    const tally = await fill(partial, source, options)
    source.signal.throwIfAborted()
    const { records, bytes, damaged, damagedKeys, checksum } = tally
    const createdAt = new Date(source.clock.now()).toISOString()
    await finish(partial, path, { format: FORMAT_VERSION, createdAt, records, bytes, damaged, checksum })
    return { records, bytes, damaged, damagedKeys }
  } catch (error) {
    // Gone first, told then: it may be what fills the disk of the broker.
    await discard(partial).catch(() => {})
    throw asFault(path, source.signal.aborted ? source.signal.reason : error)
  }
}

async function fill(partial: string, source: BackupSource, { onProgress }: BackupOptions): Promise<Tally> {
  await checkRoom(partial)
  const target = await openLevel(partial)
  try {
    await source.durable()
    source.signal.throwIfAborted()
    const tally = new Tally()
    let checked = 0
    await readAll(source.database, tally, async (records) => {
      source.signal.throwIfAborted()
      await put(target, records)
      if (tally.bytes - checked > ROOM_STEP_BYTES) {
        await checkRoom(partial)
        checked = tally.bytes
      }
      onProgress?.(tally)
    })
    return tally
  } finally {
    await target.close()
  }
}

async function put(target: Database, records: Records): Promise<void> {
  const chain = target.batch()
  for (const [key, value] of records) chain.put(key, value)
  await chain.write({ sync: false }) // all of it is synced before it gets its name
}

function asFault(path: string, error: unknown): EventflowError {
  if (error instanceof EventflowError && error.code.startsWith('BACKUP_')) return error
  const { message, cause } = error as Error
  const why = cause instanceof Error ? cause.message : message
  return new EventflowError('BACKUP_FAILED', `The backup ${path} cannot be written: ${why}`, { cause: error })
}
