/**
 * Topic aliases of MQTT 5.0 (section 3.3.2.3.4): a number in place of a topic, agreed on by the first message that has
 * both. Each direction of a connection has its own, and both end with the connection [MQTT-3.3.2-7].
 *
 * They are given out first come, first served, and never taken back: replacing one costs a whole topic on the wire, so a
 * subscriber of more topics than aliases would gain nothing by it.
 */

import type { KnownTopic } from '../core/known-topic.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'

/** What the aliases of a client stand for. */
export class IncomingAliases {
  readonly #maximum: number
  readonly #topics = new Map<number, KnownTopic>()
  /** Bytes of the topics. */
  bytes = 0

  /** @param maximum the highest alias that the client was offered; 0: none */
  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** From now on the alias stands for this topic. @throws Refusal 0x94 when it was not offered [MQTT-3.3.2-9] */
  define(alias: number, topic: KnownTopic): void {
    this.#check(alias)
    this.bytes += topic.text.length - (this.#topics.get(alias)?.text.length ?? 0)
    this.#topics.set(alias, topic)
  }

  /** @throws Refusal 0x94 when it was not offered, 0x82 when it stands for nothing yet (section 3.3.4) */
  topicOf(alias: number): KnownTopic {
    this.#check(alias)
    const topic = this.#topics.get(alias)
    if (topic === undefined) throw new Refusal(ReasonCode.ProtocolError, `the topic alias ${alias} stands for no topic`)
    return topic
  }

  #check(alias: number): void {
    if (alias <= this.#maximum) return
    throw new Refusal(ReasonCode.TopicAliasInvalid, `the topic alias ${alias} is above the maximum of ${this.#maximum}`)
  }
}

/** Which topics a client knows by an alias of ours. */
export class OutgoingAliases {
  readonly #maximum: number
  readonly #aliases = new Map<string, number>()
  /** Bytes of the topics. */
  bytes = 0

  /** @param maximum the highest alias that the client takes [MQTT-3.1.2-26], at least 1 */
  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** The alias that the client knows the topic by; if there is none, the one to tell it; 0 when all are taken. */
  of(topic: string): number {
    const aliases = this.#aliases
    return aliases.get(topic) ?? (aliases.size < this.#maximum ? aliases.size + 1 : 0)
  }

  /** Whether the client was told this alias. */
  knows(alias: number): boolean {
    return alias <= this.#aliases.size
  }

  /** The client was sent the topic with the alias that `of` said. */
  told(topic: string): void {
    this.#aliases.set(topic, this.#aliases.size + 1)
    this.bytes += topic.length
  }
}
