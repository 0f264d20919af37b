import { describe, expect, test } from 'vitest'
import { decodeSession, encodeSession } from '../../../src/store/level/session-record.ts'

const RECORD = { clientId: 'a', username: 'ann', expirySeconds: 60, disconnectedAt: 7, subscriptions: [] }

describe('the record of a session', () => {
  test('of a broker that kept no wills is read: none is to be published', () => {
    expect(decodeSession(Buffer.from(JSON.stringify(RECORD)))).toEqual({ ...RECORD, will: null })
  })

  test('without a will is what such a broker wrote', () => {
    expect(JSON.parse(encodeSession({ ...RECORD, will: null }).toString())).toEqual(RECORD)
  })

  test('has nothing in it but what is to be kept', () => {
    const more = { ...RECORD, will: null, password: 'secret' }
    expect(encodeSession(more).toString()).not.toContain('secret')
  })

  test.each(['{', '{"will":{}}', '{"will":7}', '{"will":{"payload":7,"properties":null}}'])('%s is none', (text) => {
    expect(() => decodeSession(Buffer.from(text))).toThrow()
  })
})
