/**
 * Tokens: who may use HTTP, and for what. A file with a line for each: a name, `read` or `operate`, and the token; blank
 * lines and those that begin with `#` are passed over. Tokens are compared by their digests, in constant time.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { EventflowError } from '../../src/plugin.ts'

/** `read` looks, `operate` changes as well. */
export type Role = 'read' | 'operate'

export interface Holder {
  /** Who it is, for the log. */
  readonly name: string
  readonly role: Role
}

/** Characters that a token must have: 16 random bytes in base64url are 22. */
const MIN_LENGTH = 16
const EXPECTED = `a line is: a name, read or operate, and a token of at least ${MIN_LENGTH} characters without spaces`

export class Tokens {
  readonly #holders: Array<Holder & { digest: Buffer }>

  private constructor(holders: Array<Holder & { digest: Buffer }>) {
    this.#holders = holders
  }

  /** @throws EventflowError ACCESS_FILE_INVALID with file and line, and nothing of the token */
  static async read(path: string): Promise<Tokens> {
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (cause) {
      const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
      throw new EventflowError('ACCESS_FILE_INVALID', `the token file ${path} cannot be read: ${why}`, { cause })
    }
    const holders: Array<Holder & { digest: Buffer }> = []
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue
      const [name, role, token, ...rest] = line.trim().split(/\s+/)
      const valid = (role === 'read' || role === 'operate') && (token?.length ?? 0) >= MIN_LENGTH && rest.length === 0
      if (!valid) throw new EventflowError('ACCESS_FILE_INVALID', `${path}, line ${index + 1}: expected ${EXPECTED}`)
      holders.push({ name: name!, role, digest: digestOf(token!) })
    }
    return new Tokens(holders)
  }

  /** Whose token it is; null: nobody's. */
  holderOf(token: string): Holder | null {
    const digest = digestOf(token)
    let found: Holder | null = null
    for (const holder of this.#holders) if (timingSafeEqual(holder.digest, digest)) found = holder
    return found
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
