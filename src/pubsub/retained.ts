/** Retained messages: the last one of each topic that was published with the retain flag. */

import type { Message } from '../core/message.ts'
import type { TopicCursor } from './topic-cursor.ts'
import { TopicTree } from './topic-tree.ts'

export interface RetainedLimits {
  readonly maxMessages: number
  /** Of memory, as `Retained.memory` estimates it. */
  readonly maxBytes: number
}

/** What a message takes beside its bytes, and a level of the tree: measured. Deep topics of few bytes take much. */
const MESSAGE_BYTES = 300
const LEVEL_BYTES = 200

export class Retained {
  readonly #tree = new TopicTree<Message>()
  /** What `hasRoomFor` goes by. */
  limits: RetainedLimits
  #expiring = 0
  #bytes = 0
  #topicBytes = 0

  /** @param limits default: none */
  constructor(limits: RetainedLimits = { maxMessages: Infinity, maxBytes: Infinity }) {
    this.limits = limits
  }

  get size(): number {
    return this.#tree.size
  }

  /** How many of them have an expiry. */
  get expiring(): number {
    return this.#expiring
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes of memory that all of it takes, estimated. */
  get memory(): number {
    return this.#bytes + this.#topicBytes + LEVEL_BYTES * this.#tree.nodes + MESSAGE_BYTES * this.#tree.size
  }

  /** Whether the message fits, in the place of the one that its topic has. */
  hasRoomFor({ topic, payloadLength }: Message): boolean {
    const { maxMessages, maxBytes } = this.limits
    const { memory } = this
    if (this.size < maxMessages && memory + payloadLength + topic.length <= maxBytes) return true
    const before = this.#tree.get(topic)
    return before !== null && memory + payloadLength - before.payloadLength <= maxBytes
  }

  set(message: Message): void {
    message.keepsFrames = false // or those that are read once would take twice the memory for good
    const before = this.#tree.set(message.topic, message)
    if (before === null) this.#topicBytes += message.topic.length
    this.#expiring += Number(expires(message)) - Number(before !== null && expires(before))
    this.#bytes += message.payloadLength - (before?.payloadLength ?? 0)
  }

  /** Returns whether there was one. */
  delete(topic: string): boolean {
    const before = this.#tree.delete(topic)
    if (before === null) return false
    this.#topicBytes -= topic.length
    if (expires(before)) this.#expiring--
    this.#bytes -= before.payloadLength
    return true
  }

  /** Goes through those that `filter` matches. Topics that start with $ are hidden from a leading wildcard. */
  cursor(filter: string): TopicCursor<Message> {
    return this.#tree.cursor(filter)
  }

  everything(): TopicCursor<Message> {
    return this.#tree.everything()
  }
}

function expires(message: Message): boolean {
  return message.expiresAt !== 0
}
