/**
 * Receipts: a producer that subscribes to `$eventflow/receipts/<its client id>` is told what became of each message that it
 * put into queues. While nobody subscribes, nothing is looked at.
 *
 * A receipt goes to a producer that is connected: at QoS 0, or at QoS 1 if it subscribed so, and then as many wait as
 * memory may hold for one that reads slowly.
 */

import {
  type AfterGrant,
  type Clock,
  correlationDataIn,
  Message,
  type Namespace,
  ReasonCode,
  type Receiver,
  Refusal,
  type SessionView,
  type Subscription,
} from '../../src/plugin.ts'

export const RECEIPTS = '$eventflow/receipts/'

/** Receipts at QoS 1 that may wait for one client. */
const MAX_WAITING = 10_000

export type Outcome = 'acknowledged' | 'dead' | 'expired' | 'dropped'

export interface Receipt {
  queue: string
  /** The message's number in its queue. */
  id: number
  outcome: Outcome
  /** Why it is dead or was dropped; else null. */
  reason: string | null
  /** The client that acknowledged it; else null. */
  consumer: string | null
  deliveries: number
}

class Reader implements Receiver<null> {
  readonly session: SessionView
  qos: 0 | 1 = 0
  identifiers: readonly number[] | null = null
  #waiting = 0

  constructor(session: SessionView) {
    this.session = session
  }

  send(message: Message): void {
    const { session, qos, identifiers } = this
    if (!session.connected || this.#waiting >= MAX_WAITING) return
    if (qos === 0) {
      session.outbox.send(message, false, identifiers)
      return
    }
    this.#waiting++
    session.outbox.deliver({ message, qos, retain: false, identifiers, properties: null, receiver: this, token: null })
  }

  settled(): void {
    this.#waiting--
  }
}

export class Receipts implements Namespace {
  readonly #clock: Clock
  /** By client identifier. */
  readonly #readers = new Map<string, Reader>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether the publisher of a message wants to hear of it: ask before building a receipt. */
  wantedFor({ from }: Message): boolean {
    return this.#readers.size > 0 && this.#readers.has(from)
  }

  /** Whether anybody wants to hear of anything. */
  get wanted(): boolean {
    return this.#readers.size > 0
  }

  /** Tell the publisher of `message` what became of it. */
  tell(message: Message, { queue, id, outcome, reason, consumer, deliveries }: Receipt): void {
    const { from, packetId, properties } = message
    const reader = this.#readers.get(from)
    if (reader === undefined) return
    const time = new Date(this.#clock.now()).toISOString()
    const payload = Buffer.from(JSON.stringify({ queue, id, packetId, outcome, reason, consumer, deliveries, time }))
    const correlation = properties === null ? null : correlationDataIn(properties)
    const told = correlation === null ? CONTENT_TYPE : Buffer.concat([CONTENT_TYPE, correlation])
    reader.send(Message.of({ topic: RECEIPTS + from, payload, qos: reader.qos, properties: told }))
  }

  accept(): void {
    throw new Refusal(ReasonCode.NotAuthorized, 'only the broker writes receipts')
  }

  /** @throws Refusal 0x87 for any filter but that of the client's own receipts */
  subscribe(session: SessionView, { filter, qos, identifier }: Subscription): AfterGrant | undefined {
    if (filter !== RECEIPTS + session.clientId) {
      throw new Refusal(ReasonCode.NotAuthorized, 'a client reads its own receipts only')
    }
    const reader = this.#of(session)
    reader.qos = qos === 0 ? 0 : 1
    reader.identifiers = identifier > 0 ? [identifier] : null
    return undefined
  }

  unsubscribe(session: SessionView): void {
    if (this.#readers.get(session.clientId)?.session === session) this.#readers.delete(session.clientId)
  }

  detach(session: SessionView, ended: boolean): void {
    if (ended) this.unsubscribe(session)
  }

  #of(session: SessionView): Reader {
    const known = this.#readers.get(session.clientId)
    if (known?.session === session) return known
    const reader = new Reader(session)
    this.#readers.set(session.clientId, reader)
    return reader
  }
}

/** Content Type (0x03), as it stands in a PUBLISH of MQTT 5.0. */
const CONTENT_TYPE = Buffer.from([0x03, 0, 'application/json'.length, ...Buffer.from('application/json')])
