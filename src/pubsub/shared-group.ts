/**
 * Those who share a subscription, `$share/<group>/<filter>` (MQTT 5.0 section 4.8.2): each message goes to one of them, in
 * turn among those with room. When nobody has room messages at QoS 1 and 2 wait here, for whoever has room first.
 *
 * What a member does not acknowledge goes to another; but a message that was sent at QoS 2 is for this client alone.
 */

import type { Counters } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import type { Message } from '../core/message.ts'
import type { SharedRoom } from '../core/shared-room.ts'
import type { Subscription } from '../kernel/plugin-contract.ts'
import type { Settlement } from '../session/outbox-contract.ts'
import type { MessageLog } from '../store/store.ts'
import { Entry } from './entry.ts'
import { tellDelivered, tellDropped, tellExpired } from './group-events.ts'
import { Keeping } from './keeping.ts'
import { type Lender, Member } from './member.ts'
import { Members } from './members.ts'
import type { Subscriber } from './subscriber.ts'
import { type WaitingLimits, WaitingList } from './waiting-list.ts'

export interface SharedGroupParts {
  /** The messages of sessions. */
  log: MessageLog
  events: Events
  counters: Counters
  now: () => number
  limits: WaitingLimits
  /** Memory that all clients share. */
  room: SharedRoom
  /** It has no members, and nobody has a message of it any more. */
  unused: (group: SharedGroup) => void
}

export class SharedGroup implements Lender {
  readonly filter: string
  readonly #parts: SharedGroupParts
  readonly #keeping: Keeping
  readonly #members = new Members()
  #lastOrder = 0
  readonly #waiting: WaitingList
  /** How many members, present and past, have and have not settled. */
  #lent = 0
  /** Lent to somebody else than who keeps it. */
  readonly #keptElsewhere = new Set<Entry>()

  constructor(filter: string, parts: SharedGroupParts) {
    this.filter = filter
    this.#parts = parts
    this.#keeping = new Keeping(parts.log, parts.counters, filter)
    this.#waiting = new WaitingList(parts.limits, parts.room)
  }

  /** Number of members. */
  get size(): number {
    return this.#members.size
  }

  /** A message for one of them. Returns whether it is stored: safe once the store is durable. */
  publish(message: Message): boolean {
    if (message.qos === 0) {
      this.#send(message)
      return false
    }
    // While anything waits nobody has room.
    const member = this.#waiting.length === 0 ? this.#members.next(message.qos) : null
    if (member !== null) return this.#hand(member, message)
    return this.#hold(message)
  }

  /** A session joins. It gets messages once it is activated. */
  join(session: Subscriber, subscription: Subscription): Member {
    const member = new Member(session, this)
    member.grant(subscription)
    this.#members.add(member)
    session.outbox.adopt(this.filter, member, (message, logId) => {
      this.#lent++
      const entry = new Entry(message, 0)
      entry.keeper = session
      entry.logId = logId
      return entry
    })
    return member
  }

  /** The member is connected, and knows that it is subscribed, or to what. */
  activate(member: Member): void {
    if (!member.session.connected) return
    if (!member.active) {
      member.active = true
      this.#members.reclaimFromAbsent()
    }
    this.pump(member)
  }

