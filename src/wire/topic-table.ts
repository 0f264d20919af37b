/**
 * The topics of all connections, found by their bytes: where a publisher has many topics, no string is made of them and
 * nothing is checked again.
 *
 * A topic is kept when it comes for the second time: those that never come again (a topic for each answer, say) cost the
 * others no place. With ten thousand topics it is the cache misses that cost. So topics stand in the order in which they
 * came, their bytes in one block; and since publishers come round again in that order, the next one is looked at first.
 */

import { KnownTopic } from '../core/known-topic.ts'

/** Places for hashes; a power of two. Each topic has a choice of four. */
const PLACES = 65_536
const CHOICES = 4
/** Longer topics are not kept. */
const MAX_BYTES = 256
/** How many topics are kept, and how many bytes they have in all. When that is full, the table begins anew. */
const MAX_TOPICS = 32_768
const BLOCK_BYTES = 2_097_152

export class TopicTable {
  /** Pairs by place: the hash of a topic that came, and its index plus one; 0 when it came only once. */
  #places: Int32Array = NO_PLACES
  /** The topics that are kept, in the order in which they came. */
  #topics: KnownTopic[] = []
  #block: Buffer = NO_BYTES
  #used = 0
  /** Where among the four the next topic is put first. */
  #turn = 0
  /** Hash of the topic that was looked for last. */
  #hash = 0

  /**
   * The topic in `bytes` from `start` on, if it is kept; else null, and `add` is to be called next when it is a topic.
   * @param last the topic before it on the same connection
   */
  find(bytes: Uint8Array, start: number, length: number, last: KnownTopic | null): KnownTopic | null {
    const topics = this.#topics
    const next = last === null ? topics.length : last.index + 1
    if (next < topics.length && topics[next]!.is(bytes, start, length)) return topics[next]!
    const hash = hashOf(bytes, start, length)
    this.#hash = hash
    const places = this.#places
    if (places.length === 0) return null
    const end = firstOf(hash) + 2 * CHOICES
    for (let at = end - 2 * CHOICES; at < end; at += 2) {
      if (places[at] !== hash || places[at + 1] === 0) continue
      const topic = topics[places[at + 1]! - 1]!
      if (topic.is(bytes, start, length)) return topic
    }
    return null
  }

  /** The topic that `find` did not find: kept, when it came before. */
  add(text: string, bytes: Uint8Array, start: number, length: number): KnownTopic {
    if (length > MAX_BYTES) return alone(text, bytes, start, length)
    if (this.#isFull) this.#begin()
    const hash = this.#hash
    const places = this.#places
    const first = firstOf(hash)
    for (let at = first; at < first + 2 * CHOICES; at += 2) {
      if (places[at] !== hash || places[at + 1] !== 0) continue
      const topic = this.#keep(text, bytes, start, length)
      places[at + 1] = topic.index + 1
      return topic
    }
    this.#note(hash, first)
    return alone(text, bytes, start, length)
  }

  get #isFull(): boolean {
    return this.#places.length === 0 || this.#topics.length >= MAX_TOPICS || this.#used + MAX_BYTES > BLOCK_BYTES
  }

  /** A topic came for the first time: it takes a free place, or one where nothing is kept, or else any of the four. */
  #note(hash: number, first: number): void {
    const places = this.#places
    const turn = this.#turn
    this.#turn = (turn + 1) % CHOICES
    let place = first + 2 * turn
    for (let n = 0; n < CHOICES; n++) {
      const other = first + 2 * ((turn + n) % CHOICES)
      if (places[other + 1] === 0) place = other
      if (places[other] === 0) break
    }
    places[place] = hash
    places[place + 1] = 0
  }

  #keep(text: string, bytes: Uint8Array, start: number, length: number): KnownTopic {
    const at = this.#used
    const block = this.#block
    for (let i = 0; i < length; i++) block[at + i] = bytes[start + i]!
    this.#used = at + length
    const topic = new KnownTopic(text, block, at, length, this.#topics.length)
    this.#topics.push(topic)
    return topic
  }

  #begin(): void {
    this.#places = new Int32Array(2 * PLACES)
    this.#topics = []
    this.#block = Buffer.alloc(BLOCK_BYTES) // of the system's zeros: what is not used takes no memory
    this.#used = 0
  }
}

/** Where the pairs of the four places begin that a topic with this hash may have. */
function firstOf(hash: number): number {
  return 2 * (hash & (PLACES - CHOICES))
}

/** One that is not kept in the table, but perhaps by a connection that stays on it. */
function alone(text: string, bytes: Uint8Array, start: number, length: number): KnownTopic {
  return new KnownTopic(text, Buffer.from(bytes.subarray(start, start + length)), 0, length, -1)
}

/** Four bytes at a time; each step spreads them over the whole number, whose lowest bits choose the place. */
function hashOf(bytes: Uint8Array, start: number, length: number): number {
  const end = start + length
  let hash = length
  let i = start
  for (; i + 4 <= end; i += 4) {
    const four = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    hash = Math.imul(hash ^ four, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

const NO_PLACES = new Int32Array(0)
const NO_BYTES = Buffer.alloc(0)
