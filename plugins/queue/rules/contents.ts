/**
 * What is in a queue, where, and how much of it. A message is in exactly one place: on its way to the disk, delayed, on
 * disk only, ready, set aside for its group, in a consumer's hands, resting after a refusal, or gone.
 *
 * Whatever makes a message leave goes through here, so that the counts hold and the next of its group goes.
 */

import type { LogEntry } from '../../../src/plugin.ts'
import type { Budget } from './budget.ts'
import { ByteCount } from './byte-count.ts'
import type { Entry, Seat } from './consumer.ts'
import type { DeadReason, Effects } from './effects.ts'
import { Groups } from './groups.ts'
import { Resting } from './resting.ts'
import { Waiting } from './waiting.ts'

export class Contents {
  /** Messages in the queue, wherever they are. */
  length = 0
  /** Messages that were written but are not safe yet. */
  uncommitted = 0
  /** Messages that are not in the queue before their delay is over. */
  scheduled = 0
  /** Of all these. */
  readonly bytes = new ByteCount()
  readonly waiting: Waiting
  readonly groups = new Groups()
  readonly resting = new Resting()
  readonly #effects: Effects
  #uncommittedBytes = 0

  /** @param budget memory that the queue shares with others */
  constructor(effects: Effects, budget: Budget) {
    this.#effects = effects
    this.waiting = new Waiting(budget)
  }

  /** Where messages are: ready in memory and on disk only, set aside for their groups, resting, in consumers' hands. */
  get counts(): { ready: number; backlog: number; aside: number; resting: number; held: number } {
    const ready = this.waiting.length
    const backlog = this.waiting.onDisk
    const aside = this.groups.length
    const resting = this.resting.length
    return { ready, backlog, aside, resting, held: this.length - ready - backlog - aside - resting }
  }

  /** A log was found in the store with so many messages. */
  restore(count: number, firstId: number, nextId: number): void {
    this.length += count
    this.waiting.restore(count, firstId, nextId)
    this.bytes.restore(firstId, nextId)
  }

  /** A message was written, and is not safe yet. */
  appended({ message }: Entry): void {
    this.uncommitted++
    this.#uncommittedBytes += message.payloadLength
    this.bytes.add(message.payloadLength)
  }

  /** It could not be made safe, and is no more. */
  failed(entry: Entry): void {
    this.#safe(entry)
    this.bytes.remove(entry.id, entry.message.payloadLength)
  }

  /** It is safe on disk, and its delay begins. */
  delayed(entry: Entry): void {
    this.#safe(entry)
    this.scheduled++
  }

  /** Its delay is over: it goes from there, and is appended anew. */
  due({ id, message }: LogEntry): void {
    this.scheduled--
    this.bytes.remove(id, message.payloadLength)
  }

  /** It is safe on disk, and waits. Ids ascend. `consumed`: somebody is there who may take it. */
  committed(entry: Entry, consumed: boolean): void {
    this.#safe(entry)
    this.length++
    this.waiting.add(entry, consumed)
  }

  /** A message is acknowledged. */
  done(entry: Entry, seat: Seat): void {
    entry.gone = true
    this.#effects.acknowledged(entry, seat)
    this.#left(entry)
  }

  /** A message is given up. */
  die(entry: Entry, reason: DeadReason): void {
    entry.gone = true
    this.#effects.dead(entry, reason)
    this.#left(entry)
  }

  /** A message was taken from its consumer, to be no more. */
  remove(entry: Entry): void {
    entry.gone = true
    this.#left(entry)
  }

  /** So many messages turned out to be missing from the log. */
  missing(count: number): void {
    this.length -= count
    this.#checkSize()
  }

  /**
   * Take out a message that nobody has, and that is in its place by priority: it is moved elsewhere. Returns whether it was.
   * @param bytes of its payload
   */
  extract(id: number, bytes: number): boolean {
    const waiting = this.waiting.extract(id)
    if (waiting === null) {
      this.length--
      this.bytes.remove(id, bytes)
      this.#checkSize()
      return true
    }
    const entry = waiting ?? this.resting.take(id)
    if (entry !== undefined) this.remove(entry)
    return entry !== undefined
  }

  /**
   * All that wait are gone, wherever they wait; what consumers have is theirs. Returns how many were gone. What was in
   * memory is told one by one, what was on disk only as ranges of ids.
   * @param heldBytes of payload in consumers' hands
   */
  purge(heldBytes: number, gone: (entry: Entry) => void, onDisk: (from: number, to: number) => void): number {
    const before = this.length + this.scheduled
    this.scheduled = 0
    const inMemory = [...this.groups.clear(), ...this.resting.takeAll()]
    this.length -= this.waiting.onDisk
    for (const entry of inMemory.concat(this.waiting.clear(onDisk))) {
      entry.gone = true
      gone(entry)
      this.length--
      if (entry.group !== null) this.groups.left(entry)
    }
    this.bytes.reset(heldBytes + this.#uncommittedBytes)
    if (before > 0) this.#checkEmpty()
    return before - this.length
  }

  /** It is no longer on its way to the disk. */
  #safe({ message }: Entry): void {
    this.uncommitted--
    this.#uncommittedBytes -= message.payloadLength
  }

  #left(entry: Entry): void {
    const { id, message, group } = entry
    this.length--
    this.bytes.remove(id, message.payloadLength)
    const next = group === null ? null : this.groups.left(entry)
    if (next !== null) this.waiting.giveBack(next)
    this.#checkEmpty()
  }

  /** Messages on disk only have left: how large they were may not be known, but when none is left, it does not matter. */
  #checkSize(): void {
    if (this.length > 0) return
    if (this.uncommitted + this.scheduled === 0) this.bytes.reset(0)
    this.#checkEmpty()
  }

  /** Delayed messages are in it, too. */
  #checkEmpty(): void {
    if (this.length + this.scheduled === 0) this.#effects.emptied()
  }
}
