/**
 * Connections that were not let in yet: nobody knows who they are, so what they may take is bounded, by number and by bytes.
 *
 * Where there are too many it is the oldest that gives way. A client that means it sends its CONNECT at once and is through in
 * milliseconds, so the oldest is hardly ever one; and whoever keeps connections open to no purpose only shuts out himself.
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'

/** Bytes that all of them together may have sent: a hundred thousand usual CONNECTs, or 128 of the largest. */
const MAX_BYTES = 64 * 1024 * 1024

/** To be told of a handshake that took too long. */
export const TOO_LATE = new Refusal(ReasonCode.ServerBusy, 'the handshake took too long')
const TOO_MANY = new Refusal(ReasonCode.QuotaExceeded, 'too many connections are waiting to be let in')

export interface Unknown {
  /** When it was opened, in milliseconds. */
  readonly openedAt: number
  /** Its connection is to end, for this reason. */
  giveUp(refusal: Refusal): void
}

export class HalfOpen<T extends Unknown> {
  /** How many there may be. */
  max: number
  /** The oldest first, each with the bytes that it sent. */
  readonly #bytesOf = new Map<T, number>()
  #bytes = 0

  constructor(max: number) {
    this.max = max
  }

  get size(): number {
    return this.#bytesOf.size
  }

  /** Bytes that they sent. */
  get bytes(): number {
    return this.#bytes
  }

  add(one: T): void {
    while (this.size >= this.max) this.#oldestGivesWay()
    this.#bytesOf.set(one, 0)
  }

  /** It has sent so many bytes more. */
  received(one: T, bytes: number): void {
    const before = this.#bytesOf.get(one)
    if (before === undefined) return
    this.#bytesOf.set(one, before + bytes)
    this.#bytes += bytes
    while (this.#bytes > MAX_BYTES) this.#oldestGivesWay()
  }

  /** It was let in, or is gone. */
  delete(one: T): void {
    this.#bytes -= this.#bytesOf.get(one) ?? 0
    this.#bytesOf.delete(one)
  }

  /** Give those up that were opened before `time`. */
  giveUpBefore(time: number, refusal: Refusal): void {
    for (const one of this.#bytesOf.keys()) {
      if (one.openedAt >= time) return
      this.#giveUp(one, refusal)
    }
  }

  #oldestGivesWay(): void {
    const [oldest] = this.#bytesOf.keys()
    if (oldest !== undefined) this.#giveUp(oldest, TOO_MANY)
  }

  #giveUp(one: T, refusal: Refusal): void {
    this.delete(one)
    one.giveUp(refusal)
  }
}
