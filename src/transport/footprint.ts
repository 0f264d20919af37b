/**
 * Bytes that one connection has the broker keep, counted in what all clients share: packets that are not whole or wait to be served, here
 * or in a layer below, and topics that have aliases.
 */

import type { SharedRoom } from '../core/shared-room.ts'

/** So much any client may have under way, whatever others have. */
const MIN_BYTES = 65_536

export class Footprint {
  readonly #room: SharedRoom
  #counted = 0
  /** Bytes of a frame that is not whole, which a layer below has. */
  below = 0

  constructor(room: SharedRoom) {
    this.#room = room
  }

  /** What there is now: of packets, and of topics. */
  count(packets: number, topics: number): void {
    const held = packets + topics + this.below
    this.#room.used += held - this.#counted
    this.#counted = held
  }

  /** Whether it is more than a client may have now, when there is little left for all. */
  get tooLarge(): boolean {
    if (this.#counted < MIN_BYTES || this.#counted < this.#room.share) return false
    this.#room.short()
    return true
  }

  /** The connection is over. */
  end(): void {
    this.below = 0
    this.count(0, 0)
  }
}
