/**
 * Reading a log: packs from disk and packs still in memory, in order. What cannot be read is set aside, reported and
 * removed: nothing could ever deliver it, and if it stayed the log would never be empty.
 */

import { EventflowError } from '../../../core/errors.ts'
import type { LogEntry } from '../../store.ts'
import { unsealed } from '../checksum.ts'
import type { Damage } from '../damage.ts'
import type { Database } from '../database.ts'
import { isCorruption } from '../level-database.ts'
import type { Log, PackView } from './log.ts'
import { readRecords } from './pack-codec.ts'

export interface ReadContext {
  database: Database
  damage: Damage
  /** Told the mark of each entry that cannot be read. */
  lost: (mark: number) => void
}

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
      const bytes = pack.bytes ?? check(context, log, pack, values[next++], from)
      if (bytes !== null && entries.length < limit) unpack(context, log, pack, bytes, from, limit, entries)
    }
    from = last.first + last.count
  }
  return entries
}

/** The pack's records; null when they cannot be read: then what the log has of them from `fromId` on is dropped. */
function check(
  context: ReadContext,
  log: Log,
  pack: PackView,
  found: Buffer | undefined,
  fromId: number,
): Buffer | null {
  try {
    if (found === undefined)
      throw new EventflowError('STORE_CORRUPT', 'The database does not have it, or cannot read it.')
    return unsealed(pack.key, found)
  } catch (cause) {
    const ids: number[] = []
    for (let id = Math.max(pack.first, fromId); id < pack.first + pack.count; id++)
      if (log.markOf(id) >= 0) ids.push(id)
    drop(context, log, pack, found, ids, cause)
    return null
  }
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
        // The record becomes the entry: to copy it was the most that reading cost.
        const entry = record as LogEntry
        entry.id = id
        entry.mark = log.markOf(id)
        entries.push(entry)
      }
      return entries.length < limit
    },
  )
  drop(context, log, pack, bytes, damaged, undefined)
}

function drop(
  { damage, lost }: ReadContext,
  log: Log,
  pack: PackView,
  found: Buffer | undefined,
  ids: readonly number[],
  cause: unknown,
): void {
  if (ids.length === 0) return
  if (found !== undefined) damage.keep(pack.key, found)
  for (const id of ids) {
    lost(log.markOf(id))
    log.remove(id)
  }
  const fate = found === undefined ? 'lost' : 'set aside'
  const text = `${ids.length} messages of ${log.space} ${log.name} cannot be read, from ${ids[0]} to ${ids.at(-1)}: ${fate}.`
  damage.tell(text, cause)
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
  if (isCorruption(cause)) return undefined
  throw new EventflowError('STORE_FAILED', 'The store cannot read.', { cause })
}
