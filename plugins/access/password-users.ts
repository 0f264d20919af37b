/**
 * Lets in those who know their password. Whom it does not know, and who gives no name, is left to the next in the chain,
 * and turned away where there is none.
 *
 * Asking for a name that does not exist takes as long as a wrong password does: it is checked against the hash of a user
 * who does, and always the same one, so that in a file with dear and cheap hashes time tells nothing either.
 */

import { createHmac, randomBytes } from 'node:crypto'
import { type Authenticator, type Credentials, type Decision, Turns } from '../../src/plugin.ts'
import { isPassword, type PasswordHash } from './password-hash.ts'

/** Half of the threads that libuv has. */
const AT_A_TIME = 2
/** Passwords that wait to be checked: more would not have their turn before their clients give up. */
const MAX_WAITING = 1_000

export class PasswordUsers implements Authenticator {
  readonly name = 'password'
  readonly #users: ReadonlyMap<string, PasswordHash>
  readonly #hashes: readonly PasswordHash[]
  readonly #turns = new Turns(AT_A_TIME, MAX_WAITING)
  readonly #decoyKey = randomBytes(32)

  constructor(users: ReadonlyMap<string, PasswordHash>) {
    this.#users = users
    this.#hashes = [...users.values()]
  }

  async authenticate({ username, password }: Credentials): Promise<Decision> {
    if (username === null || password === null) return null
    const known = this.#users.get(username)
    const hash = known ?? this.#decoy(username)
    if (hash === undefined) return null // a file without users
    const right = await this.#turns.run(() => isPassword(password, hash))
    if (known === undefined) return null
    return right ? 'allow' : 'deny'
  }

  /** The hash of somebody: for one name always the same, and nobody outside can tell whose. */
  #decoy(username: string): PasswordHash | undefined {
    const digest = createHmac('sha256', this.#decoyKey).update(username).digest()
    return this.#hashes[digest.readUInt32BE(0) % this.#hashes.length]
  }
}
