/**
 * Reads what a broker sends, and takes nothing that MQTT does not allow: for clients that check the broker while others
 * attack it. Throws on the first thing that is wrong.
 */

import type { Message } from '../../src/core/message.ts'
import { readAcknowledgement } from '../../src/wire/acknowledgement.ts'
import type { AcknowledgementType } from '../../src/wire/acknowledgement-writer.ts'
import { PacketCutter } from '../../src/wire/packet-cutter.ts'
import { PublishDecoder } from '../../src/wire/publish-decoder.ts'

export interface StrictPacket {
  type: number
  packetId: number
  message: Message | null
}

/** Types of packets that a server may send. */
const FROM_SERVER = new Set([2, 3, 4, 5, 6, 7, 9, 11, 13, 14])

export class StrictReader {
  readonly #cutter = new PacketCutter(268_435_460)
  readonly #version: number | null
  readonly #decoder: PublishDecoder
  readonly #inUse = new Set<number>()
  #first = true

  /** @param version null: not known, so that only the frames are looked at */
  constructor(version: 3 | 4 | 5 | null) {
    this.#version = version
    this.#decoder = new PublishDecoder(version ?? 4, '', 65_535)
  }

  /** The packets that are whole now. Their messages are good until the next call. */
  read(chunk: Buffer): StrictPacket[] {
    this.#cutter.push(chunk)
    const found: StrictPacket[] = []
    while (this.#cutter.next()) found.push(this.#packet())
    return found
  }

  /** The client is done with this identifier: it may come again. */
  released(packetId: number): void {
    this.#inUse.delete(packetId)
  }

  #packet(): StrictPacket {
    const { bytes, start, body, end } = this.#cutter
    const type = bytes[start]! >> 4
    if (!FROM_SERVER.has(type)) throw new Error(`a packet of type ${type} from a server`)
    if (this.#first !== (type === 2)) throw new Error('CONNACK comes first, and once')
    this.#first = false
    if (type === 13 && (bytes[start] !== 0xd0 || end !== body)) throw new Error('a malformed PINGRESP')
    if (this.#version === null) return { type, packetId: 0, message: null }
    if (type === 3) return this.#publish()
    if (type >= 4 && type <= 7) {
      const read = { packetId: 0, reasonCode: 0 }
      const flags = bytes[start]! & 0x0f
      readAcknowledgement(type as AcknowledgementType, flags, bytes, body, end, this.#version, read)
      return { type, packetId: read.packetId, message: null }
    }
    return { type, packetId: 0, message: null }
  }

  #publish(): StrictPacket {
    const { bytes, start, body, end } = this.#cutter
    const message = this.#decoder.decode(bytes, start, body, end, 0)
    const { packetId } = this.#decoder
    if (packetId !== 0) {
      if (this.#inUse.has(packetId)) throw new Error(`packet identifier ${packetId} is in use [MQTT-2.2.1-4]`)
      this.#inUse.add(packetId)
    }
    return { type: 3, packetId, message }
  }
}
