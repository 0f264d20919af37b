/** SUBSCRIBE and UNSUBSCRIBE of one connection, one at a time: from the request, by way of the hooks, to the answer. */

import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import { filterProblem } from '../core/topics.ts'
import type { AfterGrant } from '../kernel/plugin-contract.ts'
import type { Session } from '../session/session.ts'
import { readSubscribe, readUnsubscribe, type SubscribePacket, type UnsubscribePacket } from '../wire/subscribe.ts'
import * as handshake from './handshake.ts'
import type { LaneParts } from './lane-parts.ts'

export interface SubscriptionExchangeParts {
  session: Session
  version: number
  lane: LaneParts
  /** Show Aedes a packet. */
  show: (packet: Buffer) => void
}

export class SubscriptionExchange {
  readonly #parts: SubscriptionExchangeParts
  #subscribe: { packet: SubscribePacket; codes: number[]; after: Array<AfterGrant | undefined> } | null = null
  #unsubscribe: { packet: UnsubscribePacket; codes: number[] } | null = null

  constructor(parts: SubscriptionExchangeParts) {
    this.#parts = parts
  }

  subscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    const { version, show } = this.#parts
    const packet = readSubscribe(flags, bytes, body, end, version)
    this.#subscribe = { packet, codes: [], after: [] }
    show(handshake.subscribeForAedes(packet.packetId, packet.subscriptions.length, version))
  }

  /** Hook of Aedes: grant the subscription at this position of the SUBSCRIBE under way. Never rejects. */
  async grant(position: number): Promise<boolean> {
    const { session, lane } = this.#parts
    const { packet, codes, after } = this.#subscribe!
    const wanted = packet.subscriptions[position]!
    try {
      const { identifier } = packet
      after[position] = await lane.subscriptions.add(session, { ...wanted, identifier })
      codes[position] = wanted.qos
    } catch (error) {
      codes[position] = asRefusal(error).code
      if (!(error instanceof Refusal)) lane.log.error({ clientId: session.clientId, error }, 'a subscription failed')
    }
    return codes[position]! < 0x80
  }

  /** What the client is answered, and what is to be done once it is. */
  suback(): { packet: Buffer; after: () => void } {
    const { packet, codes, after } = this.#subscribe!
    this.#subscribe = null
    const answer = handshake.subackForClient(packet.packetId, codes, this.#parts.version)
    const runAll = (): void => {
      for (const then of after) then?.()
    }
    return { packet: answer, after: runAll }
  }

  unsubscribe(flags: number, bytes: Buffer, body: number, end: number): void {
    const { session, version, lane, show } = this.#parts
    const packet = readUnsubscribe(flags, bytes, body, end, version)
    this.#unsubscribe = { packet, codes: packet.filters.map((filter) => this.#remove(filter)) }
    const proceed = (): void => show(handshake.unsubscribeForAedes(packet.packetId, packet.filters.length, version))
    // A subscription that was given up must not be back after a crash.
    if (session.persistent) lane.store.durable().then(proceed, proceed)
    else proceed()
  }

  unsuback(): Buffer {
    const { packet, codes } = this.#unsubscribe!
    this.#unsubscribe = null
    return handshake.unsubackForClient(packet.packetId, codes, this.#parts.version)
  }

  #remove(filter: string): number {
    const { session, lane } = this.#parts
    if (lane.subscriptions.remove(session, filter)) return ReasonCode.Success
    const invalid = filterProblem(filter, lane.limits.maxTopicLevels) !== null
    return invalid ? ReasonCode.TopicFilterInvalid : ReasonCode.NoSubscriptionExisted
  }
}
