/** Opening a store: on disk, or in memory with the same code, for tests and for brokers that may forget. */

import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { EventflowError } from '../core/errors.ts'
import type { Database } from './level/database.ts'
import { LevelStore } from './level/level-store.ts'
import type { Store } from './store.ts'

export interface OpenStoreOptions {
  kind: 'level' | 'memory'
  /** The directory of the data; made when it is missing. Not used by 'memory'. */
  path: string
  /** Told of what could not be written or read, besides the caller that it concerns, if there is one. */
  onFault: (error: Error) => void
}

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
 * @throws EventflowError STORE_LOCKED when another process has the directory open, STORE_VERSION when its data is of
 * another format, STORE_FAILED when it cannot be opened.
 */
export async function openStore({ kind, path, onFault }: OpenStoreOptions): Promise<Store> {
  const database = kind === 'level' ? await openLevel(path) : openMemory()
  try {
    return await LevelStore.open({ kind, database, path, onFault })
  } catch (cause) {
    await database.close()
    if (cause instanceof EventflowError) throw cause
    throw new EventflowError('STORE_FAILED', `The store in ${path} cannot be read.`, { cause })
  }
}

function openMemory(): Database {
  return new MemoryLevel<string, Buffer>({ keyEncoding: 'utf8', valueEncoding: 'buffer' })
}

async function openLevel(path: string): Promise<Database> {
  const database = new ClassicLevel<string, Buffer>(path, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    writeBufferSize: WRITE_BUFFER_BYTES,
  })
  try {
    await database.open()
  } catch (error) {
    const cause = (error as Error).cause ?? error
    if ((cause as { code?: unknown }).code === 'LEVEL_LOCKED') {
      const text = `The data directory ${path} is open in another process; one broker at a time can use it.`
      throw new EventflowError('STORE_LOCKED', text, { cause })
    }
    throw new EventflowError('STORE_FAILED', `The store in ${path} cannot be opened.`, { cause })
  }
  return database
}
