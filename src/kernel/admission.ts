/**
 * Letting clients in: asks the authenticators, tells what they said, and slows down those who guess.
 *
 * Of one address only a few are asked about at a time, and each is looked at again when its turn comes: else a guesser
 * would send a thousand guesses at once, before the first of them has failed.
 */

import { sourceOf } from '../core/addresses.ts'
import type { Clock } from '../core/clock.ts'
import type { Events } from '../core/events.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { Turns } from '../core/turns.ts'
import type { Access, Admission } from './access.ts'
import { type Applicant, tellDenied } from './denial.ts'
import type { Credentials } from './plugin-contract.ts'
import { SlowDown, type SlowDownLimits } from './slow-down.ts'

/** Clients of one address that are being let in at a time, and that wait for it. */
const AT_A_TIME = 32
const MAX_WAITING = 10_000

export interface AdmissionsParts {
  access: Access
  events: Events
  clock: Clock
  slowDown: SlowDownLimits
}

export class Admissions {
  readonly #access: Access
  readonly #events: Events
  readonly #slowDown: SlowDown
  readonly #turns = new Map<string, Turns>()

  constructor({ access, events, clock, slowDown }: AdmissionsParts) {
    this.#access = access
    this.#events = events
    this.#slowDown = new SlowDown(slowDown, clock)
  }

  /** What becomes of those who guess, from now on. */
  changeSlowDown(limits: SlowDownLimits): void {
    this.#slowDown.change(limits)
  }

  /**
   * Resolves with who the client is when it may connect; rejects with a Refusal 0x86 (wrong credentials), 0x87 (none
   * given), 0x9F (too many failures from its address), or that of an authenticator.
   */
  admit(credentials: Credentials): Promise<Admission> {
    return this.#inTurn(credentials, async () => {
      const admission = await this.#access.authenticate(credentials)
      if (admission !== null) return admission
      // Who shows nothing is refused, and has not guessed.
      if (credentials.username === null || credentials.password === null)
        throw new Refusal(ReasonCode.NotAuthorized, 'a user name and password are required')
      throw new Refusal(ReasonCode.BadUserNameOrPassword, 'the user name or password is not right')
    })
  }

  /**
   * Nobody is heard from an address of which too many guesses came.
   * @returns whether the client has the turn of its address now: nobody else is heard until it is known what comes of it
   * @throws Refusal 0x9F
   */
  checkHeard({ address, username }: Applicant): boolean {
    const free = this.#slowDown.isFree(address, username)
    const waitMs = this.#slowDown.hear(address, username)
    if (waitMs === 0) return !free
    const text = `too many failures from this address: try again in ${Math.ceil(waitMs / 1000)} s`
    throw new Refusal(ReasonCode.ConnectionRateExceeded, text)
  }

  /** The client has proved who it is. */
  admitted({ clientId, address }: Applicant, { by, username }: Admission): void {
    this.#slowDown.succeeded(address, username)
    this.#events.emit('access.authenticated', { clientId, username, address, by })
  }

  /** The client has not, for this reason. A wrong secret counts as a guess; an old token or a server in trouble does not. */
  denied(applicant: Applicant, reason: unknown): void {
    tellDenied(this.#events, applicant, 'connect', null)
    if (!(reason instanceof Refusal) || reason.code !== ReasonCode.BadUserNameOrPassword) return
    const forMs = this.#slowDown.failed(applicant.address, applicant.username)
    if (forMs > 0) this.#events.emit('access.slowed', { address: applicant.address, forMs })
  }

  async #inTurn(credentials: Credentials, ask: () => Promise<Admission>): Promise<Admission> {
    const origin = sourceOf(credentials.address) ?? credentials.address
    const turns = this.#turns.get(origin) ?? new Turns(AT_A_TIME, MAX_WAITING)
    this.#turns.set(origin, turns)
    try {
      return await turns.run(() => this.#ask(credentials, ask))
    } finally {
      if (turns.idle) this.#turns.delete(origin)
    }
  }

  async #ask(credentials: Credentials, ask: () => Promise<Admission>): Promise<Admission> {
    this.checkHeard(credentials)
    try {
      const admission = await ask()
      this.admitted(credentials, admission)
      return admission
    } catch (error) {
      this.denied(credentials, error)
      throw error
    }
  }
}
