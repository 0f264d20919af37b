/**
 * Topics that were decoded lately, found by their bytes: no string is made, and nothing checked again, for a topic that is
 * here. One table serves all connections of a broker, and hands out one string for one topic, so that whoever looks the
 * topic up in a Map compares references, and not text.
 *
 * The bytes stand in one block of memory, a place of fixed size each: with 10,000 topics in turn it is the cache misses
 * that cost, and a topic in a Buffer of its own has three more.
 */

/** A byte for the length, and the topic. */
const PLACE_BYTES = 256
/** Longer topics are not kept. */
const MAX_BYTES = PLACE_BYTES - 1

export class TopicTable {
  readonly #mask: number
  readonly #texts: string[]
  readonly #bytes: Buffer

  /** @param size how many topics it holds at most; a power of two. They share places in twos: the older one goes. */
  constructor(size: number) {
    this.#mask = size - 1
    this.#texts = new Array(size).fill('')
    this.#bytes = Buffer.alloc(size * PLACE_BYTES) // of the system's zeros: what is not used takes no memory
  }

  /** Whether the topic at `place` is the one in `bytes` from `start` to `end`, which has at least one byte. */
  holds(place: number, bytes: Buffer, start: number, end: number): boolean {
    const known = this.#bytes
    const at = place * PLACE_BYTES
    const length = end - start
    if (known[at] !== length) return false
    // Backwards: topics differ in their last levels, if they do.
    for (let i = length; i > 0; i--) if (known[at + i] !== bytes[start + i - 1]) return false
    return true
  }

  text(place: number): string {
    return this.#texts[place]!
  }

  /** Where a topic is, or would be added. */
  placeOf(bytes: Buffer, start: number, end: number): number {
    const place = hash(bytes, start, end) & this.#mask
    return this.holds(place ^ 1, bytes, start, end) ? place ^ 1 : place
  }

  /** Keep a topic at the place that is its own. Returns whether it is kept. */
  add(place: number, topic: string, bytes: Buffer, start: number, end: number): boolean {
    const length = end - start
    if (length > MAX_BYTES) return false
    const at = place * PLACE_BYTES
    const other = place ^ 1
    this.#texts[other] = this.#texts[place]!
    this.#bytes.copyWithin(other * PLACE_BYTES, at, at + PLACE_BYTES)
    this.#texts[place] = topic
    this.#bytes[at] = length
    bytes.copy(this.#bytes, at + 1, start, end)
    return true
  }
}

/** FNV-1a: simple, and good enough for topics, which differ in a few digits. */
function hash(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash ^ (hash >>> 15)
}
