/** A backup of a store that no broker has open. */

import { readdir } from 'node:fs/promises'
import { type Clock, systemClock } from '../../../core/clock.ts'
import { EventflowError } from '../../../core/errors.ts'
import type { BackupOptions, BackupResult } from '../../store.ts'
import type { Database } from '../database.ts'
import { FORMAT_VERSION, VERSION_KEY } from '../keys.ts'
import { bytesPassedOver, openLevel } from '../level-database.ts'
import { writeBackup } from './backup.ts'

export interface OfflineBackupResult extends BackupResult {
  /** Bytes of LevelDB's log that could not be read; nobody will hear of them again. */
  passedOver: number
}

/** Whether there is a store, so that none is made by looking for it. */
export async function hasStore(path: string): Promise<boolean> {
  const names = await readdir(path).catch((): string[] => [])
  return names.includes('CURRENT')
}

/**
 * Back up the store in the directory `path`.
 * @throws EventflowError STORE_LOCKED when a broker has it open, STORE_VERSION, STORE_CORRUPT, STORE_FAILED; and as
 * Store.backup()
 */
export async function backUpOffline(
  path: string,
  options: BackupOptions,
  clock: Clock = systemClock,
): Promise<OfflineBackupResult> {
  const database = await openLevel(path)
  try {
    const passedOver = await bytesPassedOver(path)
    await checkFormat(path, database)
    const durable = (): Promise<void> => Promise.resolve()
    const { signal } = new AbortController()
    return { ...(await writeBackup({ database, durable, signal, clock }, options)), passedOver }
  } finally {
    await database.close()
  }
}

async function checkFormat(path: string, database: Database): Promise<void> {
  const found = (await database.get(VERSION_KEY))?.toString() ?? 'no version'
  if (found === String(FORMAT_VERSION)) return
  const text = `The store in ${path} has format ${found}; this version of Eventflow backs up format ${FORMAT_VERSION} only.`
  throw new EventflowError('STORE_VERSION', text)
}
