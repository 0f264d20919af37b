/**
 * Bytes in, cut into packets. All connections of a load read into one buffer (`onread`), and packets are served where they
 * lie. The beginning of a packet that was cut off is kept, and laid right before the next bytes of its connection: so a
 * packet is always in one piece, and nothing else is ever copied.
 */

/** Is given a packet: its first byte, where its fixed header ends in the buffer, and where it ends. */
export type Serve = (first: number, at: number, end: number) => void

export class ReadBuffer {
  readonly bytes: Buffer
  /** Where what is read begins; before it is room for what was left of a packet. */
  readonly head: number
  readonly #view: DataView

  /** @param largestPacket in bytes */
  constructor(largestPacket: number) {
    this.head = Math.max(65_536, largestPacket + 5)
    this.bytes = Buffer.allocUnsafeSlow(this.head + 65_536)
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
  }

  /** From `at` to `end`, not copied: gone when the next bytes come. */
  slice(at: number, end: number): Buffer {
    return this.bytes.subarray(at, end)
  }

  byte(at: number): number {
    return this.bytes[at]!
  }

  /** @throws RangeError beyond the buffer */
  uint16(at: number): number {
    return this.#view.getUint16(at)
  }

  /** @throws RangeError beyond the buffer */
  uint32(at: number): number {
    return this.#view.getUint32(at)
  }

  /** Where what follows the MQTT 5 properties at `at` begins. */
  afterProperties(at: number): number {
    let length = 0
    let from = at
    for (let shift = 0, digit = 0x80; digit >= 0x80 && shift < 28; shift += 7) {
      digit = this.bytes[from++]!
      length |= (digit & 0x7f) << shift
    }
    return from + length
  }
}

/** What one connection has of a packet that is not yet whole. */
export class Cutter {
  readonly #input: ReadBuffer
  #rest = Buffer.allocUnsafeSlow(256)
  #restLength = 0

  constructor(input: ReadBuffer) {
    this.#input = input
  }

  /** Serve what `count` new bytes have made whole. Returns what is wrong with them; null: nothing. */
  cut(count: number, serve: Serve): string | null {
    const { bytes, head } = this.#input
    const end = head + count
    const start = head - this.#restLength
    this.#rest.copy(bytes, start, 0, this.#restLength)
    try {
      return this.#keep(this.#serve(start, end, serve), end)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return MALFORMED // it pointed beyond all that was read
    }
  }

  /** Serve the whole packets from `start` to `end`; returns where the rest begins. */
  #serve(start: number, end: number, serve: Serve): number {
    const { bytes } = this.#input
    let at = start
    while (end - at >= 2) {
      let body = at + 1
      let length = 0
      let shift = 0
      let digit = 0x80
      while (digit >= 0x80 && body < end) {
        if (shift > 21) throw new RangeError(MALFORMED)
        digit = bytes[body++]!
        length |= (digit & 0x7f) << shift
        shift += 7
      }
      if (digit >= 0x80 || body + length > end) break
      serve(bytes[at]!, body, body + length)
      at = body + length
    }
    return at
  }

  #keep(at: number, end: number): string | null {
    const size = end - at
    if (size > this.#input.head) return 'the broker sent a larger packet than any that was published'
    if (size > this.#rest.length) this.#rest = Buffer.allocUnsafeSlow(size * 2)
    this.#input.bytes.copy(this.#rest, 0, at, end)
    this.#restLength = size
    return null
  }
}

const MALFORMED = 'the broker sent a malformed packet'
