/**
 * A cursor over the body of one control packet. Whatever would run past its end is refused as malformed.
 *
 * For the packets that are rare. PUBLISH and acknowledgements are read in place, without an object.
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { readName } from './text.ts'

export class Reader {
  readonly bytes: Buffer
  /** Where the next value begins. */
  position: number
  readonly end: number

  /** Reads from `start` to `end`, both within `bytes`. */
  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes
    this.position = start
    this.end = end
  }

  get atEnd(): boolean {
    return this.position === this.end
  }

  u8(): number {
    return this.bytes[this.skip(1)]!
  }

  u16(): number {
    return readU16(this.bytes, this.skip(2))
  }

  u32(): number {
    return readU32(this.bytes, this.skip(4))
  }

  /** A variable byte integer. */
  varint(): number {
    const value = readVarint(this.bytes, this.position, this.end)
    this.position += varintBytes(value)
    return value
  }

  /** A UTF-8 string that names something, with its length before it. */
  name(): string {
    const length = this.u16()
    const start = this.skip(length)
    return readName(this.bytes, start, start + length)
  }

  /** Binary data with its length before it: a view, not a copy. */
  binary(): Buffer {
    const length = this.u16()
    const start = this.skip(length)
    return this.bytes.subarray(start, start + length)
  }

  /** Step over `count` bytes; returns where they began. */
  skip(count: number): number {
    const start = this.position
    if (count > this.end - start) throw cutShort()
    this.position = start + count
    return start
  }

  /** Refuse what is left over. */
  finish(): void {
    if (!this.atEnd) throw new Refusal(ReasonCode.MalformedPacket, 'there are surplus bytes at the end of the packet')
  }
}

/** Two bytes, most significant first. The caller has made sure that they are there. */
export function readU16(bytes: Buffer, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** Four bytes, most significant first. The caller has made sure that they are there. */
export function readU32(bytes: Buffer, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)
}

/**
 * The variable byte integer at `at`: one to four bytes, no more than its value needs [MQTT-1.5.5-1]. That makes
 * `varintBytes` of the value the number of bytes it took.
 * @throws Refusal 0x81
 */
export function readVarint(bytes: Buffer, at: number, end: number): number {
  let value = 0
  for (let i = 0; i < 4; i++) {
    if (at + i >= end) throw cutShort()
    const byte = bytes[at + i]!
    value |= (byte & 0x7f) << (7 * i)
    if (byte >= 0x80) continue
    if (byte === 0 && i > 0) break
    return value
  }
  throw new Refusal(ReasonCode.MalformedPacket, 'a variable byte integer is malformed')
}

/** How many bytes a variable byte integer takes. */
export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4
}

/** Write a variable byte integer at `at`; returns where it ends. */
export function putVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

/** What to throw when a packet ends in the middle of a value. */
export function cutShort(): Refusal {
  return new Refusal(ReasonCode.MalformedPacket, 'the packet is cut short')
}
