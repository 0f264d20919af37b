/** Opening a store: on disk, or in memory with the same code, for tests and for brokers that may forget. */

import { MemoryLevel } from 'memory-level'
import { type Clock, systemClock } from '../core/clock.ts'
import { EventflowError } from '../core/errors.ts'
import type { Database } from './level/database.ts'
import { bytesPassedOver, isCorruption, openLevel } from './level/level-database.ts'
import { LevelStore } from './level/level-store.ts'
import type { Store } from './store.ts'

export interface OpenStoreOptions {
  kind: 'level' | 'memory'
  /** The directory of the data; made when it is missing. Not used by 'memory'. */
  path: string
  /** Default: the machine's. */
  clock?: Clock
  /**
   * Told of what cannot be read (STORE_CORRUPT, each once), and when nothing can be written (STORE_FAILED, once, until
   * `onRecovered`).
   */
  onFault: (error: Error) => void
  /** It writes again, after so long. Nothing that it had taken is lost. */
  onRecovered?: (durationMs: number) => void
}

/**
 * @throws EventflowError STORE_LOCKED when another process has the directory open, STORE_VERSION when its data is of
 * another format, STORE_CORRUPT when it is damaged so that it cannot be opened, STORE_FAILED when it cannot be for another
 * reason.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { kind, path, clock = systemClock, onFault, onRecovered = () => {} } = options
  const database = kind === 'level' ? await openLevel(path) : openMemory()
  const passedOver = kind === 'level' ? await bytesPassedOver(path) : 0
  if (passedOver > 0) {
    const text = `${passedOver} bytes of the log in ${path} cannot be read. Something that was acknowledged may be missing.`
    onFault(new EventflowError('STORE_CORRUPT', text))
  }
  try {
    return await LevelStore.open({ kind, database, path, clock, onFault, onRecovered })
  } catch (cause) {
    await database.close()
    if (cause instanceof EventflowError) throw cause
    if (isCorruption(cause)) throw new EventflowError('STORE_CORRUPT', `The store in ${path} is damaged.`, { cause })
    throw new EventflowError('STORE_FAILED', `The store in ${path} cannot be read.`, { cause })
  }
}

function openMemory(): Database {
  return new MemoryLevel<string, Buffer>({ keyEncoding: 'utf8', valueEncoding: 'buffer' })
}
