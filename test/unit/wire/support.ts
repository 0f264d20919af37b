/** What the tests of the decoders share: packets as another implementation writes them, and what became of them. */

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
