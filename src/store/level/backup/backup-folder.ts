/**
 * The folder of a backup: the files of a database, and `backup.json`, which says what must be in it. What is written has
 * another name until all of it is on the disk, so half a backup is never taken for one.
 */

import { mkdir, open, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { EventflowError } from '../../../core/errors.ts'

export const DESCRIPTION_FILE = 'backup.json'

/** What its name ends with while it is written: it is beside where it will be, so on the same disk. */
export const PARTIAL = '.partial'

/** What a backup leaves free: the broker may have its data on the same disk, and needs 32 MiB to recover from a full one. */
const RESERVED_BYTES = 64 * 1024 * 1024

export interface Description {
  /** FORMAT_VERSION of the records. */
  format: number
  /** When it was finished, RFC 3339. */
  createdAt: string
  records: number
  bytes: number
  damaged: number
  /** See Tally. */
  checksum: number
}

/** @throws EventflowError BACKUP_REFUSED when there is something in it, BACKUP_FAILED when it cannot be looked at */
export async function checkEmpty(path: string, except?: string): Promise<void> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    if (error.code === 'ENOTDIR') throw new EventflowError('BACKUP_REFUSED', `${path} is not a directory.`)
    throw new EventflowError('BACKUP_FAILED', `${path} cannot be used: ${error.message}`, { cause: error })
  })
  if (names.every((name) => name === except)) return
  throw new EventflowError('BACKUP_REFUSED', `The directory ${path} is not empty.`)
}

/** Make the folder that is written to, in place of what an earlier attempt has left. Messages are nobody else's business. */
export async function prepare(partial: string): Promise<void> {
  await discard(partial)
  await mkdir(dirname(partial), { recursive: true })
  await mkdir(partial, { mode: 0o700 })
}

/** Remove what is there, unless somebody has it open: only files that are ours. */
export async function discard(partial: string): Promise<void> {
  const names = await readdir(partial).catch(() => null)
  if (names === null) return
  await ClassicLevel.destroy(partial)
  for (const name of [DESCRIPTION_FILE, 'LOG', 'LOG.old', 'LOCK']) await rm(join(partial, name), { force: true })
  const left = await readdir(partial).catch(() => null)
  if (left === null) return
  if (left.length > 0) throw new Error(`${partial} has files in it that are not of a backup`)
  await rm(partial, { recursive: true })
}

/** Rejects when the disk has too little room to go on. */
export async function checkRoom(partial: string): Promise<void> {
  const { bavail, bsize } = await statfs(partial)
  if (bavail * bsize >= RESERVED_BYTES) return
  throw new Error(`the disk is full, but for ${bavail * bsize} bytes; ${RESERVED_BYTES} are left for others`)
}

/** Give it its name, once all of it is on the disk. */
export async function finish(partial: string, path: string, description: Description): Promise<void> {
  await writeFile(join(partial, DESCRIPTION_FILE), `${JSON.stringify(description, null, 2)}\n`)
  await syncAll(partial)
  await rename(partial, path)
  await sync(dirname(path))
}

/** @throws EventflowError BACKUP_INVALID */
export async function readDescription(path: string): Promise<Description> {
  const file = join(path, DESCRIPTION_FILE)
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new EventflowError('BACKUP_INVALID', `${path} is no backup: there is no ${DESCRIPTION_FILE} to read.`, {
      cause,
    })
  })
  try {
    const description = JSON.parse(text) as Description
    for (const name of ['format', 'records', 'checksum'] as const) {
      if (!Number.isSafeInteger(description[name])) throw new Error(`${name} is not a number`)
    }
    return description
  } catch (cause) {
    throw new EventflowError('BACKUP_INVALID', `${file} is damaged: ${(cause as Error).message}`, { cause })
  }
}

/** The folder and every file in it. LevelDB syncs what was written with `sync` alone, and not the log of the time before. */
export async function syncAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await sync(join(folder, name))
  await sync(folder)
}

export async function sync(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
