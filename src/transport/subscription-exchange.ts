/** A SUBSCRIBE or UNSUBSCRIBE of one connection: from the request, by way of the hooks, to the answer. */

import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { filterProblem } from '../core/topics.ts'
import type { AfterGrant } from '../kernel/plugin-contract.ts'
import type { Session } from '../session/session.ts'
import type { SubscribePacket, UnsubscribePacket } from '../wire/subscribe.ts'
import { subackForClient, unsubackForClient } from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'

export interface ExchangeParts {
  session: Session
  version: number
  lane: LaneParts
}

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

  /** Hook of Aedes: grant the subscription at this position. Never rejects. */
  async grant(position: number): Promise<boolean> {
    const { session, lane } = this.#parts
    const { identifier, subscriptions } = this.#packet
    const wanted = subscriptions[position]!
    try {
      this.#after[position] = await lane.subscriptions.add(session, { ...wanted, identifier })
      this.#codes[position] = wanted.qos
    } catch (error) {
      const refusal = asRefusal(error)
      this.#codes[position] = refusal.code
      this.#reasons.add(refusal.message)
      if (!(error instanceof Refusal)) lane.log.error({ clientId: session.clientId, error }, 'a subscription failed')
    }
    return this.#codes[position]! < 0x80
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
  readonly #codes: number[]
  /** Why filters are none, in words. */
  readonly #reasons = new Set<string>()

  constructor(parts: ExchangeParts, packet: UnsubscribePacket) {
    this.#parts = parts
    this.#packet = packet
    this.#codes = packet.filters.map((filter) => this.#remove(filter))
    const { session, lane } = parts
    this.safe = session.persistent ? lane.store.durable().catch(() => {}) : null
  }

  unsuback(): Buffer {
    return unsubackForClient(this.#packet.packetId, this.#codes, ...termsOf(this.#parts, this.#reasons))
  }

  #remove(filter: string): number {
    const { session, lane } = this.#parts
    if (lane.subscriptions.remove(session, filter)) return ReasonCode.Success
    const problem = filterProblem(filter, lane.limits.maxTopicLevels)
    if (problem === null) return ReasonCode.NoSubscriptionExisted
    this.#reasons.add(problem)
    return ReasonCode.TopicFilterInvalid
  }
}

/** What an answer takes beside its codes: the protocol, the reason, and the largest packet that may tell it. */
function termsOf({ session, version }: ExchangeParts, reasons: ReadonlySet<string>): [number, string, number] {
  return [version, [...reasons].join('; '), session.carrier?.maxExplainedBytes ?? 0]
}
