/**
 * What stands in a password file: a line `user:hash` for each user, blank lines, and comments that begin with #. Pure
 * functions over its text. Changing a user touches that user's line alone, so comments and order stay.
 *
 * No error names what stands on a line: it may be a password that somebody wrote where its hash belongs.
 */

import { EventflowError } from '../../src/plugin.ts'
import { parseHash } from './password-hash.ts'
import { parseScramSecret } from './scram-secret.ts'

/** What may stand behind the colon: hashes in a password file, secrets in a file for SCRAM. */
export interface Kind<Secret> {
  /** Null for text that is none. */
  readonly parse: (text: string) => Secret | null
  /** What a line without one has. */
  readonly missing: string
}

export const HASHES = { parse: parseHash, missing: 'no password hash that starts with $7$ or $6$' }
export const SCRAM_SECRETS = { parse: parseScramSecret, missing: 'no secret that starts with SCRAM-SHA-256$' }

/**
 * The users in `text`, the content of `file`, with their secrets.
 * @throws EventflowError ACCESS_FILE_INVALID that names file and line
 */
export function parseUsers<Secret>(text: string, file: string, kind: Kind<Secret>): Map<string, Secret> {
  const users = new Map<string, Secret>()
  const lines = new Map<string, number>()
  for (const [index, line] of text.split('\n').entries()) {
    const number = index + 1
    const content = line.trim()
    if (content === '' || content.startsWith('#')) continue
    const user = userOf(line)
    if (user === null || userProblem(user) !== null) throw broken(file, number, 'is not of the form user:hash')
    const first = lines.get(user)
    // Mosquitto takes one of the two and says nothing, so that a password which was changed may not have been.
    if (first !== undefined) throw broken(file, number, `has the same user as line ${first}`)
    const secret = kind.parse(content.slice(content.indexOf(':') + 1).trim())
    if (secret === null) throw broken(file, number, `has ${kind.missing}`)
    users.set(user, secret)
    lines.set(user, number)
  }
  return users
}

/** `text` with this secret of `user` in place of the old one, or at the end. */
export function withUser(text: string, user: string, secret: string): string {
  const entry = `${user}:${secret}`
  const lines = text.split('\n')
  const at = lines.findIndex((line) => userOf(line) === user)
  if (at !== -1) return lines.with(at, entry).join('\n')
  const end = text === '' || text.endsWith('\n') ? '' : '\n'
  return `${text}${end}${entry}\n`
}

/** `text` without the line of `user`; null when there is none. */
export function withoutUser(text: string, user: string): string | null {
  const lines = text.split('\n')
  const left = lines.filter((line) => userOf(line) !== user)
  return left.length === lines.length ? null : left.join('\n')
}

/** Why `user` cannot be a user's name in a password file, or null. */
export function userProblem(user: string): string | null {
  if (user === '') return 'a user name has at least one character'
  if (user.includes(':')) return "a user name has no ':'"
  if (user.startsWith('#')) return "a user name does not begin with '#'"
  if (user.trim() !== user) return 'a user name does not begin or end with a blank'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(user)) return 'a user name has no control characters'
  return Buffer.byteLength(user) > 65_535 ? 'a user name has at most 65,535 bytes' : null
}

/** The user that a line is about; null for a blank line, a comment or a line without a colon. */
function userOf(line: string): string | null {
  const content = line.trim()
  const end = content.indexOf(':')
  return end === -1 || content.startsWith('#') ? null : content.slice(0, end).trim()
}

function broken(file: string, line: number, problem: string): EventflowError {
  return new EventflowError('ACCESS_FILE_INVALID', `${file}: line ${line} ${problem}`)
}
