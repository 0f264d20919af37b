import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readScramUsers, readUsers } from '../../../../plugins/access/password-file.ts'
import { isPassword } from '../../../../plugins/access/password-hash.ts'
import { runPasswd } from '../../../../src/cli/commands/passwd.ts'

let directory: string
let file: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'eventflow-passwd-'))
  file = join(directory, 'passwords')
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Runs the command with `typed` on its standard input. */
async function run(args: string[], typed = '', isTTY = false): Promise<{ code: number; output: string }> {
  const input = Object.assign(new PassThrough(), { isTTY })
  const output = new PassThrough()
  input.end(typed)
  const code = await runPasswd(args, { input, output })
  return { code, output: String(output.read() ?? '') }
}

async function knows(user: string, password: string): Promise<boolean> {
  const hash = (await readUsers(file)).get(user)
  return hash !== undefined && isPassword(Buffer.from(password), hash)
}

describe('eventflow passwd', () => {
  it('creates a file for its owner alone', async () => {
    expect(await run(['-c', '-b', file, 'ada', 'secret'])).toEqual({ code: 0, output: '' })
    expect(await knows('ada', 'secret')).toBe(true)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).not.toContain('secret')
  })

  it('adds a user, gives a new password and removes one, and leaves nothing else behind', async () => {
    await run(['-c', '-b', file, 'ada', 'one'])
    await run(['-b', file, 'bob', 'two'])
    await run(['-b', file, 'ada', 'three'])
    expect([await knows('ada', 'three'), await knows('ada', 'one'), await knows('bob', 'two')]).toEqual([
      true,
      false,
      true,
    ])
    expect(await run(['-D', file, 'ada'])).toEqual({ code: 0, output: '' })
    expect([...(await readUsers(file)).keys()]).toEqual(['bob'])
    expect(readdirSync(directory)).toEqual(['passwords'])
  })

  it('starts anew with -c', async () => {
    await run(['-c', '-b', file, 'ada', 'one'])
    await run(['-cb', file, 'bob', 'two'])
    expect([...(await readUsers(file)).keys()]).toEqual(['bob'])
  })

  it('hashes as often as it is told', async () => {
    await run(['-c', '-b', '-I', '1234', file, 'ada', 'x'])
    expect((await readUsers(file)).get('ada')?.iterations).toBe(1234)
  })

  it('writes a file for SCRAM with --scram, and takes neither kind for the other', async () => {
    await run(['-c', '-b', '--scram', file, 'ada', 'one'])
    await run(['-b', '--scram', '-I', '4096', file, 'bob', 'two'])
    const users = await readScramUsers(file)
    expect([...users].map(([name, { iterations }]) => [name, iterations])).toEqual([
      ['ada', 10_000],
      ['bob', 4_096],
    ])
    expect(readFileSync(file, 'utf8')).toMatch(/^ada:SCRAM-SHA-256\$10000:[^:]+\$[^:]+:\S+\nbob:/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await run(['-b', file, 'eve', 'x'])).toMatchObject({ code: 1, output: expect.stringContaining('line 1') })
    await run(['-D', '--scram', file, 'ada'])
    expect([...(await readScramUsers(file)).keys()]).toEqual(['bob'])
    expect((await run(['-b', '--scram', '-I', '1000', file, 'eve', 'x'])).code).toBe(2)
    expect((await run(['-b', '--scram', file, 'eve', 'a\u0007b'])).code).toBe(1)
  })

  it('lets the group read what it could read, and others nothing', async () => {
    await run(['-c', '-b', file, 'ada', 'one'])
    chmodSync(file, 0o644)
    await run(['-b', file, 'bob', 'two'])
    expect(statSync(file).mode & 0o777).toBe(0o640)
  })

  it('writes to the file behind a symbolic link', async () => {
    const link = join(directory, 'link')
    await run(['-c', '-b', file, 'ada', 'one'])
    symlinkSync(file, link)
    await run(['-b', link, 'bob', 'two'])
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(await knows('bob', 'two')).toBe(true)
  })

  it('reads the password from the first line of standard input', async () => {
    expect((await run(['-c', file, 'ada'], 'sëcret with blanks \r\nmore\n')).code).toBe(0)
    expect(await knows('ada', 'sëcret with blanks ')).toBe(true)
  })

  it('asks for it twice on a terminal, and does not show it', async () => {
    const { code, output } = await run(['-c', file, 'ada'], 'secret\rsecret\r', true)
    expect(code).toBe(0)
    expect(output).toBe('Password: \nThe same again: \n')
    expect(await knows('ada', 'secret')).toBe(true)
  })

  it.each([
    ['two different passwords', ['-c', 'FILE', 'ada'], 'a\rb\r', true, 'the passwords are not the same'],
    ['no password', ['-c', 'FILE', 'ada'], '', false, 'no password was given'],
    ['an empty password', ['-c', 'FILE', 'ada'], '\n', false, 'the password is empty'],
    ['Ctrl-C', ['-c', 'FILE', 'ada'], 'a\x03', true, 'no password was given'],
    ['a file that is not there', ['-b', 'FILE', 'ada', 'x'], '', false, 'the password file FILE does not exist'],
    ['nobody to remove', ['-D', 'FILE', 'ada'], '', false, 'the password file FILE does not exist'],
  ])('fails with %s', async (_what, args, typed, isTTY, problem) => {
    const words = args.map((arg) => arg.replace('FILE', file))
    const { code, output } = await run(words, typed, isTTY)
    expect(code).toBe(1)
    expect(output.split('\n').at(-2)).toMatch(new RegExp(`${problem.replace('FILE', file)}$`))
    expect(readdirSync(directory)).toEqual([])
  })

  it('fails, and changes nothing, where there is no such user or the file is broken', async () => {
    await run(['-c', '-b', file, 'ada', 'one'])
    expect(await run(['-D', file, 'eve'])).toEqual({ code: 1, output: `eventflow passwd: ${file} has no user 'eve'\n` })
    writeFileSync(file, 'ada:hunter2\n')
    const { code, output } = await run(['-b', file, 'bob', 'two'])
    expect([code, output.includes('line 1'), output.includes('hunter2')]).toEqual([1, true, false])
    expect(readFileSync(file, 'utf8')).toBe('ada:hunter2\n')
  })

  it.each([
    [[]],
    [['FILE']],
    [['FILE', 'ada', 'secret']],
    [['-b', 'FILE', 'ada']],
    [['-b', 'FILE', 'ada', 'x', 'y']],
    [['-c', '-D', 'FILE', 'ada']],
    [['-x', 'FILE', 'ada']],
    [['-b', 'FILE', 'a:b', 'x']],
    [['-b', 'FILE', '', 'x']],
    [['-b', '-I', '0', 'FILE', 'ada', 'x']],
    [['-b', '-I', 'many', 'FILE', 'ada', 'x']],
  ])('is wrongly called with %j, and says so in one line', async (args) => {
    const { code, output } = await run(args.map((arg) => arg.replace('FILE', file)))
    expect(code).toBe(2)
    expect(output).toMatch(/^eventflow passwd: .*; expected: eventflow passwd .*\n$/)
  })
})

