/**
 * Memory that all clients share, and that none may take for itself. What they make the broker keep is counted here, estimated; whoever
 * wants to keep more asks for its share: an eighth of what is left. So those who hold most are the first who may hold no more, nobody
 * is stopped as long as there is enough, and somebody new always finds some. (The dynamic thresholds of A. K. Choudhury and
 * E. L. Hahne, by which switches share their buffers.)
 */

const FRACTION = 1 / 8

export class SharedRoom {
  /** Bytes that there are for all. */
  max: number
  /** Bytes that are taken. */
  used = 0
  /** Called when something was not kept because there is no room; null: nobody wants to know. */
  onShort: (() => void) | null = null

  constructor(max = Number.POSITIVE_INFINITY) {
    this.max = max
  }

  /** Bytes that one client may have, for each kind of thing; less than 0: none, not even a new one. */
  get share(): number {
    return (this.max - this.used) * FRACTION
  }

  /** Something was not kept. */
  short(): void {
    this.onShort?.()
  }
}

/** What a message takes beside its bytes, and each delivery of it: measured, as all of these are. */
export const MESSAGE_BYTES = 250
export const DELIVERY_BYTES = 250
/** A session, beside its names, its will and its subscriptions. */
export const SESSION_BYTES = 2_000
/** A subscription, and each level of its filter in the tree. */
export const SUBSCRIPTION_BYTES = 400
export const LEVEL_BYTES = 200
/** A packet identifier that was received at QoS 2. */
export const IDENTIFIER_BYTES = 40
