/**
 * A pack's two values as bytes: its records, each after its length (u32); and its marks, a bitmap of the entries that
 * were removed and then index (u16) and mark (u32) of each that has one.
 */

import { EventflowError } from '../../../core/errors.ts'
import { decodeRecord } from '../../record.ts'
import type { StoredMessage } from '../../store.ts'

/** A million keys of single messages are a burden; so are 200 MB read for one of them. Index and count fit the codec. */
export const PACK_ENTRIES = 1024
export const PACK_BYTES = 256 * 1024

export const LENGTH_BYTES = 4
const MARK_BYTES = 6

export interface PackMarks {
  removed: Uint8Array
  marks: Map<number, number>
}

/** Whether bit `index` is set. */
export function hasBit(bitmap: Uint8Array, index: number): boolean {
  return (bitmap[index >> 3]! & (1 << (index & 7))) !== 0
}

export function setBit(bitmap: Uint8Array, index: number): void {
  bitmap[index >> 3]! |= 1 << (index & 7)
}

/**
 * Visit the records of a pack in order, from the index `from` on. `wanted(index)` tells whether to decode one; `found`
 * gets it, or null when it cannot be read, and returns whether to go on. Where a length is broken, nothing that follows
 * can be read either.
 */
export function readRecords(
  bytes: Buffer,
  count: number,
  from: number,
  wanted: (index: number) => boolean,
  found: (index: number, record: StoredMessage | null) => boolean,
): void {
  let at = 0
  for (let index = 0; index < count; index++) {
    const start = at + LENGTH_BYTES
    const end = start <= bytes.length ? start + bytes.readUInt32BE(at) : Number.POSITIVE_INFINITY
    // Leaves `at` where it is, so that all that follow are found broken too.
    const broken = end > bytes.length
    if (!broken) at = end
    if (index < from || !wanted(index)) continue
    if (!found(index, broken ? null : decodeOrNull(bytes, start, end))) return
  }
}

function decodeOrNull(bytes: Buffer, start: number, end: number): StoredMessage | null {
  try {
    return decodeRecord(bytes, start, end, false)
  } catch {
    return null
  }
}

export function encodeMarks(count: number, removed: Uint8Array | null, marks: Map<number, number> | null): Buffer {
  const bitmapBytes = (count + 7) >> 3
  const bytes = Buffer.alloc(bitmapBytes + (marks === null ? 0 : marks.size * MARK_BYTES))
  if (removed !== null) bytes.set(removed.subarray(0, bitmapBytes))
  let at = bitmapBytes
  if (marks !== null) {
    for (const [index, mark] of marks) {
      at = bytes.writeUInt16BE(index, at)
      at = bytes.writeUInt32BE(mark, at)
    }
  }
  return bytes
}

/** @throws EventflowError STORE_CORRUPT when these bytes are not the marks of a pack of `count`. */
export function decodeMarks(bytes: Buffer, count: number): PackMarks {
  const bitmapBytes = (count + 7) >> 3
  if (bytes.length < bitmapBytes || (bytes.length - bitmapBytes) % MARK_BYTES !== 0) {
    throw new EventflowError('STORE_CORRUPT', `The marks of a pack of ${count} are ${bytes.length} bytes long.`)
  }
  const marks = new Map<number, number>()
  for (let at = bitmapBytes; at < bytes.length; at += MARK_BYTES) {
    const index = bytes.readUInt16BE(at)
    if (index < count) marks.set(index, bytes.readUInt32BE(at + 2))
  }
  return { removed: new Uint8Array(bytes.subarray(0, bitmapBytes)), marks }
}
