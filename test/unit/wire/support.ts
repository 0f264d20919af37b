/** What the tests of the decoders share: packets by hand, and what became of them. */

import { generate as encode, type Packet } from 'mqtt-packet'
import { Refusal } from '../../../src/core/reason-codes.ts'

/** The reason code with which `action` is refused; 'accepted' if it is not. Any other error is a fault, and thrown. */
export function outcome(action: () => unknown): number | 'accepted' {
  try {
    action()
    return 'accepted'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

/** Bytes from numbers, strings (their UTF-8, with its length before it) and other bytes. */
export function bytes(...parts: Array<number | string | Buffer>): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'number') return Buffer.from([part])
      if (typeof part !== 'string') return part
      const text = Buffer.from(part)
      return Buffer.concat([Buffer.from([text.length >> 8, text.length & 0xff]), text])
    }),
  )
}

/** Properties (under 128 bytes) with their length before them. */
export function properties(...parts: Array<number | string | Buffer>): Buffer {
  const all = bytes(...parts)
  return Buffer.concat([Buffer.from([all.length]), all])
}

export interface CutPacket {
  type: number
  flags: number
  bytes: Buffer
  /** Where the body begins. */
  start: number
  end: number
}

/** A packet as another implementation writes it. */
export function generate(packet: Packet, version: number): CutPacket {
  const encoded = encode(packet, { protocolVersion: version })
  let start = 1
  while (encoded[start++]! >= 0x80);
  return { type: encoded[0]! >> 4, flags: encoded[0]! & 15, bytes: encoded, start, end: encoded.length }
}
