/**
 * One enhanced authentication (MQTT 5.0, section 4.12) as the transport drives it: the method's own exchange, with what
 * holds for every way of coming in. Who guesses is slowed down, and what became of it is told.
 */

import { grantsOf } from '../core/grants.ts'
import type { Admission } from './access.ts'
import type { Admissions } from './admission.ts'
import type { AuthenticationExchange, AuthenticationMethod, Credentials } from './plugin-contract.ts'

export interface Step {
  /** For the client; null: nothing. */
  readonly data: Buffer | null
  /** Who the client is, when this was the last step. */
  readonly admission: Admission | null
}

export class Exchange {
  readonly method: string
  readonly #by: string
  readonly #exchange: AuthenticationExchange
  readonly #applicant: Credentials
  readonly #admissions: Admissions
  #turn = false

  constructor({ method, name, begin }: AuthenticationMethod, applicant: Credentials, admissions: Admissions) {
    this.method = method
    this.#by = name
    this.#exchange = begin(applicant)
    this.#applicant = applicant
    this.#admissions = admissions
  }

  /** What the client sent; null: nothing. @throws Refusal that ends it, whoever threw it */
  async next(data: Buffer | null): Promise<Step> {
    // At each step, for others may have failed since the last; but whose turn it is keeps it to the end.
    this.#turn ||= this.#admissions.checkHeard(this.#applicant)
    try {
      const { data: answer, identity } = await this.#exchange.next(data)
      if (identity === null) return { data: answer, admission: null }
      const { username, expiresAt = null } = identity
      const admission = { by: this.#by, username, grants: grantsOf(identity), proved: true, expiresAt }
      this.#admissions.admitted(this.#applicant, admission)
      return { data: answer, admission }
    } catch (error) {
      this.#admissions.denied(this.#applicant, error)
      throw error
    }
  }
}
