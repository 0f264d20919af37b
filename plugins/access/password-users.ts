/**
 * Lets in those who know their password. It is the last in its chain: whom it does not know, and who gives no name, is
 * turned away.
 *
 * Asking for a name that does not exist takes as long as a wrong password does: it is checked against the hash of a user
 * who does, and always the same one, so that in a file with dear and cheap hashes time tells nothing either.
 */

import { createHmac, randomBytes } from 'node:crypto'
import type { Authenticator, Credentials, Decision } from '../../src/plugin.ts'
import { isPassword, type PasswordHash } from './password-hash.ts'
import { Turns } from './turns.ts'

/** Half of the threads that libuv has. */
const AT_A_TIME = 2

export class PasswordUsers implements Authenticator {
  readonly name = 'password-file'
  readonly #users: ReadonlyMap<string, PasswordHash>
  readonly #hashes: readonly PasswordHash[]
  readonly #turns = new Turns(AT_A_TIME)
  readonly #decoyKey = randomBytes(32)

  constructor(users: ReadonlyMap<string, PasswordHash>) {
    this.#users = users
    this.#hashes = [...users.values()]
  }

  async authenticate({ username, password }: Credentials): Promise<Decision> {
    if (username === null || password === null) return 'deny'
    const known = this.#users.get(username)
    const hash = known ?? this.#decoy(username)
    if (hash === undefined) return 'deny' // a file without users
    const right = await this.#turns.run(() => isPassword(password, hash))
    return right && known !== undefined ? 'allow' : 'deny'
  }

  /** The hash of somebody: for one name always the same, and nobody outside can tell whose. */
  #decoy(username: string): PasswordHash | undefined {
    const digest = createHmac('sha256', this.#decoyKey).update(username).digest()
    return this.#hashes[digest.readUInt32BE(0) % this.#hashes.length]
  }
}