  /** The member's connection is gone, its session is not. What it holds waits for it, unless others are there. */
  deactivate(member: Member): void {
    member.active = false
    if (this.#members.anyActive) member.session.outbox.reclaim(member)
  }

  /** The member's subscription has ended. What it was sent is its own until it is disconnected [MQTT-3.10.4-3]. */
  leave(member: Member): void {
    const { session } = member
    this.#members.remove(member)
    const entries = [...this.#waiting.all(), ...this.#keptElsewhere]
    if (this.size > 0) {
      for (const entry of entries) if (entry.keeper === session) this.#keepWithAnother(entry)
      return
    }
    this.#waiting.clear()
    this.#keptElsewhere.clear()
    for (const entry of entries) this.#keeping.forget(entry)
    if (this.#lent === 0) this.#parts.unused(this)
  }

  /** There may be room at this member: give it what waits. */
  pump(member: Member): void {
    for (let entry = this.#waiting.peek(); entry !== undefined; entry = this.#waiting.peek()) {
      const { message } = entry
      const expired = message.expiresAt !== 0 && message.expiresAt <= this.#parts.now()
      if (!expired && !member.takes(message.qos)) return
      this.#waiting.shift()
      if (expired) this.#expire(entry)
      else this.#give(member, entry)
    }
  }

  settled(member: Member, entry: Entry, settlement: Settlement): void {
    this.#lent--
    if (this.#keptElsewhere.size > 0) this.#keptElsewhere.delete(entry)
    // Acknowledged, or refused, which is not for others either [MQTT-4.8.2-6]. Its own log knows already.
    if (settlement !== 'lost' && entry.keeper !== member.session) this.#keeping.forget(entry)
    if (settlement === 'lost') this.#takeBack(entry)
    else if (settlement === 'in-doubt') tellDropped(this.#parts, entry.message, 'session-ended') // [MQTT-4.8.2-5]
    if (this.size === 0 && this.#lent === 0) this.#parts.unused(this)
  }

  /** At QoS 0: to the first who takes it. */
  #send(message: Message): void {
    let tooLarge = false
    for (let tries = this.size; tries > 0; tries--) {
      const member = this.#members.next(0)
      if (member === null) break
      if (this.#sendTo(member, message)) return
      tooLarge = true
    }
    if (tooLarge) tellDropped(this.#parts, message, 'packet-too-large')
    else this.#tellNobodyHasRoom(message)
  }

  #sendTo(member: Member, message: Message): boolean {
    const { clientId, outbox } = member.session
    if (!outbox.send(message, member.retainOf(message), member.identifiers)) return false
    tellDelivered(this.#parts, clientId, message)
    return true
  }

  /** A new message for a member who takes it. Returns whether it is stored. */
  #hand(member: Member, message: Message): boolean {
    if (member.qos > 0) return this.#give(member, new Entry(message.keep(), ++this.#lastOrder))
    if (!this.#sendTo(member, message)) tellDropped(this.#parts, message, 'packet-too-large')
    return false
  }

  /** Nobody has room: it waits, stored if one of them is of a session that is kept. Returns whether it is. */
  #hold(message: Message): boolean {
    if (this.#members.allAtQos0) {
      this.#tellNobodyHasRoom(message)
      return false
    }
    if (this.#waiting.full) {
      tellDropped(this.#parts, message, 'session-full')
      return false
    }
    if (this.#waiting.hasNoRoom) {
      this.#parts.room.short()
      tellDropped(this.#parts, message, 'no-room')
      return false
    }
    const entry = new Entry(message.keep(), ++this.#lastOrder)
    this.#keepWithAnother(entry)
    this.#waiting.push(entry)
    return entry.keeper !== null
  }

  /**
   * Lend a message to a member who takes it. It is kept where the state of its delivery must be: with a member whose session
   * is kept. For another it stays where it is kept, if it is, until it is acknowledged. Returns whether this member keeps it.
   */
  #give(member: Member, entry: Entry): boolean {
    const { session, identifiers } = member
    const { message } = entry
    const qos = member.qosOf(message)
    if (qos === 0) {
      this.#keeping.forget(entry)
      if (!this.#sendTo(member, message)) tellDropped(this.#parts, message, 'packet-too-large')
      return false
    }
    if (entry.keeper !== session) {
      if (session.persistent) this.#keeping.keep(entry, member)
      else if (qos === 2)
        this.#keeping.forget(entry) // after a restart it would go to another [MQTT-4.8.2-5]
      else if (entry.keeper !== null) this.#keptElsewhere.add(entry)
    }
    const logId = entry.keeper === session ? entry.logId : 0
    this.#lent++
    session.outbox.lend(message, qos, member.retainOf(message), identifiers, member, entry, logId)
    return logId !== 0
  }

  /** A member did not settle it: to another at once, or it waits, before what is newer. */
  #takeBack(entry: Entry): void {
    if (this.size === 0) {
      this.#keeping.forget(entry)
      return
    }
    this.#keeping.rest(entry)
    const member = this.#waiting.length === 0 ? this.#members.next(entry.message.qos) : null
    const unkept = entry.keeper === null ? member === null : !this.#members.has(entry.keeper)
    if (unkept) this.#keepWithAnother(entry)
    if (member !== null) this.#give(member, entry)
    else this.#waiting.giveBack(entry)
  }

  /** Keep it with any member that can; with nobody if there is none. */
  #keepWithAnother(entry: Entry): void {
    const member = this.#members.keeper
    if (member === undefined) this.#keeping.forget(entry)
    else this.#keeping.keep(entry, member)
  }

  #expire(entry: Entry): void {
    this.#keeping.forget(entry)
    tellExpired(this.#parts, entry.message)
  }

  /** Of members who are away no messages are expected to be dropped: at QoS 0 they just do not get them. */
  #tellNobodyHasRoom(message: Message): void {
    if (this.#members.anyActive) tellDropped(this.#parts, message, 'slow')
  }
}
