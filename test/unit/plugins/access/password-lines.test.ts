import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { formatHash, hashPassword, isPassword, parseHash } from '../../../../plugins/access/password-hash.ts'
import { HASHES, parseUsers, userProblem, withoutUser, withUser } from '../../../../plugins/access/password-lines.ts'
import { EventflowError } from '../../../../src/plugin.ts'

/** Written by mosquitto_passwd 2.0.11. */
const PBKDF2 =
  '$7$101$mbCamegzqhC6fSdf$A1CkZ5/yy1QmieLxZ2UJulPmVFZu990r2cEmFdevL6DTV7o7RUP9jji01JOq5rAnSg86bTALIUizj5A7q6hbVQ=='
const SHA512 =
  '$6$9uZb+mfU0qwX7TIT$tCkVUcytsTsqGd2p6lhg4N13k37OITHkOMJd/vjNh5Sri6N7trkMw4JcRpFD8CKnA1MSSJ6gpaOM6xgH+DxV5A=='

describe('a hash', () => {
  it.each([
    ['$7$', PBKDF2, 'pässword'],
    ['$6$', SHA512, 'x'],
  ])('of Mosquitto that starts with %s fits its password and no other', async (_scheme, text, password) => {
    const hash = parseHash(text)!
    expect(await isPassword(Buffer.from(password), hash)).toBe(true)
    expect(await isPassword(Buffer.from(`${password} `), hash)).toBe(false)
    expect(await isPassword(Buffer.alloc(0), hash)).toBe(false)
    expect(formatHash(hash)).toBe(text)
  })

  it('that we make is read again, and has a salt of its own', async () => {
    const one = await hashPassword(Buffer.from('secret'), 1_000)
    const other = await hashPassword(Buffer.from('secret'), 1_000)
    expect(parseHash(formatHash(one))).toEqual(one)
    expect(one.salt).not.toEqual(other.salt)
    expect(await isPassword(Buffer.from('secret'), one)).toBe(true)
  })

  it.each([
    ['a plain password', 'secret'],
    ['nothing', ''],
    ['an unknown scheme', PBKDF2.replace('$7$', '$8$')],
    ['no iterations', PBKDF2.replace('101', '0')],
    ['odd iterations', PBKDF2.replace('101', '1e3')],
    ['far too many iterations', PBKDF2.replace('101', '10000001')],
    ['a hash that was cut short', PBKDF2.slice(0, -4)],
    ['letters that are no base64', PBKDF2.replace('mbCa', 'm*Ca')],
    ['an empty salt', PBKDF2.replace('mbCamegzqhC6fSdf', '')],
    ['a field too many', `${PBKDF2}$x`],
    ['something before it', `x${PBKDF2}`],
  ])('is not read from %s', (_what, text) => {
    expect(parseHash(text)).toBeNull()
  })
})

describe('a file', () => {
  it('has users, comments and blank lines', () => {
    const users = parseUsers(`# people\n\n  \nada:${PBKDF2}\r\na b:${SHA512}  \n`, 'f', HASHES)
    expect([...users.keys()]).toEqual(['ada', 'a b'])
    expect(users.get('ada')?.iterations).toBe(101)
  })

  it('may be empty', () => {
    expect(parseUsers('', 'f', HASHES).size).toBe(0)
  })

  it.each([
    ['a line without a colon', 'hunter2', 'f: line 3 is not of the form user:hash'],
    ['a line without a user', `:${PBKDF2}`, 'f: line 3 is not of the form user:hash'],
    ['a plain password', 'bob:hunter2', 'f: line 3 has no password hash that starts with $7$ or $6$'],
    ['a user who is there already', `ada:${SHA512}`, 'f: line 3 has the same user as line 1'],
  ])('is refused for %s, by its line and without what stands there', (_what, line, problem) => {
    const read = () => parseUsers(`ada:${PBKDF2}\n# more\n${line}\n`, 'f', HASHES)
    expect(read).toThrow(new EventflowError('ACCESS_FILE_INVALID', problem))
    expect(read).toThrow(expect.objectContaining({ code: 'ACCESS_FILE_INVALID' }))
  })

  it('keeps its other lines when a user is added, changed and removed', () => {
    const hash = SHA512
    const text = `# people\nada:${PBKDF2}\n\nbob:${PBKDF2}`
    expect(withUser(text, 'eve', hash)).toBe(`${text}\neve:${SHA512}\n`)
    expect(withUser(text, 'ada', hash)).toBe(`# people\nada:${SHA512}\n\nbob:${PBKDF2}`)
    expect(withUser('', 'ada', hash)).toBe(`ada:${SHA512}\n`)
    expect(withoutUser(text, 'ada')).toBe(`# people\n\nbob:${PBKDF2}`)
    expect(withoutUser(text, 'people')).toBeNull()
  })
})

it.each(['', 'a:b', '#a', ' a', 'a ', 'a\nb', 'a\0b'])('%j is no user name', (user) => {
  expect(userProblem(user)).not.toBeNull()
})

it('a name that MQTT cannot carry is no user name', () => {
  expect(userProblem('ü'.repeat(40_000))).not.toBeNull()
})

it.each(['ada', 'a b', 'ada@example.com', 'ü', 'a#b'])('%j is a user name', (user) => {
  expect(userProblem(user)).toBeNull()
})

it('config/passwords.example is a valid file without users, so that nobody knows a password of yours', () => {
  const file = new URL('../../../../config/passwords.example', import.meta.url)
  const text = readFileSync(file, 'utf8')
  expect(parseUsers(text, 'config/passwords.example', HASHES).size).toBe(0)
  const entries = text.replaceAll(/^#(?=\S+:\$)/gm, '')
  expect([...parseUsers(entries, 'config/passwords.example', HASHES).keys()]).toEqual(['sensor-1', 'dashboard'])
})
