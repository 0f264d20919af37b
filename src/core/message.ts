/**
 * Message: what travels through the house, from intake to outbox.
 *
 * It does not own its bytes at first: they are a window on the chunk that the socket delivered. Whoever keeps a message
 * beyond the current turn of the event loop calls `keep()` first, or it could hold 64 KiB for a few bytes of payload.
 */

import type { KnownTopic } from './known-topic.ts'

export type QoS = 0 | 1 | 2

/** Bytes that one message may hold for itself: as copies share memory by the 8 KiB, this is no worse than a copy. */
const SMALL_CHUNK = 4_096

export interface MessageFields {
  topic: string
  payload: Buffer
  /** Default 0. */
  qos?: QoS
  /** Default false. */
  retain?: boolean
  /**
   * Properties of an MQTT 5.0 PUBLISH as they stand on the wire: checked, without their length, and without message
   * expiry, topic alias and subscription identifiers, which are made anew on the way out. Default null: none.
   */
  properties?: Buffer | null
  /** Client identifier of the publisher; '' (the default) for the broker itself. */
  from?: string
  /** Milliseconds since the epoch. */
  receivedAt?: number
  /** Milliseconds since the epoch; 0 (the default): never. */
  expiresAt?: number
  /** Packet identifier that its publisher gave it; 0 (the default): none. */
  packetId?: number
}

export class Message {
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  properties: Buffer | null
  readonly from: string
  readonly receivedAt: number
  readonly expiresAt: number

  /**
   * The bytes that the payload stands in, from `payloadStart` to `end`. For a message from a socket they are the PUBLISH
   * packet itself from `start` on, so that it can leave as it came without being encoded again.
   */
  bytes: Buffer
  start: number
  payloadStart: number
  end: number
  /** Protocol level (3, 4, 5) of the packet in `bytes` when it can be sent on but for flags and identifier; else 0. */
  readonly wireVersion: number
  /** What is known of its topic from the messages before it, until it is kept; null: nothing. */
  known: KnownTopic | null
  /** Whether the bytes are its own, and not a socket's chunk. */
  kept = false
  /** Set by the owner of its topic when it knows that nobody is subscribed: the publisher may be told. */
  unmatched = false
  /** For how many it is kept in memory: counted once, see SharedRoom. */
  holders = 0
  /** Packet identifier of the PUBLISH at QoS 1 or 2 that brought it: what its publisher knows it by. 0: none. */
  packetId = 0
  /** Encoder's cache: frames of this message already made (see wire/publish-encoder). */
  frames: unknown = null
  /** Whether frames are kept. Not for messages that stay for long and are read seldom, like retained ones. */
  keepsFrames = true

  /** For the decoder of PUBLISH, which makes millions; everyone else calls `Message.of`. */
  constructor(
    topic: string,
    qos: QoS,
    retain: boolean,
    properties: Buffer | null,
    from: string,
    receivedAt: number,
    expiresAt: number,
    bytes: Buffer,
    start: number,
    payloadStart: number,
    end: number,
    wireVersion: number,
    known: KnownTopic | null,
  ) {
    this.topic = topic
    this.qos = qos
    this.retain = retain
    this.properties = properties
    this.from = from
    this.receivedAt = receivedAt
    this.expiresAt = expiresAt
    this.bytes = bytes
    this.start = start
    this.payloadStart = payloadStart
    this.end = end
    this.wireVersion = wireVersion
    this.known = known
  }

  /** A message made here: by the broker, by a plugin, or read from the store. It owns its payload. */
  static of(fields: MessageFields): Message {
    const {
      topic,
      payload,
      qos = 0,
      retain = false,
      properties = null,
      from = '',
      receivedAt = 0,
      expiresAt = 0,
      packetId = 0,
    } = fields
    const end = payload.length
    const message = new Message(
      topic,
      qos,
      retain,
      properties,
      from,
      receivedAt,
      expiresAt,
      payload,
      0,
      0,
      end,
      0,
      null,
    )
    message.kept = true
    message.packetId = packetId
    return message
  }

  /** Bytes that it takes, about. */
  get weight(): number {
    return this.payloadLength + this.topic.length + (this.properties?.length ?? 0)
  }

  get payloadLength(): number {
    return this.end - this.payloadStart
  }

  /** The payload: a view, not to be written to, and not to be held beyond this turn unless `keep()` was called. */
  get payload(): Buffer {
    return this.bytes.subarray(this.payloadStart, this.end)
  }

  /**
   * Let go of the socket's chunk, unless that is small: copies the packet's bytes, once, to memory that it shares with few.
   * Returns this.
   */
  keep(): this {
    if (this.kept) return this
    if (this.bytes.buffer.byteLength <= SMALL_CHUNK) {
      this.known = null
      this.kept = true
      return this
    }
    const { start } = this
    const bytes = Buffer.allocUnsafe(this.end - start)
    this.bytes.copy(bytes, 0, start, this.end)
    if (this.properties !== null) this.properties = Buffer.from(this.properties)
    this.bytes = bytes
    this.payloadStart -= start
    this.end -= start
    this.start = 0
    this.known = null
    this.kept = true
    return this
  }

  /** The same message in memory of its own: for those that are kept for very long, like retained ones. */
  copy(): Message {
    return this.on(this.topic)
  }

  /** The same message on another topic, in memory of its own. */
  on(topic: string): Message {
    const { qos, retain, from, receivedAt, expiresAt, packetId } = this
    const payload = Buffer.allocUnsafeSlow(this.payloadLength)
    this.bytes.copy(payload, 0, this.payloadStart, this.end)
    const properties = this.properties === null ? null : Buffer.from(this.properties)
    return Message.of({ topic, payload, qos, retain, properties, from, receivedAt, expiresAt, packetId })
  }
}
