/** A password file on disk, in the format of mosquitto_passwd: read by the broker, changed by `eventflow passwd`. */

import { readFile } from 'node:fs/promises'
import { EventflowError } from '../../src/plugin.ts'
import { DEFAULT_ITERATIONS, hashPassword, MAX_ITERATIONS, type PasswordHash } from './password-hash.ts'
import { parseUsers, withoutUser, withUser } from './password-lines.ts'
import { writeSecretFile } from './secret-file.ts'

export { userProblem } from './password-lines.ts'

/** Rounds of hashing that a password may have, and has when nothing is said. */
export const ITERATIONS = { min: 1, max: MAX_ITERATIONS, default: DEFAULT_ITERATIONS }

export interface NewPassword {
  /** A name without a `userProblem`. */
  readonly user: string
  readonly password: string
  readonly iterations: number
}

/** The users of a file. @throws EventflowError ACCESS_FILE_INVALID that names the file, and the line where there is one */
export async function readUsers(file: string): Promise<Map<string, PasswordHash>> {
  return parseUsers(await readText(file), file)
}

/** Add a user, or give an old one a new password. A file that the broker would refuse is refused here too. */
export async function putUser(file: string, newPassword: NewPassword): Promise<void> {
  const text = await readText(file)
  parseUsers(text, file)
  await write(file, text, newPassword)
}

/** Make the file, over an old one, with one user. */
export async function createFile(file: string, newPassword: NewPassword): Promise<void> {
  await write(file, '', newPassword)
}

/** Remove a user. Returns whether there was one. */
export async function removeUser(file: string, user: string): Promise<boolean> {
  const text = await readText(file)
  parseUsers(text, file)
  const left = withoutUser(text, user)
  if (left !== null) await writeSecretFile(file, left)
  return left !== null
}

async function write(file: string, text: string, { user, password, iterations }: NewPassword): Promise<void> {
  const hash = await hashPassword(Buffer.from(password), iterations)
  await writeSecretFile(file, withUser(text, user, hash))
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
