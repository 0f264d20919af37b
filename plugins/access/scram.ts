/**
 * SCRAM-SHA-256 as a method of enhanced authentication: the password never crosses the wire, and the broker proves to the
 * client that it knows the user (RFC 5802 section 5, RFC 7677). Two messages each way; the last of ours goes with CONNACK.
 *
 * Whoever asks for a user that does not exist gets a salt and a number of rounds as any user has them, always the same, and
 * is told at the end what a wrong password is told.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto'
import {
  type AuthenticationExchange,
  type AuthenticationMethod,
  type AuthenticationStep,
  ReasonCode,
  Refusal,
} from '../../src/plugin.ts'
import { saslprep } from './saslprep.ts'
import { hmac, SCRAM_ITERATIONS, type ScramSecret, sha256 } from './scram-secret.ts'

/** The method, as clients call it. */
export const SCRAM = 'SCRAM-SHA-256'

const NONCE_BYTES = 18
const SALT_BYTES = 16

/** `n` or `y`: without channel binding; `p=` wants one. Then perhaps who to act for. */
const FIRST = /^([ny]),(?:a=([^,]+))?,(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+))(?:,.*)?$/s
const FINAL = /^(c=([^,]+),r=([^,]+)(?:,[^,]*)*),p=([\w+/]+=*)$/s

export class ScramUsers implements Pick<AuthenticationMethod, 'begin'> {
  readonly #users: ReadonlyMap<string, ScramSecret>
  readonly #secrets: readonly ScramSecret[]
  readonly #decoyKey = randomBytes(32)
  readonly #nonce: () => string

  /** @param nonce for tests: printable, without a comma */
  constructor(users: ReadonlyMap<string, ScramSecret>, nonce = () => randomBytes(NONCE_BYTES).toString('base64')) {
    this.#users = new Map([...users].map(([name, secret]) => [saslprep(name) ?? name, secret]))
    this.#secrets = [...users.values()]
    this.#nonce = nonce
  }

  readonly begin = (): AuthenticationExchange =>
    new ScramExchange((username) => this.#users.get(username) ?? this.#decoy(username), this.#nonce())

  /** No keys of anybody: no proof can be right. */
  #decoy(username: string): ScramSecret {
    const bytes = hmac(this.#decoyKey, username)
    const other = this.#secrets[bytes.readUInt32BE(SALT_BYTES) % this.#secrets.length]
    const iterations = other?.iterations ?? SCRAM_ITERATIONS.default
    return { iterations, salt: bytes.subarray(0, SALT_BYTES), storedKey: randomBytes(32), serverKey: randomBytes(32) }
  }
}

/** What the first messages left to be proved. */
interface Challenge {
  readonly username: string
  readonly secret: ScramSecret
  /** The client's header, which its last message repeats. */
  readonly header: string
  readonly nonce: string
  /** Both first messages, as they are signed. */
  readonly signed: string
}

class ScramExchange implements AuthenticationExchange {
  readonly #secretOf: (username: string) => ScramSecret
  readonly #nonce: string
  #challenge: Challenge | null = null
  #asked = false

  constructor(secretOf: (username: string) => ScramSecret, nonce: string) {
    this.#secretOf = secretOf
    this.#nonce = nonce
  }

  next(data: Buffer | null): AuthenticationStep {
    if (this.#challenge !== null) return this.#finish(this.#challenge, data?.toString('utf8') ?? '')
    // A client may leave its first message until it is asked (section 4.12: data in CONNECT is optional).
    if (data === null && !this.#asked) {
      this.#asked = true
      return { data: null, identity: null }
    }
    return this.#begin(data?.toString('utf8') ?? '')
  }

  #begin(message: string): AuthenticationStep {
    const [, binding, actFor, bare, name, clientNonce] = FIRST.exec(message) ?? []
    if (name === undefined) throw malformed('the first message')
    const username = nameFrom(name)
    if (username === null || (actFor !== undefined && nameFrom(actFor) !== username)) throw malformed('the user name')
    const secret = this.#secretOf(username)
    const nonce = clientNonce! + this.#nonce
    const answer = `r=${nonce},s=${secret.salt.toString('base64')},i=${secret.iterations}`
    const header = `${binding},${actFor === undefined ? '' : `a=${actFor}`},`
    this.#challenge = { username, secret, header, nonce, signed: `${bare},${answer}` }
    return { data: Buffer.from(answer), identity: null }
  }

  #finish({ username, secret, header, nonce, signed }: Challenge, message: string): AuthenticationStep {
    const [, withoutProof, channel, echoed, proof] = FINAL.exec(message) ?? []
    if (proof === undefined) throw malformed('the last message')
    if (Buffer.from(channel!, 'base64').toString('utf8') !== header || echoed !== nonce)
      throw malformed('the last message')
    const all = `${signed},${withoutProof}`
    if (!isProof(Buffer.from(proof, 'base64'), hmac(secret.storedKey, all), secret.storedKey)) throw wrong()
    return { data: Buffer.from(`v=${hmac(secret.serverKey, all).toString('base64')}`), identity: { username } }
  }
}

/** The proof is the client's key, hidden by a signature that only who knows its hash can make (RFC 5802, section 3). */
function isProof(proof: Buffer, signature: Buffer, storedKey: Buffer): boolean {
  if (proof.length !== signature.length) return false
  const clientKey = Buffer.from(proof.map((byte, i) => byte ^ signature[i]!))
  return timingSafeEqual(sha256(clientKey), storedKey)
}

/** In a name a comma is `=2C` and an equals sign `=3D`; any other `=` is wrong. */
function nameFrom(text: string): string | null {
  if (/=(?!2C|3D)/.test(text)) return null
  return saslprep(text.replaceAll('=2C', ',').replaceAll('=3D', '='))
}

function malformed(what: string): Refusal {
  return new Refusal(ReasonCode.NotAuthorized, `${what} of SCRAM cannot be taken`)
}

function wrong(): Refusal {
  return new Refusal(ReasonCode.BadUserNameOrPassword, 'the user name or password is not right')
}
