/**
 * Many small writes, one system call a turn of the event loop.
 *
 * Packets are encoded straight into a chunk from a shared pool. All connections that wrote in a turn are flushed together
 * when the turn ends (setImmediate: after every socket that was readable in this turn has been served), so a fan-out to a
 * hundred subscribers costs a hundred system calls however many messages it had.
 */

import type { Writable } from 'node:stream'
import { Counters } from '../core/counters.ts'
import { SharedRoom } from '../core/shared-room.ts'

/** Holds any small packet, and few enough bytes that a thousand busy connections take 16 MB. */
const CHUNK_BYTES = 16_384

/** What the connections of one broker share: free chunks, the list of who has something to flush, and what is counted. */
export class WriteScheduler {
  readonly counters: Counters
  /** Memory that all clients share. */
  readonly room: SharedRoom
  readonly #free: Buffer[] = []
  #dirty: WriteBuffer[] = []
  #scheduled = false

  /** How many free chunks are kept: 4 MB. */
  static readonly MAX_FREE = 256

  constructor(counters: Counters = new Counters(), room = new SharedRoom()) {
    this.counters = counters
    this.room = room
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
  }

  give(chunk: Buffer): void {
    if (this.#free.length < WriteScheduler.MAX_FREE) this.#free.push(chunk)
  }

  schedule(buffer: WriteBuffer): void {
    this.#dirty.push(buffer)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flushAll)
  }

  readonly #flushAll = (): void => {
    const dirty = this.#dirty
    this.#dirty = []
    this.#scheduled = false
    for (const buffer of dirty) buffer.flush()
  }
}

export class WriteBuffer {
  /** The chunk that `reserve()` gave room in. */
  chunk: Buffer = NONE
  /** Called when the stream has caught up after it was congested. */
  onDrain: (() => void) | null = null
  /** Where whoever writes a packet counts it; bytes are counted here. */
  readonly counters: Counters

  readonly #stream: Writable
  readonly #scheduler: WriteScheduler
  readonly #limit: number
  #used = 0
  /** A run of bytes that is still to be copied to `chunk` at `#runAt`, where its place is; null: none. */
  #run: Buffer | null = null
  #runStart = 0
  #runEnd = 0
  #runAt = 0
  #scheduled = false
  /** Bytes given to the stream in all, and how many of them it has passed on. */
  #handed = 0
  #taken = 0
  #congested = false
  /** Whether the connection is over, so that what waits is no longer counted. */
  #ended = false
  /** Who wants to know that the bytes up to `position` were taken. */
  #waiting: Array<{ position: number; callback: () => void }> = []

  /** @param limit bytes waiting in the stream from which on the connection counts as congested */
  constructor(stream: Writable, scheduler: WriteScheduler, limit: number) {
    this.#stream = stream
    this.#scheduler = scheduler
    this.#limit = limit
    this.counters = scheduler.counters
  }

  /** More is waiting for the socket than the limit: the client does not read, or not fast enough. */
  get congested(): boolean {
    return this.#congested
  }

  /** Bytes that were handed to the stream and that it has not passed on. */
  get pending(): number {
    return this.#handed - this.#taken
  }

  /** Room for `size` bytes, at most 16,384: returns the offset in `chunk` to write at. All of it must be written. */
  reserve(size: number): number {
    let at = this.#used
    if (at + size > this.chunk.length) {
      this.#passOn()
      this.chunk = this.#scheduler.take()
      at = 0
    }
    this.#used = at + size
    if (!this.#scheduled) this.#schedule()
    return at
  }

  /**
   * Append at most 16,384 bytes as they stand, and will stand until this turn ends. Neighbours are copied together: what a
   * publisher sent at once costs one copy a subscriber, however many messages it has.
   */
  relay(bytes: Buffer, start: number, end: number): void {
    const at = this.reserve(end - start)
    if (bytes !== this.#run || start !== this.#runEnd || at - this.#runAt !== start - this.#runStart) {
      this.#copyRun()
      this.#run = bytes
      this.#runStart = start
      this.#runAt = at
    }
    this.#runEnd = end
  }

  /** Append bytes; large ones go to the stream without a copy, so they must not change afterwards. */
  append(bytes: Buffer, start: number, end: number): void {
    const size = end - start
    if (size <= CHUNK_BYTES / 2) {
      const at = this.reserve(size)
      bytes.copy(this.chunk, at, start, end)
      return
    }
    if (!this.#scheduled) this.#schedule()
    this.#passOn()
    this.#hand(bytes.subarray(start, end), null)
  }

  /** Call back once all that was appended so far has been taken by the socket; never if the socket breaks first. */
  afterFlush(callback: () => void): void {
    this.#waiting.push({ position: this.#handed + this.#used, callback })
    if (!this.#scheduled) this.#schedule()
  }

  /** Hand everything to the stream now. */
  flush(): void {
    this.#scheduled = false
    this.#passOn()
    if (this.#waiting.length > 0) this.#tell()
    if (this.#stream.writableCorked > 0) this.#stream.uncork()
  }

  /** The connection is over: what waits is the system's, or gone. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#scheduler.room.used -= this.pending
  }

  #schedule(): void {
    this.#scheduled = true
    this.#scheduler.schedule(this)
  }

  #copyRun(): void {
    if (this.#run === null) return
    this.#run.copy(this.chunk, this.#runAt, this.#runStart, this.#runEnd)
    this.#run = null
  }

  #passOn(): void {
    if (this.#used === 0) return
    this.#copyRun()
    const { chunk } = this
    const bytes = chunk.subarray(0, this.#used)
    this.#used = 0
    this.chunk = NONE
    this.#hand(bytes, chunk)
  }

  #hand(bytes: Buffer, chunk: Buffer | null): void {
    const stream = this.#stream
    if (stream.destroyed || stream.writableEnded) {
      if (chunk !== null) this.#scheduler.give(chunk)
      return
    }
    // More than one write in this turn: corked, they leave as one writev.
    if (this.#scheduled && stream.writableCorked === 0) stream.cork()
    const size = bytes.length
    this.#handed += size
    const { room } = this.#scheduler
    if (!this.#ended) room.used += size
    const pending = this.#handed - this.#taken
    if (pending > this.#limit || (pending > MIN_PENDING && pending > room.share)) this.#congested = true
    stream.write(bytes, (error) => {
      if (chunk !== null) this.#scheduler.give(chunk)
      if (!error) this.#took(size)
      else this.end()
    })
  }

  #took(size: number): void {
    this.#taken += size
    if (!this.#ended) this.#scheduler.room.used -= size
    this.counters.bytesSent += size
    if (this.#waiting.length > 0) this.#tell()
    if (this.#congested && this.#handed - this.#taken <= this.#limit / 2) {
      this.#congested = false
      this.onDrain?.()
    }
  }

  #tell(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.position <= this.#taken) this.#waiting.shift()!.callback()
  }
}

const NONE = Buffer.alloc(0)

/** So much may always wait for a client: a moment's worth, or nobody would hear anything when there is no room. */
const MIN_PENDING = 16_384
