/**
 * One connection of the load: bytes in, cut into packets; bytes out, gathered and written once a turn of the event loop.
 *
 * All connections of a load read into one buffer (`onread`), and packets are served where they lie. The beginning of a
 * packet that was cut off is kept, and laid right before the next bytes of its connection, so a packet is always in
 * one piece and nothing else is ever copied.
 */

import { createConnection, type Socket } from 'node:net'
import { BenchError } from './errors.ts'

/** What a connection's packets are given to. `end` is where the packet ends, `at` where its fixed header does. */
export interface PacketHandler {
  packet(link: Link, first: number, at: number, end: number): void
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** The buffer that all connections of a load read into. */
export class ReadBuffer {
  readonly bytes: Buffer
  readonly view: DataView
  /** Where what is read begins; before it is room for what was left of a packet. */
  readonly head: number

  /** @param largestPacket in bytes */
  constructor(largestPacket: number) {
    this.head = Math.max(65_536, largestPacket + 5)
    this.bytes = Buffer.allocUnsafeSlow(this.head + 65_536)
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
  }
}

export class Link {
  /** What errors call it; empty: nothing. */
  readonly name: string
  handler: PacketHandler = IDLE
  /** When what is being served was read: microseconds, modulo 2^32. */
  readAt = 0
  /** Why the connection broke; null while it has not. */
  broken: BenchError | null = null
  /** Called at the end of whatever may let the load go on: bytes came, bytes left, or the connection broke. */
  onProgress: () => void = () => {}

  readonly #socket: Socket
  readonly #input: ReadBuffer
  #rest = Buffer.allocUnsafeSlow(256)
  #restLength = 0
  #out = Buffer.allocUnsafeSlow(1_024)
  #spare = Buffer.allocUnsafeSlow(0)
  #used = 0
  #closing = false

  /** Connects at once; what is written before it has waits. */
  constructor(name: string, { host, port }: Address, input: ReadBuffer) {
    this.name = name
    this.#input = input
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

  /** What is being served, from `at` to `end`: gone when the handler returns. */
  bytes(at: number, end: number): Buffer {
    return this.#input.bytes.subarray(at, end)
  }

  byte(at: number): number {
    return this.#input.bytes[at]!
  }

  uint16(at: number): number {
    return this.#input.view.getUint16(at)
  }

  uint32(at: number): number {
    return this.#input.view.getUint32(at)
  }

  /** Where what follows the MQTT 5 properties at `at` begins. */
  afterProperties(at: number): number {
    const { bytes } = this.#input
    let length = 0
    let from = at
    for (let shift = 0, digit = 0x80; digit >= 0x80 && shift < 28; shift += 7) {
      digit = bytes[from++]!
      length |= (digit & 0x7f) << shift
    }
    return from + length
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

  #read(count: number): boolean {
    const { bytes, head } = this.#input
    this.readAt = nowUs()
    let at = head - this.#restLength
    if (this.#restLength > 0) this.#rest.copy(bytes, at, 0, this.#restLength)
    try {
      at = this.#serve(at, head + count)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.fail('the broker sent a malformed packet') // it pointed beyond all that was read
    }
    if (this.broken === null) this.#keep(at, head + count)
    this.onProgress()
    return true
  }

  /** Serve the whole packets from `at` to `end`; returns where the rest begins. */
  #serve(start: number, end: number): number {
    const { bytes } = this.#input
    let at = start
    while (end - at >= 2) {
      let body = at + 1
      let length = 0
      let shift = 0
      let digit = 0x80
      while (digit >= 0x80 && body < end && shift < 28) {
        digit = bytes[body++]!
        length |= (digit & 0x7f) << shift
        shift += 7
      }
      if (digit >= 0x80 && shift >= 28) this.fail('the broker sent a packet with a malformed length')
      if (digit >= 0x80 || body + length > end) break
      this.handler.packet(this, bytes[at]!, body, body + length)
      at = body + length
    }
    return at
  }

  #keep(at: number, end: number): void {
    const size = end - at
    this.#restLength = size
    if (size === 0) return
    if (size > this.#rest.length) this.#rest = Buffer.allocUnsafeSlow(size * 2)
    this.#input.bytes.copy(this.#rest, 0, at, end)
    if (size > this.#input.head) this.fail('the broker sent a larger packet than any that was published')
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
