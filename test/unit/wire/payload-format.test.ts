import { describe, expect, it } from 'vitest'
import { payloadIsAsDeclared } from '../../../src/wire/payload-format.ts'
import { bytes } from '../../helpers/packets.ts'

const TEXT = bytes(0x26, 'k', 'v', 0x01, 1, 0x03, 'text/plain')
const BYTES = bytes(0x01, 0)
const ILL_FORMED = Buffer.from([0xc3, 0x28])

describe('a payload', () => {
  it('that is declared as UTF-8 must be', () => {
    expect(payloadIsAsDeclared(TEXT, Buffer.from('grün 🚀\0'))).toBe(true)
    expect(payloadIsAsDeclared(TEXT, Buffer.alloc(0))).toBe(true)
    expect(payloadIsAsDeclared(TEXT, ILL_FORMED)).toBe(false)
    expect(payloadIsAsDeclared(TEXT, Buffer.from([0xed, 0xa0, 0x80]))).toBe(false)
  })

  it('that is declared as bytes, or not at all, may be anything', () => {
    for (const properties of [BYTES, bytes(0x26, 'k', 'v'), null]) {
      expect(payloadIsAsDeclared(properties, ILL_FORMED)).toBe(true)
    }
  })
})
