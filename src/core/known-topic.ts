/**
 * A topic that messages bring again and again, as one object: whoever looks something up by topic leaves the answer with
 * it, and the next message on the topic finds it there, without its text being read.
 *
 * The bytes of the topic are kept in memory that many topics share (wire/topic-table), so that a topic in a PUBLISH is
 * recognized without a string being made of it.
 */
export class KnownTopic {
  readonly text: string
  /** Where its bytes stand: `length` of them in `bytes` from `start` on. */
  readonly bytes: Uint8Array
  readonly start: number
  readonly length: number
  /** Its number among the topics that are kept, in the order in which they came; -1: it is not kept. */
  readonly index: number
  /** What publish/subscribe remembers of it, and must check before it believes it; null: nothing. */
  matches: object | null = null
  /** Who owns it, if its text is all that it takes to know that (see kernel/intake); null: not known. */
  owner: object | null = null

  constructor(text: string, bytes: Uint8Array, start: number, length: number, index: number) {
    this.text = text
    this.bytes = bytes
    this.start = start
    this.length = length
    this.index = index
  }

  /** Whether this is the topic in `bytes` from `start` on, which has `length` bytes. */
  is(bytes: Uint8Array, start: number, length: number): boolean {
    if (length !== this.length) return false
    const own = this.bytes
    // Backwards: topics differ in their last levels, if they do.
    for (let mine = this.start + length - 1, i = start + length - 1; i >= start; i--, mine--) {
      if (own[mine] !== bytes[i]) return false
    }
    return true
  }
}
