/** One connection of the load: what comes is served packet by packet; what goes is gathered, and written once a turn. */

import { createConnection, type Socket } from 'node:net'
import { BenchError } from '../errors.ts'
import { Cutter, type ReadBuffer } from './read-buffer.ts'

/**
 * What a connection's packets are given to, in `link.input`. `first` is the packet's first byte, `at` where its fixed
 * header ends, `end` where it does.
 */
export interface PacketHandler {
  packet(link: Link, first: number, at: number, end: number): void
}

export interface Address {
  readonly host: string
  readonly port: number
}

export class Link {
  /** What errors call it; empty: nothing. */
  readonly name: string
  handler: PacketHandler = IDLE
  /** Where the packet that is being served lies. */
  readonly input: ReadBuffer
  /** When what is being served was read: microseconds, modulo 2^32. */
  readAt = 0
  /** Why the connection broke; null while it has not. */
  broken: BenchError | null = null
  /** Called at the end of whatever may let the load go on: bytes came, bytes left, or the connection broke. */
  onProgress: () => void = () => {}

  readonly #socket: Socket
  readonly #cutter: Cutter
  #out = Buffer.allocUnsafeSlow(1_024)
  #spare = Buffer.allocUnsafeSlow(0)
  #used = 0
  #closing = false

  /** Connects at once; what is written before it has waits. */
  constructor(name: string, { host, port }: Address, input: ReadBuffer) {
    this.name = name
    this.input = input
    this.#cutter = new Cutter(input)
    const buffer = input.bytes.subarray(input.head)
    this.#socket = createConnection({
      host,
      port,
      noDelay: true,
      onread: { buffer, callback: (count) => this.#read(count) },
    })
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.fail(this.#textOf(error, `${host}:${port}`)))
    this.#socket.on('end', () => this.fail('the broker closed the connection'))
  }

  /** Bytes given to the socket have not left yet. What they are in must not change until they have. */
  get writing(): boolean {
    return this.#socket.writableLength > 0
  }

  /** Write these bytes now. Not while `writing`; they must stay as they are until they have left. */
  write(bytes: Buffer): void {
    if (this.broken === null) this.#socket.write(bytes, this.#wrote)
  }

  /** Append a packet of four bytes that has nothing but a packet identifier. */
  acknowledge(first: number, packetId: number): void {
    const at = this.#reserve(4)
    this.#out[at] = first
    this.#out[at + 1] = 2
    this.#out[at + 2] = packetId >> 8
    this.#out[at + 3] = packetId & 0xff
  }

  append(bytes: Buffer): void {
    const at = this.#reserve(bytes.length) // may put another buffer in place of #out
    bytes.copy(this.#out, at)
  }

  /** Write what was appended, unless an earlier write is under way: then later. */
  flush(): void {
    if (this.#used === 0 || this.writing || this.broken !== null) return
    const bytes = this.#out.subarray(0, this.#used)
    this.#used = 0
    this.write(bytes)
    // Taken at once as a rule; where not, the bytes are still needed, and what is appended goes elsewhere.
    if (this.writing) [this.#out, this.#spare] = [this.#spare, this.#out]
  }

  /** Say goodbye with these bytes, and close. */
  end(goodbye: Buffer): void {
    if (this.#closing) return
    this.#closing = true
    if (this.broken === null) this.#socket.end(goodbye)
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  /** Give up the connection, which is at fault for this reason. */
  fail(reason: string): void {
    if (this.#closing) return
    this.broken ??= new BenchError(this.name === '' ? reason : `${this.name}: ${reason}`)
    this.destroy()
    this.onProgress()
  }

  readonly #wrote = (): void => {
    if (!this.writing) this.onProgress()
  }

  #reserve(size: number): number {
    const at = this.#used
    if (at + size > this.#out.length) {
      const larger = Buffer.allocUnsafeSlow((at + size) * 2)
      this.#out.copy(larger, 0, 0, at)
      this.#out = larger
    }
    this.#used = at + size
    return at
  }

  readonly #serve = (first: number, at: number, end: number): void => this.handler.packet(this, first, at, end)

  #read(count: number): boolean {
    this.readAt = nowUs()
    const problem = this.#cutter.cut(count, this.#serve)
    if (problem !== null) this.fail(problem)
    this.onProgress()
    return true
  }

  #textOf({ code, message }: NodeJS.ErrnoException, where: string): string {
    if (!this.#socket.connecting && this.#socket.bytesRead > 0) return `the connection broke (${code ?? message})`
    return `cannot connect to ${where} (${code ?? message}); expected an MQTT broker there`
  }
}

/** Microseconds from some moment on, modulo 2^32 (71 minutes). */
export function nowUs(): number {
  return (performance.now() * 1_000) >>> 0
}

const IDLE: PacketHandler = { packet() {} }
