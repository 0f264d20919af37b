/**
 * Lets in those whose password is a token, under the name in it. What has not the form of a token is a password, and left
 * to the next in the chain; what has it is decided here.
 */

import { errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import {
  type Authenticator,
  type Clock,
  type Credentials,
  type Identity,
  ReasonCode,
  Refusal,
} from '../../src/plugin.ts'
import { type ClaimNames, identityOf } from './claims.ts'

export interface TokenRules extends ClaimNames {
  /** Nothing else is taken, whatever a token says of itself: never `none`, and no secret where a public key is expected. */
  readonly algorithms: readonly string[]
  readonly issuer: string | null
  readonly audience: string | readonly string[] | null
  readonly clockToleranceMs: number
  readonly requireExpiry: boolean
}

/** Three parts in base64url, of which the first begins as JSON does: `{"`. */
const TOKEN = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/

export class TokenUsers implements Authenticator {
  readonly name = 'jwt'
  readonly #rules: TokenRules
  readonly #findKey: JWTVerifyGetKey
  readonly #clock: Clock

  constructor(rules: TokenRules, findKey: JWTVerifyGetKey, clock: Clock) {
    this.#rules = rules
    this.#findKey = findKey
    this.#clock = clock
  }

  /** @throws Refusal 0x87 for a token whose time is up or has not come, 0x86 for one that is not right */
  async authenticate({ username, password }: Credentials): Promise<Identity | null> {
    const token = password?.toString('latin1')
    if (token === undefined || !TOKEN.test(token)) return null
    const identity = identityOf(await this.#claimsOf(token), this.#rules, this.#rules.clockToleranceMs)
    if (identity === null) throw bad('the token does not say who it is for')
    // MQTT 3.1.1 has no password without a user name [MQTT-3.1.2-22]: an empty one stands for none.
    if (username !== null && username !== '' && username !== identity.username) {
      throw bad('the token is for another user')
    }
    return identity
  }

  async #claimsOf(token: string): Promise<{ [claim: string]: unknown }> {
    try {
      return await this.#verify(token)
    } catch (error) {
      throw error instanceof errors.JOSEError ? refusalFor(error) : error
    }
  }

  async #verify(token: string): Promise<{ [claim: string]: unknown }> {
    try {
      return (await jwtVerify(token, this.#findKey, this.#options)).payload
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
      // A token that does not name its key, and a set with several that could be it.
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, this.#options)).payload
        } catch (failure) {
          if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure
        }
      }
      throw new errors.JWSSignatureVerificationFailed()
    }
  }

  get #options(): JWTVerifyOptions {
    const { algorithms, issuer, audience, clockToleranceMs, requireExpiry } = this.#rules
    return {
      algorithms: [...algorithms],
      clockTolerance: clockToleranceMs / 1000,
      currentDate: new Date(this.#clock.now()),
      requiredClaims: requireExpiry ? ['exp'] : [],
      ...(issuer !== null && { issuer }),
      ...(audience !== null && { audience: typeof audience === 'string' ? audience : [...audience] }),
    }
  }
}

/** What the client is told: of a token that is not genuine no more than that. */
function refusalFor(error: errors.JOSEError): Refusal {
  if (error instanceof errors.JWTExpired) return new Refusal(ReasonCode.NotAuthorized, 'the token has expired')
  if (!(error instanceof errors.JWTClaimValidationFailed)) return bad('the token is not right')
  if (error.claim === 'nbf' && error.reason === 'check_failed') {
    return new Refusal(ReasonCode.NotAuthorized, 'the token is not valid yet')
  }
  return bad(`the claim ${error.claim} of the token is not right`)
}

function bad(message: string): Refusal {
  return new Refusal(ReasonCode.BadUserNameOrPassword, message)
}
