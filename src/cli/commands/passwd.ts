/**
 * `eventflow passwd`: adds, changes and removes users of a password file, with the options of mosquitto_passwd.
 * Asks for the password without showing it; where standard input is no terminal, its first line is the password.
 */

import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import {
  createFile,
  FILE_KINDS,
  type FileKind,
  putUser,
  removeUser,
  userProblem,
} from '../../../plugins/access/password-file.ts'
import { type Command, WronglyCalled } from '../command.ts'

const { password: HASHES, scram: SCRAM } = FILE_KINDS

const FORM = 'passwd [-c] [-b] [-D] [-I N] [--scram] FILE USER [PASSWORD]'

const USAGE = `${FORM}

  -c    create FILE, and its directory; an old one is overwritten
  -b    take the password from the command line, where others on this machine can see it
  -D    delete USER
  -I N  rounds of hashing, ${HASHES.iterations.min} to ${HASHES.iterations.max}: more make guessing and connecting slower (default ${HASHES.iterations.default};
        with --scram ${SCRAM.iterations.min} at least, default ${SCRAM.iterations.default})
  --scram  FILE is one for SCRAM-SHA-256 (access.scramFile)

Without -b the password is asked for, or is the first line of standard input where that is no terminal.`

/** Where the password is asked for and errors are told. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream
}

export const passwd: Command = {
  summary: 'Add, change or remove a user of a password file.',
  usage: USAGE,
  run: (args) => runPasswd(args, { input: process.stdin, output: process.stderr }),
}

/** The command, on any terminal. */
export async function runPasswd(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await change(orderOf(args), terminal)
    return 0
  } catch (error) {
    const wronglyCalled = error instanceof WronglyCalled
    const hint = wronglyCalled ? `; expected: eventflow ${FORM}` : ''
    terminal.output.write(`eventflow passwd: ${textOf(error)}${hint}\n`)
    return wronglyCalled ? 2 : 1
  }
}

interface Order {
  file: string
  user: string
  /** Null: to be asked for. */
  password: string | null
  create: boolean
  remove: boolean
  iterations: number
  kind: FileKind
}

async function change(order: Order, terminal: Terminal): Promise<void> {
  const { file, user, password, create, remove, iterations, kind } = order
  if (remove) {
    if (!(await removeUser(file, user, kind))) throw new Error(`${file} has no user '${user}'`)
    return
  }
  const chosen = password ?? (await askForPassword(terminal))
  if (chosen === '') throw new Error('the password is empty')
  if (create) await mkdir(dirname(file), { recursive: true })
  await (create ? createFile : putUser)(file, { kind, user, password: chosen, iterations })
}

function orderOf(args: readonly string[]): Order {
  const { values, positionals } = parse(args)
  const { b = false, c: create = false, D: remove = false, I } = values
  const [file, user, password = null] = positionals
  if (remove && (create || b || I !== undefined)) throw new WronglyCalled('-D goes with no other option')
  if (positionals.length !== (b ? 3 : 2))
    throw new WronglyCalled(`words are missing or too many ${b ? 'for' : 'without'} -b`)
  const problem = userProblem(user!)
  if (problem !== null) throw new WronglyCalled(problem)
  const kind = values.scram ? 'scram' : 'password'
  const { min, max, default: usual } = FILE_KINDS[kind].iterations
  const iterations = I === undefined ? usual : Number(I)
  if (!Number.isInteger(iterations) || iterations < min || iterations > max) {
    throw new WronglyCalled(`-I takes a whole number from ${min} to ${max}`)
  }
  return { file: file!, user: user!, password, create, remove, iterations, kind }
}

function parse(args: readonly string[]) {
  const flag = { type: 'boolean' } as const
  const options = {
    b: { ...flag, short: 'b' },
    c: { ...flag, short: 'c' },
    D: { ...flag, short: 'D' },
    scram: flag,
    I: { type: 'string', short: 'I' },
  } as const
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new WronglyCalled(textOf(error).split(/\.\s/)[0]) // what it advises says the form better
  }
}

async function askForPassword({ input, output }: Terminal): Promise<string> {
  const terminal = input.isTTY === true
  // On a terminal readline echoes what is typed to its output: to nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input, output: nowhere, terminal })
  const lines = reader[Symbol.asyncIterator]() // keeps what was pasted with a line break in it
  try {
    if (!terminal) return await nextLine(lines)
    output.write('Password: ')
    const first = await nextLine(lines)
    output.write('\nThe same again: ')
    const second = await nextLine(lines)
    output.write('\n')
    if (first !== second) throw new Error('the passwords are not the same')
    return first
  } finally {
    reader.close()
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { done, value } = await lines.next()
  if (done === true) throw new Error('no password was given') // end of input, or Ctrl-C
  return value
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
