/** A SUBSCRIBE or UNSUBSCRIBE of one connection: from the request, by way of the hooks, to the answer. */

import { faultCode } from '../core/errors.ts'
import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { filterProblem } from '../core/topics.ts'
import type { AfterGrant } from '../kernel/plugin-contract.ts'
import type { Session } from '../session/session.ts'
import type { SubscribePacket, UnsubscribePacket } from '../wire/subscribe.ts'
import { subackForClient, unsubackForClient } from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'

/**
 * Filters that are granted in one turn, a few milliseconds, and that Aedes sees as one: a SUBSCRIBE of a hundred thousand
 * would hold up everybody for seconds, half of that in Aedes.
 */
const SLICE = 1_000

export interface ExchangeParts {
  session: Session
  version: number
  lane: LaneParts
}

type Wanted = SubscribePacket['subscriptions'][number]

export class Subscribing {
  readonly #parts: ExchangeParts
  readonly #packet: SubscribePacket
  readonly #codes: number[] = []
  /** Why filters were refused, in words. */
  readonly #reasons = new Set<string>()
  readonly #after: Array<AfterGrant | undefined> = []

  constructor(parts: ExchangeParts, packet: SubscribePacket) {
    this.#parts = parts
    this.#packet = packet
  }

  /** How many positions Aedes is shown: one a slice. */
  get positions(): number {
    return Math.ceil(this.#packet.subscriptions.length / SLICE)
  }

  /** Hook of Aedes, for all positions at once: grant what is at this one, each slice in a turn of its own. Never rejects. */
  async grant(position: number): Promise<boolean> {
    for (let turn = 0; turn < position; turn++) await new Promise((resolve) => setImmediate(resolve))
    const slice = this.#packet.subscriptions.slice(position * SLICE, (position + 1) * SLICE)
    const granted = await Promise.all(slice.map((wanted, i) => this.#grantOne(position * SLICE + i, wanted)))
    return granted.includes(true)
  }

  async #grantOne(index: number, wanted: Wanted): Promise<boolean> {
    const { session, lane } = this.#parts
    const { identifier } = this.#packet
    try {
      this.#after[index] = await lane.subscriptions.add(session, { ...wanted, identifier })
      this.#codes[index] = wanted.qos
    } catch (error) {
      const refusal = asRefusal(error)
      this.#codes[index] = refusal.code
      this.#reasons.add(refusal.message)
      if (!(error instanceof Refusal)) this.#faulty(error)
    }
    return this.#codes[index]! < 0x80
  }

  /** The broker failed, not the client. */
  #faulty(error: unknown): void {
    const { session, lane } = this.#parts
    lane.log.error({ clientId: session.clientId, error }, 'a subscription failed')
    lane.events.emit('broker.error', { code: faultCode(error), message: 'a subscription failed' })
  }

  /** What the client is answered. */
  suback(): Buffer {
    return subackForClient(this.#packet.packetId, this.#codes, ...termsOf(this.#parts, this.#reasons))
  }

  /** The client was answered: do what was to wait for that. */
  finish(): void {
    for (const then of this.#after) then?.()
  }
}

export class Unsubscribing {
  /** Resolves when the subscriptions are given up for good: none of them may be back after a crash. Never rejects. */
  readonly safe: Promise<void> | null
  readonly #parts: ExchangeParts
  readonly #packet: UnsubscribePacket
  readonly #codes: number[] = []
  /** Why filters are none, in words. */
  readonly #reasons = new Set<string>()

  constructor(parts: ExchangeParts, packet: UnsubscribePacket) {
    this.#parts = parts
    this.#packet = packet
    this.#removeSlice()
    const { session, lane } = parts
    const isDone = this.#codes.length === packet.filters.length
    if (!isDone) this.safe = this.#removeRest()
    else this.safe = session.persistent ? lane.store.durable().catch(() => {}) : null
  }

  /** How many positions Aedes is shown: one a slice, as for SUBSCRIBE. */
  get positions(): number {
    return Math.ceil(this.#packet.filters.length / SLICE)
  }

  unsuback(): Buffer {
    return unsubackForClient(this.#packet.packetId, this.#codes, ...termsOf(this.#parts, this.#reasons))
  }

  async #removeRest(): Promise<void> {
    while (this.#codes.length < this.#packet.filters.length) {
      await new Promise((resolve) => setImmediate(resolve))
      this.#removeSlice()
    }
    await this.#parts.lane.store.durable().catch(() => {})
  }

  #removeSlice(): void {
    const { length } = this.#codes
    for (const filter of this.#packet.filters.slice(length, length + SLICE)) this.#codes.push(this.#remove(filter))
  }

  #remove(filter: string): number {
    const { session, lane } = this.#parts
    if (lane.subscriptions.remove(session, filter)) return ReasonCode.Success
    const { maxTopicLevels, maxTopicBytes } = lane.limits
    const problem = filterProblem(filter, maxTopicLevels, maxTopicBytes)
    if (problem === null) return ReasonCode.NoSubscriptionExisted
    this.#reasons.add(problem)
    return ReasonCode.TopicFilterInvalid
  }
}

/** What an answer takes beside its codes: the protocol, the reason, and the largest packet that may tell it. */
function termsOf({ session, version }: ExchangeParts, reasons: ReadonlySet<string>): [number, string, number] {
  return [version, [...reasons].join('; '), session.carrier?.maxExplainedBytes ?? 0]
}
