/**
 * The members of a group of a shared subscription, and whose turn it is: the next who takes a message gets it, and those
 * without room are passed by.
 */

import type { QoS } from '../core/message.ts'
import type { Member } from './member.ts'
import type { Subscriber } from './subscriber.ts'

export class Members {
  readonly #members: Member[] = []
  /** Whose turn it is: a place in `#members`. */
  #turn = 0

  get size(): number {
    return this.#members.length
  }

  add(member: Member): void {
    this.#members.push(member)
  }

  remove(member: Member): void {
    const place = this.#members.indexOf(member)
    this.#members.splice(place, 1)
    if (place < this.#turn) this.#turn--
  }

  /** The member whose turn it is among those who take a message of this QoS; null: nobody does. */
  next(qos: QoS): Member | null {
    const members = this.#members
    const { length } = members
    let place = this.#turn
    for (let i = 0; i < length; i++, place++) {
      if (place >= length) place = 0
      const member = members[place]!
      if (!member.takes(qos)) continue
      this.#turn = place + 1
      return member
    }
    return null
  }

  /** Whether any of them is connected and has its SUBACK. */
  get anyActive(): boolean {
    return this.#members.some(({ active }) => active)
  }

  /** Whether all of them get everything at QoS 0, so that nothing waits for them. */
  get allAtQos0(): boolean {
    return this.#members.every(({ qos }) => qos === 0)
  }

  /** One with whom a message can be kept, connected or not: its session is kept, and it is sent more than QoS 0. */
  get keeper(): Member | undefined {
    return this.#members.find(({ session, qos }) => session.persistent && qos > 0)
  }

  has(session: Subscriber | null): boolean {
    return this.#members.some((member) => member.session === session)
  }

  /** Take back what those hold who are not connected. */
  reclaimFromAbsent(): void {
    for (const member of this.#members) if (!member.session.connected) member.session.outbox.reclaim(member)
  }
}
