/** Files of users, made by `eventflow passwd` as an operator makes them, with as few rounds of hashing as may be: tests are to be quick. */

import { join } from 'node:path'
import { runPasswd } from '../../src/cli/commands/passwd.ts'
import { temporaryFolder } from './broker.ts'

/** Passwords by user names. */
type Users = Readonly<Record<string, string>>

/** A file for `access.passwordFile`; gone when the test ends. */
export function passwordFile(users: Users): Promise<string> {
  return make(users, ['-b', '-I', '10'])
}

/** A file for `access.scramFile`; gone when the test ends. */
export function scramFile(users: Users): Promise<string> {
  return make(users, ['-b', '-I', '4096', '--scram'])
}

async function make(users: Users, options: readonly string[]): Promise<string> {
  const file = join(await temporaryFolder(), 'users')
  for (const [n, [name, password]] of Object.entries(users).entries()) {
    const words = [...(n === 0 ? ['-c'] : []), ...options, file, name, password]
    const code = await runPasswd(words, { input: process.stdin, output: process.stderr })
    if (code !== 0) throw new Error(`eventflow passwd ended with ${code}`)
  }
  return file
}
