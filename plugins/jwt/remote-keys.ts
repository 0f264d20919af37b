/**
 * Keys from a web address: a JWK Set, fetched when a token first needs it, and anew when it is old or a token has a key
 * that is not in it, which is how keys are changed.
 *
 * Fetching is one at a time, and tokens with made-up keys cause no more than one in `cooldownMs`. While the address cannot
 * be reached the old keys go on for an hour: a server of keys that is down should not shut out everybody; and no longer,
 * for a key may have been withdrawn.
 */

import { errors, type JWTVerifyGetKey } from 'jose'
import { type Clock, type Logger, ReasonCode, Refusal, textOf, webProblemOf } from '../../src/plugin.ts'
import { keySet } from './key-files.ts'

/** What a server may take to answer, and how much it may say. */
const TIMEOUT_MS = 5_000
const MAX_BYTES = 1_048_576
const STALE_MS = 3_600_000
/** Between two attempts while the server cannot be reached. */
const RETRY_MS = 5_000

export interface RemoteKeysParts {
  readonly url: string
  readonly maxAgeMs: number
  readonly cooldownMs: number
  readonly clock: Clock
  readonly log: Logger
}

export class RemoteKeys {
  readonly #parts: RemoteKeysParts
  #keys: JWTVerifyGetKey | null = null
  #fetchedAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | null = null

  constructor(parts: RemoteKeysParts) {
    this.#parts = parts
  }

  /** The key for a token. @throws Refusal 0x88 when no keys can be had; an error of jose when there is none for the token */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const keys = await this.#current()
    try {
      return await keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (this.#fetching === null && !this.#mayTry(this.#parts.cooldownMs)) throw error
      await this.#fetch()
      return this.#keys!(header, token)
    }
  }

  async #current(): Promise<JWTVerifyGetKey> {
    const age = this.#parts.clock.now() - this.#fetchedAt
    if (age > this.#parts.maxAgeMs + STALE_MS) {
      this.#keys = null
      if (this.#fetching !== null || this.#mayTry(RETRY_MS)) await this.#fetch()
    } else if (age > this.#parts.maxAgeMs && this.#mayTry(RETRY_MS)) void this.#fetch() // the old ones will do meanwhile
    if (this.#keys === null) throw new Refusal(ReasonCode.ServerUnavailable, 'tokens cannot be checked now')
    return this.#keys
  }

  #mayTry(afterMs: number): boolean {
    return this.#parts.clock.now() - this.#triedAt >= afterMs
  }

  /** Never rejects: where it fails, the keys stay what they were. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = null
    })
    return this.#fetching
  }

  async #load(): Promise<void> {
    const { url, clock, log } = this.#parts
    this.#triedAt = clock.now()
    try {
      this.#keys = keySet(await textAt(url))
      this.#fetchedAt = clock.now()
    } catch (error) {
      const { origin, pathname } = new URL(url)
      log.warn({ url: origin + pathname, problem: problemOf(error) }, 'the keys for tokens could not be fetched')
    }
  }
}

async function textAt(url: string): Promise<string> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`the server answered with ${response.status}`)
  }
  return textOf(response, MAX_BYTES)
}

/** What failed, without what a message may quote of an answer. */
function problemOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'the answer is no JSON'
  return webProblemOf(error)
}
