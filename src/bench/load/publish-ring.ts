/**
 * A publisher's PUBLISH packets, made once: sending one is stamping a number and a time into bytes that lie ready.
 *
 * Message n is in slot n mod slots, with a topic of its own where the publisher has several. What is sent is a run of
 * neighbouring slots, so many messages are one write. A slot is stamped again only after its bytes have left.
 *
 * The payload begins with four numbers of 32 bits: the tag of the run, the publisher, the message's number, and when
 * it was due in microseconds; the rest is filling.
 */

import { type BenchQoS, type MqttVersion, packet, text, uint16, varint } from './packets.ts'

/** Bytes of payload that the four numbers take: no payload is smaller. */
export const STAMP_BYTES = 16

/** Enough for a write to be worth its system call. */
const RING_BYTES = 65_536

export interface PublishShape {
  readonly version: MqttVersion
  readonly qos: BenchQoS
  /** All of one length. */
  readonly topics: readonly string[]
  readonly payloadBytes: number
  /** MQTT 5 only. */
  readonly userProperties?: ReadonlyArray<readonly [string, string]> | undefined
}

export class PublishRing {
  /** A multiple of the number of topics. */
  readonly slots: number
  /** Bytes of one packet. */
  readonly size: number
  readonly #bytes: Buffer
  readonly #view: DataView
  /** Offsets in a slot; 0 where there is no packet identifier. */
  readonly #idOffset: number
  readonly #payloadOffset: number

  constructor(shape: PublishShape, tag: number, publisher: number) {
    const { topics, qos } = shape
    const properties = encodeProperties(shape)
    const models = topics.map((topic) => encode(shape, topic, properties, [tag, publisher, 0, 0]))
    this.size = models[0]!.length
    if (models.some(({ length }) => length !== this.size)) throw new RangeError('topics of different lengths')
    this.slots = topics.length * Math.max(1, Math.floor(RING_BYTES / (this.size * topics.length)))
    this.#payloadOffset = this.size - shape.payloadBytes
    this.#idOffset = qos === 0 ? 0 : this.#payloadOffset - properties.length - 2
    this.#bytes = Buffer.allocUnsafeSlow(this.slots * this.size)
    for (let slot = 0; slot < this.slots; slot++) models[slot % topics.length]!.copy(this.#bytes, slot * this.size)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset)
  }

  /** How many messages from number `sequence` on are neighbours. */
  run(sequence: number): number {
    return this.slots - (sequence % this.slots)
  }

  /** Stamp message `sequence`. @param dueUs its time, microseconds modulo 2^32; @param packetId ignored at QoS 0 */
  stamp(sequence: number, dueUs: number, packetId: number): void {
    const at = (sequence % this.slots) * this.size
    const payload = at + this.#payloadOffset
    this.#view.setUint32(payload + 8, sequence)
    this.#view.setUint32(payload + 12, dueUs)
    if (this.#idOffset > 0) this.#view.setUint16(at + this.#idOffset, packetId)
  }

  /** The packets of `count` neighbouring messages, not copied. */
  packets(sequence: number, count: number): Buffer {
    const at = (sequence % this.slots) * this.size
    return this.#bytes.subarray(at, at + count * this.size)
  }
}

/** Their length included; nothing before MQTT 5. */
function encodeProperties({ version, userProperties = [] }: PublishShape): Buffer {
  if (version !== 5) return Buffer.alloc(0)
  const pairs = userProperties.flatMap(([name, value]) => [Buffer.from([0x26]), text(name), text(value)])
  const bytes = Buffer.concat(pairs)
  return Buffer.concat([varint(bytes.length), bytes])
}

function encode({ qos, payloadBytes }: PublishShape, topic: string, properties: Buffer, stamp: number[]): Buffer {
  const payload = Buffer.alloc(payloadBytes, 'eventflow')
  for (const [place, number] of stamp.entries()) payload.writeUInt32BE(number, place * 4)
  return packet(0x30 | (qos << 1), [text(topic), uint16(0).subarray(qos > 0 ? 0 : 2), properties, payload])
}
