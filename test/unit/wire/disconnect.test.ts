import { describe, expect, it } from 'vitest'
import { type DisconnectPacket, readDisconnect } from '../../../src/wire/disconnect.ts'
import { readPingreq } from '../../../src/wire/pingreq.ts'
import { bytes, properties } from '../../helpers/packets.ts'
import { outcome } from './support.ts'

function read(body: Buffer, version: number, flags = 0): DisconnectPacket {
  return readDisconnect(flags, body, 0, body.length, version)
}

describe('DISCONNECT', () => {
  it('has no body before MQTT 5.0', () => {
    for (const version of [3, 4]) {
      expect(read(bytes(), version)).toEqual({ reasonCode: 0, sessionExpirySeconds: -1 })
      expect(outcome(() => read(bytes(0), version))).toBe(0x81)
    }
  })

  it('of MQTT 5.0 may have a reason code and properties', () => {
    expect(read(bytes(), 5)).toEqual({ reasonCode: 0, sessionExpirySeconds: -1 })
    expect(read(bytes(4), 5)).toEqual({ reasonCode: 4, sessionExpirySeconds: -1 })
    expect(read(bytes(0, properties()), 5)).toEqual({ reasonCode: 0, sessionExpirySeconds: -1 })
    const all = properties(0x1f, 'bye', 0x11, 0, 0, 0, 0, 0x26, 'a', 'b')
    expect(read(bytes(0x81, all), 5)).toEqual({ reasonCode: 0x81, sessionExpirySeconds: 0 })
  })

  it('has only the reason codes of clients (section 3.14.2.1)', () => {
    const codes = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
    for (let code = 0; code < 256; code++) {
      expect(outcome(() => read(bytes(code), 5))).toBe(codes.includes(code) ? 'accepted' : 0x82)
    }
  })

  it('is refused with 0x81 for its flags [MQTT-3.14.1-1]', () => {
    for (let flags = 1; flags < 16; flags++) expect(outcome(() => read(bytes(), 4, flags))).toBe(0x81)
  })

  it.each([
    ['a server reference', bytes(0, properties(0x1c, 'other')), 0x82],
    ['session expiry twice', bytes(0, properties(0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1)), 0x82],
    ['a property that is not its own', bytes(0, properties(0x21, 0, 1)), 0x81],
    ['an odd session expiry', bytes(0, properties(0x11, 0, 0)), 0x81],
    ['surplus bytes', bytes(0, properties(), 0), 0x81],
  ])('is refused for %s', (_what, body, code) => {
    expect(outcome(() => read(body, 5))).toBe(code)
  })
})

describe('PINGREQ', () => {
  it('has neither flags nor a body', () => {
    expect(outcome(() => readPingreq(0, 2, 2))).toBe('accepted')
    expect(outcome(() => readPingreq(1, 2, 2))).toBe(0x81)
    expect(outcome(() => readPingreq(0, 2, 3))).toBe(0x81)
  })
})
