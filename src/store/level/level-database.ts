/**
 * classic-level as our database on disk. After a write that failed it is closed and opened again; reads wait meanwhile.
 * Opening writes, so it is not closed before the disk has shown that it takes writes: until then it can still be read.
 */

import { open, readdir, readFile, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { EventflowError } from '../../core/errors.ts'
import type { Chain, Cursor, Database, ReadAhead } from './database.ts'
import type { KeyRange } from './keys.ts'

/**
 * Most messages are removed soon after they came; in a larger write buffer put and removal meet before either is sorted
 * into a table. 500,000 queue messages of 100 bytes, 250 a turn: 1.8 us of CPU a message with the default of 4 MiB, 1.4
 * with 16 MiB and 1.7 with 32 MiB, which also costs memory (two buffers) and time to recover.
 *
 * Compression stays on: without it the same took a third more, as there is more to write and to sort. The block cache
 * stays at 8 MiB: what is hot is in the broker's own memory.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/**
 * LevelDB maps the files that it has open into memory, 2 to 16 MiB each, and closes none before there are too many. This is
 * the fewest that it lets itself be limited to.
 */
const MAX_OPEN_FILES = 74

/** Opening sorts what is in the log into tables: two write buffers at most. */
const NEEDED_BYTES = 2 * WRITE_BUFFER_BYTES

const PROBE = Buffer.alloc(4096)

type Level = ClassicLevel<string, Buffer>

/** @throws EventflowError STORE_LOCKED, STORE_CORRUPT, STORE_FAILED */
export async function openLevel(path: string): Promise<LevelDatabase> {
  try {
    await checkFiles(path) // first: a ClassicLevel that was made is about to be opened
    const level: Level = new ClassicLevel(path, {
      keyEncoding: 'utf8',
      valueEncoding: 'buffer',
      writeBufferSize: WRITE_BUFFER_BYTES,
      maxOpenFiles: MAX_OPEN_FILES,
    })
    await level.open()
    return new LevelDatabase(level)
  } catch (error) {
    throw asOpenFault(path, (error as Error).cause ?? error)
  }
}

export class LevelDatabase implements Database {
  readonly #level: Level
  /** While it is closed, to be opened again. */
  #closed: { promise: Promise<void>; opened: () => void; ended: (error: Error) => void } | null = null

  constructor(level: Level) {
    this.#level = level
  }

  batch(): Chain {
    return this.#level.batch()
  }

  async get(key: string): Promise<Buffer | undefined> {
    if (this.#closed !== null) await this.#closed.promise
    return this.#level.get(key)
  }

  async getMany(keys: string[]): Promise<(Buffer | undefined)[]> {
    if (this.#closed !== null) await this.#closed.promise
    return this.#level.getMany(keys)
  }

  keys(range: KeyRange): Cursor<string> {
    return this.#level.keys(range)
  }

  iterator(range: KeyRange & ReadAhead): Cursor<[string, Buffer]> {
    return this.#level.iterator(range)
  }

  async reopen(): Promise<void> {
    if (this.#level.status === 'open') await checkDisk(this.#level.location)
    await this.release()
  }

  async release(): Promise<void> {
    this.#closed ??= newClosed()
    await this.#level.close()
    await this.#level.open()
    this.#closed.opened()
    this.#closed = null
  }

  async close(): Promise<void> {
    await this.#level.close()
    this.#closed?.ended(new EventflowError('STORE_FAILED', 'The store was closed.'))
  }
}

/** Without its file CURRENT LevelDB would begin anew, and delete what it finds. */
async function checkFiles(path: string): Promise<void> {
  const names = await readdir(path).catch((): string[] => [])
  if (names.includes('CURRENT') || !names.some((name) => /\.(ldb|log|sst)$|^MANIFEST-/.test(name))) return
  throw Object.assign(new Error('there is a database without its file CURRENT'), { code: 'LEVEL_CORRUPTION' })
}

/** Whether LevelDB says that what it has read is damaged. */
export function isCorruption(error: unknown): boolean {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } | undefined }
  return code === 'LEVEL_CORRUPTION' || cause?.code === 'LEVEL_CORRUPTION'
}

/**
 * How many bytes of its log LevelDB could not read when it was opened. It passes over them, and tells its own protocol
 * alone. A half-written end is not counted: that is what a power loss leaves, and nobody was told that it is safe.
 */
export async function bytesPassedOver(path: string): Promise<number> {
  const protocol = await readFile(join(path, 'LOG'), 'utf8').catch(() => '')
  let bytes = 0
  for (const [, count] of protocol.matchAll(/: dropping (\d+) bytes;/g)) bytes += Number(count)
  return bytes
}

/** Does the disk take writes, and have room for what opening needs? Rejects with what is wrong. */
async function checkDisk(path: string): Promise<void> {
  const { bavail, bsize } = await statfs(path)
  if (bavail * bsize < NEEDED_BYTES) {
    throw new Error(`${bavail * bsize} bytes are free on the disk of ${path}; ${NEEDED_BYTES} are needed to go on`)
  }
  const name = join(path, 'probe')
  const probe = await open(name, 'w')
  try {
    await probe.write(PROBE)
    await probe.datasync()
  } finally {
    await probe.close()
    await rm(name, { force: true })
  }
}

function newClosed() {
  const closed = {} as { promise: Promise<void>; opened: () => void; ended: (error: Error) => void }
  closed.promise = new Promise<void>((resolve, reject) => {
    closed.opened = resolve
    closed.ended = reject
  })
  closed.promise.catch(() => {})
  return closed
}

function asOpenFault(path: string, cause: unknown): EventflowError {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  if (code === 'LEVEL_LOCKED') {
    const text = `The data directory ${path} is open in another process; one broker at a time can use it.`
    return new EventflowError('STORE_LOCKED', text, { cause })
  }
  if (isCorruption(cause)) {
    return new EventflowError('STORE_CORRUPT', `The store in ${path} is damaged and cannot be opened: ${message}`, {
      cause,
    })
  }
  return new EventflowError('STORE_FAILED', `The store in ${path} cannot be opened: ${message}`, { cause })
}
