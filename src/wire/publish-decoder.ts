/**
 * PUBLISH as it comes from a client, decoded strictly. One decoder a connection: publishers stay on few topics, so the
 * last topic's bytes are compared, then those of the topics of all, before a new string is made of them.
 */

import type { KnownTopic } from '../core/known-topic.ts'
import { Message, type QoS } from '../core/message.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { MAX_TOPIC_BYTES, topicProblem } from '../core/topics.ts'
import { readPublishProperties } from './publish-properties.ts'
import { readVarint, varintBytes } from './reader.ts'
import { readName } from './text.ts'
import { IncomingAliases } from './topic-aliases.ts'
import { TopicTable } from './topic-table.ts'

export class PublishDecoder {
  /** Packet identifier of the message decoded last; 0 at QoS 0. */
  packetId = 0

  readonly #version: number
  readonly #from: string
  readonly #maxLevels: number
  readonly #maxTopicBytes: number
  /** Where topics are looked for that are not the last one. */
  readonly #topics: TopicTable
  /** The topic decoded last. */
  #topic: KnownTopic | null = null
  readonly #maxAlias: number
  /** Null until the client uses one. */
  #aliases: IncomingAliases | null = null

  /**
   * @param version protocol level of the connection: 3, 4 or 5
   * @param from the publisher's client identifier
   * @param maxLevels levels that a topic may have
   * @param maxAlias the Topic Alias Maximum that the client was told; 0: none
   * @param topics shared with the decoders of other connections that have the same limits for topics
   * @param maxTopicBytes bytes that a topic may have
   */
  constructor(
    version: number,
    from: string,
    maxLevels: number,
    maxAlias = 0,
    topics = new TopicTable(),
    maxTopicBytes = MAX_TOPIC_BYTES,
  ) {
    this.#version = version
    this.#from = from
    this.#maxLevels = maxLevels
    this.#maxAlias = maxAlias
    this.#topics = topics
    this.#maxTopicBytes = maxTopicBytes
  }

  /** Bytes of topics that it remembers: what its aliases stand for, and a long one that is in no table. */
  get heldBytes(): number {
    const topic = this.#topic
    return (this.#aliases?.bytes ?? 0) + (topic !== null && topic.index < 0 ? topic.text.length : 0)
  }

  /** Decode the PUBLISH in `bytes` from `start`, its body from `body` to `end`. Throws Refusal 0x81, 0x82, 0x90 or 0x94. */
  decode(bytes: Buffer, start: number, body: number, end: number, now: number): Message {
    const first = bytes[start]!
    const qos = ((first >> 1) & 3) as QoS
    if (first & 6 && (first & 6) === 6) throw malformed('QoS 3') // [MQTT-3.3.1-4]
    if (first & 8 && qos === 0) throw malformed('DUP at QoS 0') // [MQTT-3.3.1-2]
    if (body + 2 > end) throw malformed('no topic')
    const topicStart = body + 2
    let at = topicStart + ((bytes[body]! << 8) | bytes[body + 1]!)
    if (at > end) throw malformed('a topic cut short')
    const topicEnd = at
    this.packetId = 0
    if (qos > 0) {
      if (at + 2 > end) throw malformed('no packet identifier')
      this.packetId = (bytes[at]! << 8) | bytes[at + 1]!
      if (this.packetId === 0) throw new Refusal(ReasonCode.ProtocolError, 'PUBLISH with packet identifier 0') // [MQTT-2.2.1-3]
      at += 2
    }
    const retain = (first & 1) === 1
    if (this.#version !== 5) {
      const topic = this.#readTopic(bytes, topicStart, topicEnd)
      return new Message(topic.text, qos, retain, null, this.#from, now, 0, bytes, start, at, end, 4, topic)
    }
    return this.#decode5(bytes, start, topicStart, topicEnd, at, end, qos, retain, now)
  }

  /** The rest of a PUBLISH of MQTT 5.0: properties, from `at`, and payload. */
  #decode5(
    bytes: Buffer,
    start: number,
    topicStart: number,
    topicEnd: number,
    at: number,
    end: number,
    qos: QoS,
    retain: boolean,
    now: number,
  ): Message {
    if (at < end && bytes[at] === 0) {
      const topic = this.#readTopic(bytes, topicStart, topicEnd)
      return new Message(topic.text, qos, retain, null, this.#from, now, 0, bytes, start, at + 1, end, 5, topic)
    }
    const propertiesLength = readVarint(bytes, at, end)
    const propertiesStart = at + varintBytes(propertiesLength)
    const payloadStart = propertiesStart + propertiesLength
    if (payloadStart > end) throw malformed('properties cut short')
    const properties = readPublishProperties(bytes, propertiesStart, payloadStart)
    const { topicAlias } = properties
    const topic =
      topicAlias === 0
        ? this.#readTopic(bytes, topicStart, topicEnd)
        : this.#readAliased(topicAlias, bytes, topicStart, topicEnd)
    const expires = properties.expirySeconds >= 0
    const expiresAt = expires ? now + properties.expirySeconds * 1000 : 0
    // The alias is the publisher's: no subscriber must see it.
    const wireVersion = expires || topicAlias !== 0 ? 0 : 5
    return new Message(
      topic.text,
      qos,
      retain,
      properties.passedOn,
      this.#from,
      now,
      expiresAt,
      bytes,
      start,
      payloadStart,
      end,
      wireVersion,
      topic,
    )
  }

  /** The topic of a PUBLISH with an alias, which it defines or, when its own topic is empty, uses. */
  #readAliased(alias: number, bytes: Buffer, start: number, end: number): KnownTopic {
    this.#aliases ??= new IncomingAliases(this.#maxAlias)
    if (start === end) return this.#aliases.topicOf(alias)
    const topic = this.#readTopic(bytes, start, end)
    this.#aliases.define(alias, topic)
    return topic
  }

  #readTopic(bytes: Buffer, start: number, end: number): KnownTopic {
    const last = this.#topic
    const length = end - start
    if (last?.is(bytes, start, length)) return last
    if (length === 0) {
      throw new Refusal(ReasonCode.ProtocolError, 'PUBLISH with neither a topic nor a topic alias') // section 3.3.2.1
    }
    const topic = this.#topics.find(bytes, start, length, last) ?? this.#newTopic(bytes, start, end)
    this.#topic = topic
    return topic
  }

  #newTopic(bytes: Buffer, start: number, end: number): KnownTopic {
    const text = readName(bytes, start, end)
    const problem = topicProblem(text, this.#maxLevels, this.#maxTopicBytes)
    if (problem !== null) throw new Refusal(ReasonCode.TopicNameInvalid, problem)
    return this.#topics.add(text, bytes, start, end - start)
  }
}

function malformed(what: string): Refusal {
  return new Refusal(ReasonCode.MalformedPacket, `PUBLISH with ${what}`)
}
