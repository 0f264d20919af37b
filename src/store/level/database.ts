/**
 * What the store needs of a database: a sorted map of bytes with atomic batches, as every `abstract-level` is one.
 * Only as much of it as is used, so that a test can stand in between and let a write fail.
 */

import type { KeyRange } from './keys.ts'

export interface Database {
  batch(): Chain
  get(key: string): Promise<Buffer | undefined>
  getMany(keys: string[]): Promise<(Buffer | undefined)[]>
  keys(range: KeyRange): Cursor<string>
  /** What is there when it is called, whatever is written while the cursor goes on. */
  iterator(range: KeyRange & ReadAhead): Cursor<[string, Buffer]>
  /**
   * Open it anew after a write that failed. Rejects as long as the disk takes no writes; what can be read before can be
   * read after. Left out where a write that failed leaves no traces.
   */
  reopen?(): Promise<void>
  /** Give back the memory that much reading has taken; nothing may be written or read meanwhile. */
  release?(): Promise<void>
  close(): Promise<void>
}

/** For who reads everything once. */
export interface ReadAhead {
  /** Bytes that one step reads, at most, or one entry. Default: 16 KiB. */
  highWaterMarkBytes?: number
  /** Whether what is read is kept for who reads it next. Default: yes. */
  fillCache?: boolean
}

/**
 * A batch filled call by call. It costs about 2 us an operation; `db.batch([…])` with an array of operations costs ten
 * times that.
 */
export interface Chain {
  readonly length: number
  put(key: string, value: Buffer): unknown
  del(key: string): unknown
  write(options: { sync: boolean }): Promise<void>
  close(): Promise<void>
}

export interface Cursor<Item> extends AsyncIterable<Item> {
  nextv(size: number): Promise<Item[]>
  close(): Promise<void>
}

/** Visit everything at a cursor. In steps of thousands: an await for each of a million keys would cost a second. */
export async function visit<Item>(cursor: Cursor<Item>, visitor: (item: Item) => void): Promise<void> {
  try {
    for (;;) {
      const items = await cursor.nextv(10_000)
      if (items.length === 0) return
      for (const item of items) visitor(item)
    }
  } finally {
    await cursor.close()
  }
}
