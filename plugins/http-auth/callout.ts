/**
 * Asking the server: one POST, with a time limit, over connections that are kept. A server that fails again and again is
 * left alone for a while (a circuit breaker), so that clients are told at once and it can recover; then one request tries.
 */

import CircuitBreaker from 'opossum'
import { type Logger, ReasonCode, Refusal, Turns, textOf, webProblemOf } from '../../src/plugin.ts'

export interface CalloutParts {
  readonly url: string
  readonly bearerToken: string | null
  readonly timeoutMs: number
  readonly maxConcurrent: number
  readonly retryAfterMs: number
  readonly log: Logger
}

/** Requests that wait for their turn: more would not have it before their clients give up. */
const MAX_WAITING = 1_000
/** Enough for a few hundred rules. */
const MAX_BYTES = 262_144
/** The breaker opens when half of the requests of the last ten seconds failed, five at least. */
const BREAKER = {
  timeout: false,
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  rollingCountTimeout: 10_000,
} as const

export class Callout<T> {
  readonly #parts: CalloutParts
  readonly #turns: Turns
  readonly #breaker: CircuitBreaker<[question: string, read: (body: string) => T], T>

  constructor(parts: CalloutParts) {
    this.#parts = parts
    this.#turns = new Turns(parts.maxConcurrent, MAX_WAITING)
    this.#breaker = new CircuitBreaker((question, read) => this.#post(question, read), {
      ...BREAKER,
      resetTimeout: parts.retryAfterMs,
    })
    this.#breaker.on('open', () => parts.log.warn({}, 'the server that knows the users is left alone for a while'))
    this.#breaker.on('close', () => parts.log.info({}, 'the server that knows the users answers again'))
  }

  /**
   * The server's answer to a question in JSON, as `read` understands it; what that throws is a failure of the server.
   * @throws Refusal 0x88 when there is no answer that can be read, 0x89 when too many wait for one
   */
  async ask(question: string, read: (body: string) => T): Promise<T> {
    return this.#turns.run(async () => {
      try {
        return await this.#breaker.fire(question, read)
      } catch (error) {
        if (!CircuitBreaker.isOurError(error as Error)) {
          this.#parts.log.warn({ problem: webProblemOf(error) }, 'the server that knows the users gave no answer')
        }
        throw new Refusal(ReasonCode.ServerUnavailable, 'it cannot be asked now who you are')
      }
    })
  }

  stop(): void {
    this.#breaker.shutdown()
  }

  async #post(body: string, read: (body: string) => T): Promise<T> {
    const { url, bearerToken, timeoutMs } = this.#parts
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(bearerToken !== null && { authorization: `Bearer ${bearerToken}` }),
    }
    const signal = AbortSignal.timeout(timeoutMs)
    // A redirection would carry the password to whoever is named there.
    const response = await fetch(url, { method: 'POST', body, headers, signal, redirect: 'error' })
    const text = await textOf(response, MAX_BYTES) // read whatever the status, so that the connection can be used again
    if (response.status !== 200) throw new Error(`the server answered with ${response.status}`)
    return read(text)
  }
}
