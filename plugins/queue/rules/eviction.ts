/**
 * What leaves a queue without having been delivered: the oldest where there are too many, and what has expired, whether or
 * not somebody is there who would be given it. What is on disk only is read for that, no more of it than is needed.
 */

import type { Message } from '../../../src/plugin.ts'
import type { Alarm } from './alarm.ts'
import { Entry } from './consumer.ts'
import type { Contents } from './contents.ts'
import type { Effects, Rules } from './effects.ts'

/** Read at once where nobody consumes, and what is read may have expired. */
const EXPIRING_MESSAGES = 100

export interface EvictionParts {
  /** As they are now: they change in place. */
  rules: Readonly<Rules>
  contents: Contents
  alarm: Alarm
  load: Effects['load']
  starved: Effects['starved']
}

export class Eviction {
  readonly #rules: Readonly<Rules>
  readonly #contents: Contents
  readonly #alarm: Alarm
  readonly #load: Effects['load']
  readonly #starved: Effects['starved']
  /** Whether a message that expires has been seen: where none was, nobody looks for those whose time is up. */
  #expiring = false
  /** Whether there may be such messages on disk that nobody has seen, since before a restart. */
  #unseen = false

  constructor({ rules, contents, alarm, load, starved }: EvictionParts) {
    this.#rules = rules
    this.#contents = contents
    this.#alarm = alarm
    this.#load = load
    this.#starved = starved
  }

  /** A message came into memory, or was left on disk just now. */
  saw({ expiresAt }: Message): void {
    if (expiresAt !== 0) this.#expiring = true
  }

  /** There are messages on disk that nobody has seen. */
  unseen(): void {
    this.#unseen = true
  }

  /** The oldest give way as long as there are too many. What consumers have is theirs. */
  trim(): void {
    if (!this.#rules.dropsOldest) return
    const { maxLength, maxBytes } = this.#rules
    const contents = this.#contents
    while (contents.length + contents.scheduled > maxLength || contents.bytes.total > maxBytes) {
      const oldest = contents.waiting.takeOldest() ?? contents.groups.takeAny()
      if (oldest === null) return
      if (!(oldest instanceof Entry)) {
        const { backlog } = oldest
        if (!backlog.reading) this.#load(backlog.nextId, backlog.beginRead())
        return
      }
      contents.die(oldest, 'overflow')
    }
  }

  /** What comes first and has expired goes [MQTT-3.3.2-5]. */
  expire(now: number): void {
    if (!this.#expiring && !this.#unseen) return
    const { waiting } = this.#contents
    if (this.#expiring) this.#takeExpired(now)
    // After a restart one of each queue has to do: there may be thousands of queues.
    if (waiting.loadFirst(this.#load, this.#expiring ? EXPIRING_MESSAGES : 1)) this.#starved()
    // The one that was read says nothing of those behind it, each of which comes first one day.
    this.#unseen &&= waiting.onDisk > 0
  }

  #takeExpired(now: number): void {
    const { waiting } = this.#contents
    for (let entry = waiting.takeExpired(now); entry !== null; entry = waiting.takeExpired(now))
      this.#contents.die(entry, 'expired')
    this.#alarm.setAfter(now, waiting.nextExpiresAt)
  }
}
