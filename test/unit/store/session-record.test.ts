import { describe, expect, test } from 'vitest'
import { NO_GRANTS } from '../../../src/core/grants.ts'
import { decodeSession, encodeSession } from '../../../src/store/level/session-record.ts'

const RECORD = { clientId: 'a', username: 'ann', expirySeconds: 60, disconnectedAt: 7, subscriptions: [] }

describe('the record of a session', () => {
  test('of a broker that kept no wills is read: none is to be published', () => {
    expect(decodeSession(Buffer.from(JSON.stringify(RECORD)))).toEqual({ ...RECORD, will: null })
  })

  test('without a will is what such a broker wrote', () => {
    expect(JSON.parse(encodeSession({ ...RECORD, will: null }).toString())).toEqual(RECORD)
  })

  test('keeps whose it is, and the roles and rules that its user brought along', () => {
    const grants = { roles: ['ops'], rules: [{ allow: 'publish' as const, topics: ['a/%u'] }] }
    const record = { ...RECORD, proved: true, grants, will: null }
    expect(decodeSession(encodeSession(record))).toEqual(record)
  })

  test('of nobody, who brought nothing, has no word of it', () => {
    const none = { proved: false, grants: NO_GRANTS, will: null }
    expect(JSON.parse(encodeSession({ ...RECORD, ...none }).toString())).toEqual(RECORD)
  })

  test('has nothing in it but what is to be kept', () => {
    const more = { ...RECORD, will: null, password: 'secret' }
    expect(encodeSession(more).toString()).not.toContain('secret')
  })

  test.each(['{', '{"will":{}}', '{"will":7}', '{"will":{"payload":7,"properties":null}}'])('%s is none', (text) => {
    expect(() => decodeSession(Buffer.from(text))).toThrow()
  })
})