const present = spawnSync('mosquitto_passwd', []).error === undefined
if (!present && process.env.CI === 'true') {
  throw new Error('mosquitto_passwd is missing; CI needs it (Debian: mosquitto)')
}
const note = present ? '' : ' (skipped: mosquitto_passwd is not installed)'

describe.skipIf(!present)(`with mosquitto_passwd${note}`, () => {
  function mosquitto(...args: string[]): void {
    const { status, stderr } = spawnSync('mosquitto_passwd', args, { encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(status).toBe(0)
  }

  it('files of the tool are read, with both kinds of hashes', async () => {
    mosquitto('-c', '-b', file, 'new', 'pässword')
    mosquitto('-H', 'sha512', '-b', file, 'old', 'secret')
    expect([await knows('new', 'pässword'), await knows('old', 'secret'), await knows('old', 'x')]).toEqual([
      true,
      true,
      false,
    ])
  })

  it('files of ours are changed by the tool, and files of the tool by us', async () => {
    await run(['-c', '-b', file, 'ada', 'one'])
    mosquitto('-b', file, 'bob', 'two')
    await run(['-b', file, 'eve', 'three'])
    expect([await knows('ada', 'one'), await knows('bob', 'two'), await knows('eve', 'three')]).toEqual([
      true,
      true,
      true,
    ])
    mosquitto('-D', file, 'ada')
    expect([...(await readUsers(file)).keys()]).toEqual(['bob', 'eve'])
  })
})
