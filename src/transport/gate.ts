/**
 * How many may come in, in all and from one address, and how fast. Every connection passes it once, as soon as its address is
 * known: before its TLS handshake, and behind the header of a proxy.
 *
 * Who is turned away costs a socket for a moment. A few are read on, so that they can be told why in a CONNACK; when there are
 * many they are closed at once, or those would fill the memory who are not even let in.
 */

import type { Duplex } from 'node:stream'
import { sourceOf } from '../core/addresses.ts'
import type { Clock } from '../core/clock.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { TokenBucket } from '../core/token-bucket.ts'

export interface GateLimits {
  /** Of each, null: no limit. Rates are by the second. */
  maxConnections: number | null
  maxConnectionsPerAddress: number | null
  connectRate: number | null
  connectRatePerAddress: number | null
}

/** A rate is an average over so many seconds: fleets come back all at once. */
const BURST_SECONDS = 10
/** Connections that are turned away and told so, at once. */
const MAX_TOLD = 100
/** So many addresses are remembered before it is looked who of them can be forgotten. */
const MIN_REMEMBERED = 1_024

interface Source {
  connections: number
  rate: TokenBucket | null
}

export class Gate {
  #limits: GateLimits
  readonly #clock: Clock
  #rate: TokenBucket | null
  readonly #sources = new Map<string, Source>()
  #forgetAt = MIN_REMEMBERED
  #connections = 0
  #told = 0

  constructor(limits: GateLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#rate = bucket(limits.connectRate, clock.now())
  }

  /** Connections that were let in. */
  get connections(): number {
    return this.#connections
  }

  /** Addresses that are remembered. */
  get sources(): number {
    return this.#sources.size
  }

  /** Other limits for those who come from now on; who is there counts, and stays. Rates begin anew. */
  change(limits: GateLimits): void {
    const now = this.#clock.now()
    if (limits.connectRate !== this.#limits.connectRate) this.#rate = bucket(limits.connectRate, now)
    if (limits.connectRatePerAddress !== this.#limits.connectRatePerAddress) {
      for (const source of this.#sources.values()) source.rate = bucket(limits.connectRatePerAddress, now)
    }
    this.#limits = limits
  }

  /**
   * Let a connection in until its socket closes, or say why not: 0x97 for too many, 0x9f for too fast.
   * @param address address and port
   */
  admit(socket: Duplex, address: string): Refusal | null {
    const source = this.#sourceOf(address)
    const refusal = this.#refusal(source)
    if (refusal !== null) return refusal
    this.#connections++
    if (source !== null) source.connections++
    socket.on('close', () => {
      this.#connections--
      if (source !== null) source.connections--
    })
    return null
  }

  /** Whether a connection that was turned away is read on, so that it can be told; until its socket closes. */
  mayTell(socket: Duplex): boolean {
    if (this.#told >= MAX_TOLD) return false
    this.#told++
    socket.on('close', () => this.#told--)
    return true
  }

  #refusal(source: Source | null): Refusal | null {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits
    if (maxConnections !== null && this.#connections >= maxConnections) {
      return new Refusal(ReasonCode.QuotaExceeded, `all ${maxConnections} connections are taken`)
    }
    if (source !== null && maxConnectionsPerAddress !== null && source.connections >= maxConnectionsPerAddress) {
      return new Refusal(
        ReasonCode.QuotaExceeded,
        `all ${maxConnectionsPerAddress} connections of its address are taken`,
      )
    }
    const now = this.#clock.now()
    // The address first: who comes too fast takes nothing from what there is for all.
    if (source !== null && source.rate?.take(now) === false) {
      return new Refusal(ReasonCode.ConnectionRateExceeded, 'too many connections a second from its address')
    }
    if (this.#rate?.take(now) === false) {
      return new Refusal(ReasonCode.ConnectionRateExceeded, 'too many connections a second')
    }
    return null
  }

  /** What is known of an address; null: it is none. Counted without a limit too, for there may be one later. */
  #sourceOf(address: string): Source | null {
    const { connectRatePerAddress } = this.#limits
    const name = sourceOf(address)
    if (name === null) return null
    let source = this.#sources.get(name)
    if (source !== undefined) return source
    const now = this.#clock.now()
    if (this.#sources.size >= this.#forgetAt) this.#forget(now)
    source = { connections: 0, rate: bucket(connectRatePerAddress, now) }
    this.#sources.set(name, source)
    return source
  }

  /** Forget those of whom nothing is left that a new beginning would not give them. */
  #forget(now: number): void {
    for (const [name, { connections, rate }] of this.#sources) {
      if (connections === 0 && rate?.isFull(now) !== false) this.#sources.delete(name)
    }
    this.#forgetAt = Math.max(MIN_REMEMBERED, 2 * this.#sources.size)
  }
}

function bucket(perSecond: number | null, now: number): TokenBucket | null {
  return perSecond === null ? null : new TokenBucket(perSecond, perSecond * BURST_SECONDS, now)
}
