/** A socket's place in tests of what is written: takes bytes at once, or only when the test says so. */

import { Writable } from 'node:stream'

export class SlowSink extends Writable {
  /** Every piece that was taken, copied at that moment. */
  readonly pieces: Buffer[] = []
  /** How often the stream was written to: system calls, if it were a socket. */
  writes = 0
  #slow: boolean
  #waiting: Array<{ chunks: Buffer[]; done: () => void }> = []

  constructor(options: { slow?: boolean } = {}) {
    super()
    this.#slow = options.slow ?? false
  }

  /** What was taken so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.pieces)
  }

  /** Take what waits, and from now on everything at once. */
  catchUp(): void {
    this.#slow = false
    this.takeOne()
  }

  /** Take the one write that waits. */
  takeOne(): void {
    for (const { chunks, done } of this.#waiting.splice(0)) this.#take(chunks, done)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#accept([chunk], done)
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, done: () => void): void {
    this.#accept(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  #accept(chunks: Buffer[], done: () => void): void {
    this.writes++
    if (this.#slow) this.#waiting.push({ chunks, done })
    else this.#take(chunks, done)
  }

  #take(chunks: Buffer[], done: () => void): void {
    for (const chunk of chunks) this.pieces.push(Buffer.from(chunk))
    done()
  }
}

/** Let the turn of the event loop end, with its flushes, and what follows from it. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
