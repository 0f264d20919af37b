/**
 * What was sent and what arrived: a bit for each message of each stream, so that a lost and a doubled one are both seen.
 *
 * A stream is one publisher's messages as one reader gets them. Where each message goes to one of several readers
 * (pairs, fan-in, queues) there is a stream a publisher; in a fan-out there is one for each publisher and subscriber.
 */

export class Ledger {
  readonly publishers: number
  /** How many readers get each message. */
  readonly copies: number
  /** Messages published, of each publisher. */
  readonly sent: Float64Array
  /** Deliveries, duplicates not counted, by publisher. */
  readonly delivered: Float64Array
  duplicates = 0
  /** Messages that this run did not send: left from another run, or damaged. */
  strays = 0
  totalSent = 0
  totalDelivered = 0
  readonly #streams: Uint8Array[]

  constructor(publishers: number, copies: number) {
    this.publishers = publishers
    this.copies = copies
    this.sent = new Float64Array(publishers)
    this.delivered = new Float64Array(publishers)
    this.#streams = Array.from({ length: publishers * Math.max(1, copies) }, () => new Uint8Array(8_192))
  }

  /** Deliveries that are still to come, or were lost. */
  get missing(): number {
    return this.totalSent * this.copies - this.totalDelivered
  }

  /** Note that a publisher's next `count` messages are on their way. */
  send(publisher: number, count: number): void {
    this.sent[publisher] = this.sent[publisher]! + count
    this.totalSent += count
  }

  /** Note a delivery. Returns false, and counts why, when it is not the first of this message or was never sent. */
  deliver(publisher: number, reader: number, sequence: number): boolean {
    if (publisher >= this.publishers || sequence >= this.sent[publisher]!) {
      this.strays++
      return false
    }
    const stream = this.copies > 1 ? publisher * this.copies + reader : publisher
    const at = sequence >>> 3
    const bit = 1 << (sequence & 7)
    let bits = this.#streams[stream]!
    if (at >= bits.length) bits = this.#grow(stream, at)
    if (bits[at]! & bit) {
      this.duplicates++
      return false
    }
    bits[at] = bits[at]! | bit
    this.delivered[publisher]!++
    this.totalDelivered++
    return true
  }

  #grow(stream: number, at: number): Uint8Array {
    const old = this.#streams[stream]!
    const larger = new Uint8Array(Math.max(at + 1, old.length * 2))
    larger.set(old)
    this.#streams[stream] = larger
    return larger
  }
}
