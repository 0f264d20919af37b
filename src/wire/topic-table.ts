/**
 * The topics of all connections, found by their bytes: where a publisher has many topics, no string is made of them and
 * nothing is checked again.
 *
 * A topic is kept when it comes for the second time: those that never come again (a topic for each answer, say) cost the
 * others no place. With ten thousand topics it is the cache misses that cost, so what is looked at is small and stands
 * together: the hashes of four neighbours in one line of the cache, and the bytes of all topics in one block.
 */

import { KnownTopic } from '../core/known-topic.ts'

/** Places; a power of two. Each topic has a choice of four. */
const PLACES = 65_536
const CHOICES = 4
/** Longer topics are not kept. */
const MAX_BYTES = 256
/** For the bytes of all topics. When it is full, the table begins anew. */
const BLOCK_BYTES = 2_097_152

export class TopicTable {
  /** Hashes of topics that came, by place; the table is made when the first topic comes. */
  #hashes: Int32Array = NO_HASHES
  /** The topics that are kept, by place; null where one came only once. */
  #topics: Array<KnownTopic | null> = []
  #block: Buffer = NO_BYTES
  #used = 0
  /** Where among the four the next topic is put first. */
  #turn = 0
  /** Hash of the topic that was looked for last. */
  #hash = 0

  /** The topic in `bytes` from `start` on, if it is kept; else null, and `add` is to be called next when it is a topic. */
  find(bytes: Uint8Array, start: number, length: number): KnownTopic | null {
    const hash = hashOf(bytes, start, length)
    this.#hash = hash
    const hashes = this.#hashes
    if (hashes.length === 0) return null
    const first = hash & (PLACES - CHOICES)
    for (let place = first; place < first + CHOICES; place++) {
      if (hashes[place] !== hash) continue
      const topic = this.#topics[place]!
      if (topic?.is(bytes, start, length)) return topic
    }
    return null
  }

  /** The topic that `find` did not find: kept, when it came before. */
  add(text: string, bytes: Uint8Array, start: number, length: number): KnownTopic {
    if (length > MAX_BYTES) return alone(text, bytes, start, length)
    if (this.#hashes.length === 0 || this.#used + MAX_BYTES > BLOCK_BYTES) this.#begin()
    const hash = this.#hash
    const hashes = this.#hashes
    const first = hash & (PLACES - CHOICES)
    for (let place = first; place < first + CHOICES; place++) {
      if (hashes[place] !== hash || this.#topics[place] !== null) continue
      const topic = this.#keep(text, bytes, start, length)
      this.#topics[place] = topic
      return topic
    }
    this.#note(hash, first)
    return alone(text, bytes, start, length)
  }

  /** A topic came for the first time: it takes a free place, or one where nothing is kept, or else any of the four. */
  #note(hash: number, first: number): void {
    const turn = this.#turn
    this.#turn = (turn + 1) % CHOICES
    let place = first + turn
    for (let n = 0; n < CHOICES; n++) {
      const other = first + ((turn + n) % CHOICES)
      if (this.#topics[other] === null) place = other
      if (this.#hashes[other] === 0) break
    }
    this.#hashes[place] = hash
    this.#topics[place] = null
  }

  #keep(text: string, bytes: Uint8Array, start: number, length: number): KnownTopic {
    const at = this.#used
    const block = this.#block
    for (let i = 0; i < length; i++) block[at + i] = bytes[start + i]!
    this.#used = at + length
    return new KnownTopic(text, block, at, length)
  }

  #begin(): void {
    this.#hashes = new Int32Array(PLACES)
    this.#topics = new Array(PLACES).fill(null)
    this.#block = Buffer.alloc(BLOCK_BYTES) // of the system's zeros: what is not used takes no memory
    this.#used = 0
  }
}

/** One that is not kept in the table, but perhaps by a connection that stays on it. */
function alone(text: string, bytes: Uint8Array, start: number, length: number): KnownTopic {
  return new KnownTopic(text, Buffer.from(bytes.subarray(start, start + length)), 0, length)
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

const NO_HASHES = new Int32Array(0)
const NO_BYTES = Buffer.alloc(0)
