import { describe, expect, it, vi } from 'vitest'
import * as hashes from '../../../../plugins/access/password-hash.ts'
import { PasswordUsers } from '../../../../plugins/access/password-users.ts'

vi.mock('../../../../plugins/access/password-hash.ts', { spy: true })

function credentials(username: string | null, password: string | null) {
  return {
    clientId: 'c',
    address: '',
    listener: 'tcp',
    certificate: null,
    username,
    password: password === null ? null : Buffer.from(password),
  }
}

describe('a client', async () => {
  const hash = await hashes.hashPassword(Buffer.from('right'), 500)
  const users = new PasswordUsers(new Map([['ada', hash]]))

  it('comes in with its password', async () => {
    expect(await users.authenticate(credentials('ada', 'right'))).toBe('allow')
  })

  it.each([
    ['a wrong password', 'ada', 'wrong'],
    ['an empty password', 'ada', ''],
  ])('is turned away with %s', async (_what, username, password) => {
    expect(await users.authenticate(credentials(username, password))).toBe('deny')
  })

  it.each([
    ['no password', 'ada', null],
    ["an unknown name and somebody else's password", 'eve', 'right'],
    ['a name that objects have', '__proto__', 'right'],
    ['no name', null, 'right'],
    ['nothing', null, null],
  ])('is left to the next in the chain with %s', async (_what, username, password) => {
    expect(await users.authenticate(credentials(username, password))).toBe(null)
  })

  it('is left to the next when the file has no users', async () => {
    expect(await new PasswordUsers(new Map()).authenticate(credentials('ada', 'right'))).toBe(null)
  })
})

it('an unknown name costs the same work, and always the same, as the name of a user', async () => {
  const cheap = await hashes.hashPassword(Buffer.from('a'), 100)
  const dear = await hashes.hashPassword(Buffer.from('b'), 200)
  const users = new PasswordUsers(
    new Map([
      ['cheap', cheap],
      ['dear', dear],
    ]),
  )
  const work = async (name: string): Promise<number> => {
    vi.mocked(hashes.isPassword).mockClear()
    await users.authenticate(credentials(name, 'x'))
    expect(hashes.isPassword).toHaveBeenCalledOnce()
    return vi.mocked(hashes.isPassword).mock.lastCall![1].iterations
  }
  const seen = new Set<number>()
  for (let i = 0; i < 64; i++) {
    const first = await work(`nobody-${i}`)
    expect(await work(`nobody-${i}`)).toBe(first)
    seen.add(first)
  }
  expect([...seen].sort()).toEqual([100, 200])
})
