/**
 * Makes a store of a backup. The backup is only read: its files are copied, and the copy is checked, record by record, before
 * it is put where a broker finds it. The file CURRENT comes last: without it a broker refuses to start, whatever else is there.
 */

import { chmod, copyFile, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EventflowError } from '../../../core/errors.ts'
import type { BackupResult } from '../../store.ts'
import { FORMAT_VERSION } from '../keys.ts'
import { bytesPassedOver, isCorruption, openLevel } from '../level-database.ts'
import { checkEmpty, DESCRIPTION_FILE, type Description, readDescription, sync, syncAll } from './backup-folder.ts'
import { readAll, Tally } from './tally.ts'

/** Where in the directory it is copied to: the directory may be a disk of its own. */
const STAGING = 'restoring'

const CURRENT = 'CURRENT'
/** LevelDB's own, which say nothing of the data. */
const NOT_COPIED = new Set([DESCRIPTION_FILE, 'LOCK', 'LOG', 'LOG.old'])

/**
 * Make the store in `path` out of `backup`, which stays as it is.
 * @param onProgress told now and then how much of the copy is checked
 * @throws EventflowError BACKUP_INVALID when it is no backup or is damaged; STORE_VERSION when it is of another format;
 * BACKUP_REFUSED when `path` is not empty; BACKUP_FAILED when it cannot be written. Then there is no store in `path`.
 */
export async function restoreBackup(
  backup: string,
  path: string,
  onProgress: (progress: BackupResult) => void = () => {},
): Promise<BackupResult> {
  const description = await readDescription(backup)
  checkFormat(backup, description)
  await checkEmpty(path, STAGING)
  const staging = join(path, STAGING)
  try {
    await rm(staging, { recursive: true, force: true })
    await mkdir(staging, { recursive: true, mode: 0o700 })
    await copyFiles(backup, staging)
    const tally = await check(backup, staging, description, onProgress)
    await moveInto(path, staging)
    return tally
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {})
    throw asFault(backup, path, error)
  }
}

function checkFormat(backup: string, { format }: Description): void {
  if (format === FORMAT_VERSION) return
  const text = `The backup ${backup} has format ${format}; this version of Eventflow reads format ${FORMAT_VERSION} only.`
  throw new EventflowError('STORE_VERSION', text)
}

async function copyFiles(backup: string, staging: string): Promise<void> {
  for (const name of await readdir(backup)) {
    if (NOT_COPIED.has(name)) continue
    const copy = join(staging, name)
    await copyFile(join(backup, name), copy)
    await chmod(copy, 0o600) // of a backup that cannot be written the copy could not be either
  }
}

/** Whether the copy has all that was in the store, and nothing else. */
async function check(
  backup: string,
  staging: string,
  { records, checksum }: Description,
  onProgress: (progress: BackupResult) => void,
): Promise<BackupResult> {
  const tally = new Tally()
  const database = await openLevel(staging)
  try {
    await readAll(database, tally, () => onProgress(tally))
  } finally {
    await database.close()
  }
  const passedOver = await bytesPassedOver(staging)
  if (passedOver === 0 && tally.records === records && tally.checksum === checksum) return tally
  const found = tally.records === records ? 'some are not as they were' : `there are ${tally.records}`
  const text = `The backup ${backup} is damaged, or was opened since: of its ${records} records, ${found}. Nothing was restored.`
  throw new EventflowError('BACKUP_INVALID', text)
}

async function moveInto(path: string, staging: string): Promise<void> {
  await syncAll(staging)
  const names = (await readdir(staging)).filter((name) => name !== CURRENT)
  for (const name of names) await rename(join(staging, name), join(path, name))
  await sync(path)
  await rename(join(staging, CURRENT), join(path, CURRENT))
  await rmdir(staging)
  await sync(path)
}

function asFault(backup: string, path: string, error: unknown): EventflowError {
  if (error instanceof EventflowError && error.code === 'BACKUP_INVALID') return error
  const { message, code } = error as EventflowError
  if (code === 'STORE_CORRUPT' || isCorruption(error)) {
    const text = `The backup ${backup} is damaged: ${message}. Nothing was restored.`
    return new EventflowError('BACKUP_INVALID', text, { cause: error })
  }
  return new EventflowError('BACKUP_FAILED', `${backup} cannot be restored to ${path}: ${message}`, { cause: error })
}
