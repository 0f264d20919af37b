/**
 * A file that lines are appended to, and that is renamed when it is full. Writing is asked for in passing: it waits for nothing and
 * fails never. What cannot be written waits, as far as there is room; the file is opened again until it can be.
 *
 * A line may be cut by a crash, or by a disk that is full: whoever opens the file after that begins a new one.
 */

import { appendFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import type { Clock, Timer } from '../core/clock.ts'

/** Lines that wait at most while the disk does not take them. */
export const MAX_WAITING = 50_000
/** Lines that are written at once: a tenth of a megabyte, half a millisecond of making them. */
const LINES_A_WRITE = 256
const REOPEN_MS = 5_000
/** How long the end waits for a disk that does not answer. */
const CLOSE_MS = 5_000
/** The owner writes, the group reads: user names and addresses are not for everybody. */
const MODE = 0o640

/** A line, or what has its JSON made when it is written. */
export type Line = string | { readonly json: Buffer }

export interface LineFileParts {
  path: string
  maxBytes: number
  /** Full files that are kept. */
  maxFiles: number
  clock: Clock
  /** Nothing can be written; told once, until `recovered`. */
  failed: (error: Error) => void
  /** It is written again; so many lines were lost since it was opened. */
  recovered: (lost: number) => void
}

export class LineFile {
  readonly #parts: LineFileParts
  #stream: RotatingFileStream | null = null
  #waiting: Line[] = []
  #draining: Promise<void> | null = null
  #reopening: Timer | null = null
  /** What is written first: the end of a line that was cut. */
  #first = ''
  /** Whether what was written last is in the file: it was found to be full after it. */
  #written = false
  #lost = 0
  #closed = false

  constructor(parts: LineFileParts) {
    this.#parts = parts
  }

  /** @throws Error that says why, when the file cannot be written */
  async open(): Promise<void> {
    try {
      await this.#open()
    } catch (cause) {
      throw new Error(`cannot write ${this.#parts.path}: ${(cause as Error).message}`, { cause })
    }
  }

  write(line: Line): void {
    if (this.#waiting.length >= MAX_WAITING) this.#lost++
    else this.#waiting.push(line)
    if (this.#stream !== null) this.#draining ??= this.#drain()
  }

  /** Write what waits before this returns, for the process ends at once. @throws Error when that cannot be done */
  writeNow(): void {
    appendFileSync(this.#parts.path, this.#first + textOf(this.#waiting.splice(0)))
  }

  /** Write what waits, as far as that is possible in time, and close. Returns how many lines were lost. */
  async close(): Promise<number> {
    this.#closed = true
    this.#reopening?.cancel()
    let give = (): void => {}
    const late = new Promise<void>((resolve) => (give = resolve))
    const timer = this.#parts.clock.after(CLOSE_MS, give)
    await Promise.race([this.#end(), late])
    timer.cancel()
    return this.#lost + this.#waiting.length
  }

  async #end(): Promise<void> {
    await (this.#draining ?? this.#drain())
    const stream = this.#stream
    if (stream === null) return
    this.#stream = null
    await new Promise<void>((resolve) => stream.end(() => resolve()))
  }

  async #open(): Promise<void> {
    const { path, maxBytes, maxFiles } = this.#parts
    this.#first = (await endsInLine(path)) ? '' : '\n'
    const options = { path: dirname(path), size: `${maxBytes}B`, rotate: maxFiles, mode: MODE } as const
    const stream = createStream(basename(path), options)
    await new Promise<void>((resolve, reject) => stream.once('open', () => resolve()).once('error', reject))
    stream.on('rotation', () => {
      this.#written = true
    })
    stream.on('error', (error) => this.#failed(stream, error))
    this.#stream = stream
  }

  async #drain(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)) // what happens in this turn is written together
    while (this.#stream !== null && this.#waiting.length > 0) await this.#writeSome(this.#stream)
    this.#draining = null
  }

  async #writeSome(stream: RotatingFileStream): Promise<void> {
    const lines = this.#waiting.splice(0, LINES_A_WRITE)
    const text = textOf(lines)
    this.#written = false
    const error = await new Promise<Error | null | undefined>((resolve) => stream.write(this.#first + text, resolve))
    if (!error) this.#first = ''
    else {
      if (!this.#written) this.#waiting = [...lines, ...this.#waiting]
      this.#failed(stream, error)
    }
  }

  #failed(stream: RotatingFileStream, error: Error): void {
    if (this.#stream !== stream) return
    this.#stream = null
    this.#parts.failed(error)
    this.#openLater()
  }

  #openLater(): void {
    this.#reopening = this.#parts.clock.after(REOPEN_MS, () => {
      this.#open().then(
        () => {
          this.#parts.recovered(this.#lost)
          this.#draining ??= this.#drain()
          if (this.#closed) void this.#end()
        },
        () => this.#closed || this.#openLater(),
      )
    })
  }
}

function textOf(lines: readonly Line[]): string {
  return lines.map((line) => `${typeof line === 'string' ? line : line.json}\n`).join('')
}

/** Whether the file ends with a whole line, or is not there. */
async function endsInLine(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => null) // what is wrong with it is found when it is opened for writing
  if (file === null) return true
  try {
    const { size } = await file.stat()
    if (size === 0) return true
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
    return bytesRead === 0 || buffer[0] === 0x0a
  } catch {
    return true
  } finally {
    await file.close()
  }
}
