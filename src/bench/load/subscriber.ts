/** A subscriber: reads the stamp of each message, notes it in the ledger and its latency in the histogram, acknowledges. */

import type { Histogram } from '../histogram.ts'
import type { Ledger } from './ledger.ts'
import type { Link, PacketHandler } from './link.ts'
import { type BenchQoS, hex, type MqttVersion, PINGREQ, subscribePacket } from './packets.ts'
import { STAMP_BYTES } from './publish-ring.ts'

const [PUBLISH, PUBREL, SUBACK, PINGRESP, DISCONNECT] = [3, 6, 9, 13, 14]
const [PUBACK_FIRST, PUBREC_FIRST, PUBCOMP_FIRST] = [0x40, 0x50, 0x70]
/** Filters in one SUBSCRIBE. */
const FILTERS = 100

/** What all subscribers of a run write down together. */
export interface Records {
  readonly tag: number
  readonly payloadBytes: number
  readonly ledger: Ledger
  readonly latency: Histogram
}

export class Subscriber implements PacketHandler {
  readonly link: Link
  readonly id: number
  /** Messages of any kind. */
  received = 0
  /** When the last new message was read: microseconds, modulo 2^32. */
  lastAt = 0
  readonly #version: MqttVersion
  readonly #records: Records
  /** SUBACKs and PINGRESPs that are still to come. */
  #answersDue = 0

  constructor(id: number, link: Link, version: MqttVersion, records: Records) {
    this.id = id
    this.link = link
    this.#version = version
    this.#records = records
    link.handler = this
  }

  /** The broker has answered all that it was asked. */
  get answered(): boolean {
    return this.#answersDue === 0
  }

  subscribe(filters: readonly string[], qos: BenchQoS): void {
    for (let from = 0; from < filters.length; from += FILTERS) {
      this.#answersDue++
      this.link.append(subscribePacket(this.#version, this.#answersDue, filters.slice(from, from + FILTERS), qos))
    }
    this.link.flush()
  }

  /** Ask for an answer, which comes after all that the broker had written before: late duplicates too. */
  ping(): void {
    this.#answersDue++
    this.link.append(PINGREQ)
    this.link.flush()
  }

  packet(link: Link, first: number, at: number, end: number): void {
    const type = first >> 4
    if (type === PUBLISH) this.#message(link, first, at, end)
    else if (type === PUBREL) link.acknowledge(PUBCOMP_FIRST, link.input.uint16(at))
    else if (type === SUBACK || type === PINGRESP) this.#answer(link, type, at, end)
    else if (type === DISCONNECT) link.fail(`the broker disconnected with ${hex(end > at ? link.input.byte(at) : 0)}`)
  }

  #message(link: Link, first: number, at: number, end: number): void {
    const qos = (first >> 1) & 3
    let payload = at + 2 + link.input.uint16(at)
    if (qos > 0) {
      link.acknowledge(qos === 1 ? PUBACK_FIRST : PUBREC_FIRST, link.input.uint16(payload))
      payload += 2
    }
    if (this.#version === 5) payload = link.input.afterProperties(payload)
    this.received++
    const { ledger, latency, tag, payloadBytes } = this.#records
    const size = end - payload
    if (size !== payloadBytes || size < STAMP_BYTES || link.input.uint32(payload) !== tag) {
      ledger.strays++
      return
    }
    if (!ledger.deliver(link.input.uint32(payload + 4), this.id, link.input.uint32(payload + 8))) return
    latency.record((link.readAt - link.input.uint32(payload + 12)) >>> 0)
    this.lastAt = link.readAt
  }

  #answer(link: Link, type: number, at: number, end: number): void {
    this.#answersDue--
    if (type !== SUBACK) return
    const codes = this.#version === 5 ? link.input.afterProperties(at + 2) : at + 2
    const refused = link.input.slice(codes, end).find((code) => code >= 0x80)
    if (refused !== undefined) link.fail(`the broker refused a subscription with ${hex(refused)}`)
  }
}
