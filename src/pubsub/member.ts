/** One session's part in a group: what it was granted, and the receiver of what becomes of messages lent to it. */

import type { Message, QoS } from '../core/message.ts'
import type { Subscription } from '../kernel/plugin-contract.ts'
import type { Receiver, Settlement } from '../session/outbox-contract.ts'
import type { Entry } from './entry.ts'
import type { Subscriber } from './subscriber.ts'

/** Told what its members' clients did. */
export interface Lender {
  settled(member: Member, entry: Entry, settlement: Settlement): void
}

export class Member implements Receiver<Entry> {
  readonly session: Subscriber
  readonly #lender: Lender
  /** Whether it is connected and has its SUBACK, so that it gets messages. */
  active = false
  qos: QoS = 0
  identifiers: readonly number[] | null = null
  #retainAsPublished = false

  constructor(session: Subscriber, lender: Lender) {
    this.session = session
    this.#lender = lender
  }

  /** What the client asked for, now or once more. */
  grant({ qos, identifier, retainAsPublished }: Subscription): void {
    this.qos = qos
    this.identifiers = identifier > 0 ? [identifier] : null
    this.#retainAsPublished = retainAsPublished
  }

  /** At what QoS it gets a message [MQTT-4.8.2-3]. */
  qosOf(message: Message): QoS {
    return message.qos < this.qos ? message.qos : this.qos
  }

  retainOf(message: Message): boolean {
    return this.#retainAsPublished && message.retain
  }

  /** Whether it would be sent a message of this QoS at once. */
  takes(qos: QoS): boolean {
    return this.active && this.session.outbox.takes(qos < this.qos ? qos : this.qos)
  }

  settled(entry: Entry, settlement: Settlement): void {
    this.#lender.settled(this, entry, settlement)
  }
}
