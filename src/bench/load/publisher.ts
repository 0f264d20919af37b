/** A publisher: stamps messages and sends them, many at a time, and counts what the broker has acknowledged. */

import type { Link, PacketHandler } from './link.ts'
import { hex } from './packets.ts'
import type { PublishRing } from './publish-ring.ts'

const [PUBACK, PUBREC, PUBCOMP, DISCONNECT] = [4, 5, 7, 14]
const PUBREL = 0x62

export class Publisher implements PacketHandler {
  readonly link: Link
  readonly id: number
  /** How many may be unacknowledged; 0: this is QoS 0. */
  readonly maxInflight: number
  /** QoS 1 and 2. */
  acknowledged = 0
  /** When the last acknowledgement was read: microseconds, modulo 2^32. */
  lastAt = 0
  readonly #ring: PublishRing
  #sent = 0

  /** @param maxInflight how many may be unacknowledged, up to 65,535; 0 at QoS 0 */
  constructor(id: number, link: Link, ring: PublishRing, maxInflight: number) {
    this.id = id
    this.link = link
    this.#ring = ring
    this.maxInflight = maxInflight
    link.handler = this
  }

  /** Whether the broker has acknowledged all that it should. */
  get settled(): boolean {
    return this.maxInflight === 0 || this.acknowledged >= this.#sent
  }

  /** How many it could send now. */
  get room(): number {
    if (this.link.writing || this.link.broken !== null) return 0
    const room = this.maxInflight === 0 ? this.#ring.slots : this.maxInflight - (this.#sent - this.acknowledged)
    return Math.min(room, this.#ring.run(this.#sent))
  }

  /**
   * Send `count` messages, no more than there is room for.
   * @param dueUs when the first of them was due @param everyUs how much later each further one was
   */
  send(count: number, dueUs: number, everyUs: number): void {
    const first = this.#sent
    for (let n = 0; n < count; n++) {
      const sequence = first + n
      this.#ring.stamp(sequence, (dueUs + n * everyUs) >>> 0, (sequence % 65_535) + 1)
    }
    this.#sent += count
    this.link.write(this.#ring.packets(first, count))
  }

  packet(link: Link, first: number, at: number, end: number): void {
    const type = first >> 4
    if (type === DISCONNECT) link.fail(`the broker disconnected with ${hex(end > at ? link.input.byte(at) : 0)}`)
    if (type !== PUBACK && type !== PUBREC && type !== PUBCOMP) return
    const code = end - at > 2 ? link.input.byte(at + 2) : 0
    if (code >= 0x80) {
      link.fail(`the broker refused a message with ${hex(code)}`)
    } else if (type === PUBREC) {
      link.acknowledge(PUBREL, link.input.uint16(at))
    } else {
      this.acknowledged++
      this.lastAt = link.readAt
    }
  }
}
