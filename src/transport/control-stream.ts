/**
 * The stream that Aedes takes for a client's connection: control packets go in, its answers come out.
 *
 * Aedes never has to wait for it, and what it writes is taken at once: slow clients are the write buffer's business.
 */

import { Duplex } from 'node:stream'

export interface ControlParts {
  /** Bytes that Aedes wrote: pieces of packets. */
  written: (bytes: Buffer) => void
  /** Aedes has closed the connection; `error`: why, when it was not by itself. */
  closed: (error: Error | null) => void
}

export class ControlStream extends Duplex {
  readonly #parts: ControlParts

  constructor(parts: ControlParts) {
    // Small marks: only control packets pass here, and ten thousand connections have one of these each.
    super({ highWaterMark: 4096, autoDestroy: true, allowHalfOpen: false })
    this.#parts = parts
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#parts.written(bytes)
    done()
  }

  override _writev(chunks: Array<{ chunk: Buffer; encoding: BufferEncoding }>, done: () => void): void {
    this.#parts.written(Buffer.concat(chunks.map(({ chunk }) => chunk)))
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#parts.closed(error)
    done(null)
  }
}
