/**
 * A password file on disk, in the format of mosquitto_passwd, or its like for SCRAM: read by the broker, changed by
 * `eventflow passwd`.
 */

import { readFile } from 'node:fs/promises'
import { EventflowError } from '../../src/plugin.ts'
import { DEFAULT_ITERATIONS, formatHash, hashPassword, MAX_ITERATIONS, type PasswordHash } from './password-hash.ts'
import { HASHES, type Kind, parseUsers, SCRAM_SECRETS, withoutUser, withUser } from './password-lines.ts'
import { formatScramSecret, makeScramSecret, SCRAM_ITERATIONS, type ScramSecret } from './scram-secret.ts'
import { writeSecretFile } from './secret-file.ts'

export { userProblem } from './password-lines.ts'

/** The two kinds of files: rounds of hashing that a password may have, and has when nothing is said; and what is written. */
export const FILE_KINDS = {
  password: {
    iterations: { min: 1, max: MAX_ITERATIONS, default: DEFAULT_ITERATIONS },
    lines: HASHES as Kind<unknown>,
    make: async (password: string, iterations: number) =>
      formatHash(await hashPassword(Buffer.from(password), iterations)),
  },
  scram: {
    iterations: SCRAM_ITERATIONS,
    lines: SCRAM_SECRETS as Kind<unknown>,
    make: async (password: string, iterations: number) =>
      formatScramSecret(await makeScramSecret(password, iterations)),
  },
}

export type FileKind = keyof typeof FILE_KINDS

export interface NewPassword {
  /** Default: a password file. */
  readonly kind?: FileKind
  /** A name without a `userProblem`. */
  readonly user: string
  readonly password: string
  readonly iterations: number
}

/** The users of a file. @throws EventflowError ACCESS_FILE_INVALID that names the file, and the line where there is one */
export async function readUsers(file: string): Promise<Map<string, PasswordHash>> {
  return parseUsers(await readText(file), file, HASHES)
}

/** The same of a file for SCRAM. */
export async function readScramUsers(file: string): Promise<Map<string, ScramSecret>> {
  return parseUsers(await readText(file), file, SCRAM_SECRETS)
}

/** Add a user, or give an old one a new password. A file that the broker would refuse is refused here too. */
export async function putUser(file: string, newPassword: NewPassword): Promise<void> {
  const text = await readText(file)
  parseUsers(text, file, FILE_KINDS[newPassword.kind ?? 'password'].lines)
  await write(file, text, newPassword)
}

/** Make the file, over an old one, with one user. */
export async function createFile(file: string, newPassword: NewPassword): Promise<void> {
  await write(file, '', newPassword)
}

/** Remove a user. Returns whether there was one. */
export async function removeUser(file: string, user: string, kind: FileKind = 'password'): Promise<boolean> {
  const text = await readText(file)
  parseUsers(text, file, FILE_KINDS[kind].lines)
  const left = withoutUser(text, user)
  if (left !== null) await writeSecretFile(file, left)
  return left !== null
}

async function write(file: string, text: string, { kind = 'password', user, password, iterations }: NewPassword) {
  await writeSecretFile(file, withUser(text, user, await FILE_KINDS[kind].make(password, iterations)))
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const problem = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new EventflowError('ACCESS_FILE_INVALID', `the password file ${file} ${problem}`, { cause })
  }
}
