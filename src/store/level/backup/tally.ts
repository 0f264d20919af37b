/** Counts the records of a store, checks each, and sums them up: so a copy can be told from one that lacks something. */

import { crc32 } from 'node:zlib'
import type { BackupResult } from '../../store.ts'
import { isSealed } from '../checksum.ts'
import type { Database } from '../database.ts'
import { ALL_KEYS, FORMAT_VERSION, VERSION_KEY } from '../keys.ts'

/** Damaged records that are named; the others are counted. */
const MAX_NAMED = 20

/** Memory that a step of reading takes. */
const STEP_BYTES = 256 * 1024
const STEP_RECORDS = 1_000

const VERSION = Buffer.from(String(FORMAT_VERSION))

export type Records = Array<[key: string, value: Buffer]>

export class Tally implements BackupResult {
  records = 0
  bytes = 0
  damaged = 0
  readonly damagedKeys: string[] = []
  /** Of all keys and values in their order. */
  checksum = 0

  add(key: string, value: Buffer): void {
    this.records++
    this.bytes += Buffer.byteLength(key) + value.length
    this.checksum = crc32(value, crc32(key, this.checksum))
    if (key === VERSION_KEY ? value.equals(VERSION) : isSealed(key, value)) return
    this.damaged++
    if (this.damagedKeys.length < MAX_NAMED) this.damagedKeys.push(key.replaceAll('\u0000', ' '))
  }
}

/**
 * Everything in the database as it is now, in steps of bounded size, counted in `tally`. Others have their turn between steps.
 * @param visitor called for each step, and waited for
 */
export async function readAll(
  database: Database,
  tally: Tally,
  visitor: (records: Records) => Promise<void> | void,
): Promise<void> {
  const cursor = database.iterator({ ...ALL_KEYS, highWaterMarkBytes: STEP_BYTES, fillCache: false })
  try {
    for (;;) {
      const records = await cursor.nextv(STEP_RECORDS)
      if (records.length === 0) return
      for (const [key, value] of records) tally.add(key, value)
      await visitor(records)
    }
  } finally {
    await cursor.close()
  }
}
