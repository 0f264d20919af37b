/** Retained messages: the last one of each topic that was published with the retain flag. */

import type { Message } from '../core/message.ts'
import type { TopicCursor } from './topic-cursor.ts'
import { TopicTree } from './topic-tree.ts'

export class Retained {
  readonly #tree = new TopicTree<Message>()
  #expiring = 0
  #bytes = 0

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

  set(message: Message): void {
    message.keepsFrames = false // or those that are read once would take twice the memory for good
    const before = this.#tree.set(message.topic, message)
    this.#expiring += Number(expires(message)) - Number(before !== null && expires(before))
    this.#bytes += message.payloadLength - (before?.payloadLength ?? 0)
  }

  /** Returns whether there was one. */
  delete(topic: string): boolean {
    const before = this.#tree.delete(topic)
    if (before === null) return false
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
