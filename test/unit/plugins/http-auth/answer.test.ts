import { describe, expect, it } from 'vitest'
import { readAnswer } from '../../../../plugins/http-auth/answer.ts'

const read = (value: unknown, username: string | null = 'ada') => readAnswer(JSON.stringify(value), username)

describe('the server', () => {
  it('denies, ignores, or allows under the name that was given', () => {
    expect(read({ result: 'deny', reason: 'because' })).toBe('deny')
    expect(read({ result: 'ignore' })).toBeNull()
    expect(read({ result: 'allow' })).toMatchObject({ username: 'ada', roles: [], rules: [] })
    expect(read({ result: 'allow' }, null)).toBe('allow')
  })

  it('may give another name, roles, rules and an end', () => {
    const rules = [{ allow: 'publish', topics: ['a/%u'] }]
    const answer = read({ result: 'allow', username: 'bob', roles: ['x'], rules, expiresAt: 1_700_000_000 }, null)
    expect(answer).toEqual({ username: 'bob', roles: ['x'], rules, expiresAt: 1_700_000_000_000 })
  })

  it.each([
    [{}, 'no result'],
    [{ result: 'Allow' }, 'no result'],
    [{ result: true }, 'no result'],
    [[], 'no object'],
    ['allow', 'no object'],
    [null, 'no object'],
    [{ result: 'allow', role: ['x'] }, '1 fields that mean nothing'],
    [{ result: 'allow', roles: [1] }, 'the roles'],
    [{ result: 'allow', rules: [{ allow: 'publish', topics: ['a#'] }] }, 'the rules'],
    [{ result: 'allow', expiresAt: '2026-01-01' }, 'expiresAt'],
    [{ result: 'allow', expiresAt: Date.now() }, 'expiresAt'],
    [{ result: 'allow', username: 7 }, 'user name'],
    [{ result: 'allow', username: '' }, 'user name'],
  ])('says nothing with %j', (value, problem) => expect(() => read(value)).toThrow(problem))

  it('must name whom it gives roles, where the client has no name', () => {
    expect(() => read({ result: 'allow', roles: ['x'] }, null)).toThrow('user name')
  })

  it('says nothing with what is no JSON, which is not quoted', () => {
    expect(() => readAnswer('{"result":"hunter2', 'ada')).toThrow(/^the answer is no JSON$/)
  })
})
