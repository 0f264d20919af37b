/**
 * Reading a log: packs from disk and packs still in memory, in order. An entry that cannot be read is reported and
 * removed: nothing could ever deliver it, and if it stayed the log would never be empty.
 */

import { EventflowError } from '../../core/errors.ts'
import type { LogEntry } from '../store.ts'
import type { Database } from './database.ts'
import type { Log, PackView } from './log.ts'
import { readRecords } from './pack-codec.ts'

export interface ReadContext {
  database: Database
  onFault: (error: Error) => void
}

/** A pack that should be there and is not. */
const NOTHING = Buffer.alloc(0)

export async function readLog(context: ReadContext, log: Log, fromId: number, limit: number): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  let from = fromId
  // Again when entries were removed while their pack was on its way: fewer than `limit` shall mean that this is all.
  while (entries.length < limit) {
    const packs = log.packsFrom(from, limit - entries.length)
    const last = packs.at(-1)
    if (last === undefined) break
    const onDisk = packs.filter((pack) => pack.bytes === null).map((pack) => pack.key)
    const values = onDisk.length === 0 ? [] : await load(context, onDisk)
    let next = 0
    for (const pack of packs) {
      const bytes = pack.bytes ?? values[next++] ?? NOTHING
      if (entries.length < limit) unpack(context, log, pack, bytes, from, limit, entries)
    }
    from = last.first + last.count
  }
  return entries
}

/** Add to `entries` what the pack has from `fromId` on and the log still holds. */
function unpack(
  context: ReadContext,
  log: Log,
  pack: PackView,
  bytes: Buffer,
  fromId: number,
  limit: number,
  entries: LogEntry[],
): void {
  const damaged: number[] = []
  readRecords(
    bytes,
    pack.count,
    fromId - pack.first,
    (index) => log.markOf(pack.first + index) >= 0,
    (index, record) => {
      const id = pack.first + index
      if (record === null) {
        damaged.push(id)
      } else {
        entries.push({ ...record, id, mark: log.markOf(id) })
      }
      return entries.length < limit
    },
  )
  for (const id of damaged) log.remove(id)
  if (damaged.length > 0) {
    const text = `${damaged.length} of the messages in ${log.name} cannot be read; first ${damaged[0]}. They are dropped.`
    context.onFault(new EventflowError('STORE_CORRUPT', text))
  }
}

async function load({ database }: ReadContext, keys: string[]): Promise<(Buffer | undefined)[]> {
  try {
    // get() for one: getMany() takes a snapshot.
    return keys.length === 1 ? [await database.get(keys[0]!)] : await database.getMany(keys)
  } catch {
    // One damaged block fails them all: find out which.
    return Promise.all(keys.map((key) => database.get(key).catch(damagedOrThrow)))
  }
}

function damagedOrThrow(cause: unknown): undefined {
  if ((cause as { code?: unknown }).code === 'LEVEL_CORRUPTION') return undefined
  throw new EventflowError('STORE_FAILED', 'The store cannot read.', { cause })
}
