/**
 * Messages of one group that wait for a member with room, in the order in which they were published. New ones are only
 * ever appended; those that come back from a member that left stand apart, sorted.
 */

import type { Message } from '../core/message.ts'
import { DELIVERY_BYTES, MESSAGE_BYTES, SharedRoom } from '../core/shared-room.ts'
import { Fifo } from '../session/fifo.ts'
import type { Entry } from './entry.ts'

export interface WaitingLimits {
  /** Messages, and bytes of payload, that wait for one group. */
  maxQueued: number
  maxQueuedBytes: number
}

export class WaitingList {
  readonly #limits: WaitingLimits
  readonly #room: SharedRoom
  readonly #fresh = new Fifo<Entry>()
  /** Sorted, from `#head` on. */
  #returned: Entry[] = []
  #head = 0
  #bytes = 0
  /** Bytes of memory that are counted for it. */
  #weight = 0

  /** @param room memory that all clients share; default: any */
  constructor(limits: WaitingLimits, room = new SharedRoom()) {
    this.#limits = limits
    this.#room = room
  }

  get length(): number {
    return this.#fresh.length + this.#returned.length - this.#head
  }

  /** Whether no new message may wait. Those that come back may. */
  get full(): boolean {
    return this.length >= this.#limits.maxQueued || this.#bytes >= this.#limits.maxQueuedBytes
  }

  /** Whether there is none for it among all that waits for all clients. */
  get hasNoRoom(): boolean {
    return this.#weight >= this.#room.share
  }

  /** A message that is newer than all others. */
  push(entry: Entry): void {
    this.#fresh.push(entry)
    this.#count(entry.message, 1)
  }

  /** A message that had been handed out before. */
  giveBack(entry: Entry): void {
    let low = this.#head
    let high = this.#returned.length
    // Mostly they come back in order: to the end.
    if (high > low && !entry.isBefore(this.#returned[high - 1]!)) low = high
    while (low < high) {
      const middle = (low + high) >> 1
      if (entry.isBefore(this.#returned[middle]!)) high = middle
      else low = middle + 1
    }
    this.#returned.splice(low, 0, entry)
    this.#count(entry.message, 1)
  }

  peek(): Entry | undefined {
    const fresh = this.#fresh.peek()
    const returned = this.#returned[this.#head]
    if (returned === undefined || fresh === undefined) return returned ?? fresh
    return fresh.isBefore(returned) ? fresh : returned
  }

  shift(): void {
    const entry = this.peek()!
    this.#count(entry.message, -1)
    if (entry === this.#fresh.peek()) {
      this.#fresh.shift()
      return
    }
    this.#head++
    if (this.#head < 1024 && this.#head < this.#returned.length) return
    this.#returned = this.#returned.slice(this.#head)
    this.#head = 0
  }

  /** Everything, in no order. */
  all(): Entry[] {
    return [...this.#fresh.toArray(), ...this.#returned.slice(this.#head)]
  }

  clear(): void {
    this.#fresh.drain()
    this.#returned = []
    this.#head = 0
    this.#bytes = 0
    this.#room.used -= this.#weight
    this.#weight = 0
  }

  #count(message: Message, sign: 1 | -1): void {
    this.#bytes += sign * message.payloadLength
    const weight = sign * (MESSAGE_BYTES + DELIVERY_BYTES + message.weight)
    this.#weight += weight
    this.#room.used += weight
  }
}
