import { describe, expect, it } from 'vitest'
import { type Acknowledgement, readAcknowledgement } from '../../../src/wire/acknowledgement.ts'
import { type AcknowledgementType, PUBACK, PUBCOMP, PUBREC, PUBREL } from '../../../src/wire/acknowledgement-writer.ts'
import { bytes, properties } from '../../helpers/packets.ts'
import { outcome } from './support.ts'

const TYPES: AcknowledgementType[] = [PUBACK, PUBREC, PUBREL, PUBCOMP]

function read(type: AcknowledgementType, body: Buffer, version = 5, flags = type === PUBREL ? 2 : 0): Acknowledgement {
  const out = { packetId: 0, reasonCode: -1 }
  readAcknowledgement(type, flags, body, 0, body.length, version, out)
  return out
}

describe.each(TYPES)('an acknowledgement of type %i', (type) => {
  it.each([3, 4, 5])('has a packet identifier, in version %i', (version) => {
    expect(read(type, bytes(0x12, 0x34), version)).toEqual({ packetId: 0x1234, reasonCode: 0 })
    expect(read(type, bytes(0xff, 0xff), version)).toEqual({ packetId: 65_535, reasonCode: 0 })
  })

  it('is refused with 0x81 for its flags [MQTT-2.1.3-1]', () => {
    for (let flags = 0; flags < 16; flags++) {
      const right = flags === (type === PUBREL ? 2 : 0)
      expect(outcome(() => read(type, bytes(0, 1), 4, flags))).toBe(right ? 'accepted' : 0x81)
      expect(outcome(() => read(type, bytes(0, 1), 5, flags))).toBe(right ? 'accepted' : 0x81)
    }
  })

  it('is refused with 0x82 for the packet identifier 0 [MQTT-2.2.1-3]', () => {
    expect(outcome(() => read(type, bytes(0, 0), 4))).toBe(0x82)
    expect(outcome(() => read(type, bytes(0, 0), 5))).toBe(0x82)
  })

  it('is refused with 0x81 for a length that its version does not have', () => {
    for (const version of [3, 4]) {
      for (const length of [0, 1, 3, 4]) expect(outcome(() => read(type, Buffer.alloc(length, 1), version))).toBe(0x81)
    }
    for (const length of [0, 1]) expect(outcome(() => read(type, Buffer.alloc(length, 1), 5))).toBe(0x81)
  })

  it('may have a reason code, and properties, in MQTT 5.0', () => {
    expect(read(type, bytes(0, 1, 0))).toEqual({ packetId: 1, reasonCode: 0 })
    expect(read(type, bytes(0, 1, 0, properties()))).toEqual({ packetId: 1, reasonCode: 0 })
    const all = properties(0x1f, 'why', 0x26, 'a', 'b', 0x26, 'a', 'c')
    expect(read(type, bytes(0, 1, 0, all))).toEqual({ packetId: 1, reasonCode: 0 })
  })

  it('has only the reason codes of its own', () => {
    const codes = type <= PUBREC ? [0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] : [0x00, 0x92]
    for (let code = 0; code < 256; code++) {
      expect(outcome(() => read(type, bytes(0, 1, code)))).toBe(codes.includes(code) ? 'accepted' : 0x82)
    }
    for (const code of codes) expect(read(type, bytes(0, 1, code)).reasonCode).toBe(code)
  })

  it.each([
    ['a property that is not its own', bytes(0, 1, 0, properties(0x11, 0, 0, 0, 1)), 0x81],
    ['a reason string twice', bytes(0, 1, 0, properties(0x1f, 'a', 0x1f, 'b')), 0x82],
    ['properties that go beyond it', bytes(0, 1, 0, 9, 0x1f, 'a'), 0x81],
    ['surplus bytes', bytes(0, 1, 0, properties(), 0), 0x81],
  ])('is refused for %s', (_what, body, code) => {
    expect(outcome(() => read(type, body))).toBe(code)
  })

  it('leaves the object alone when it is refused', () => {
    const out = { packetId: 7, reasonCode: 0x97 }
    const body = bytes(0, 1, 0xff)
    expect(outcome(() => readAcknowledgement(type, type === PUBREL ? 2 : 0, body, 0, 3, 5, out))).toBe(0x82)
    expect(out).toEqual({ packetId: 7, reasonCode: 0x97 })
  })
})

describe('a PUBREL of MQTT 3.1', () => {
  it('may have DUP set when it is sent again', () => {
    expect(outcome(() => read(PUBREL, bytes(0, 1), 3, 0b1010))).toBe('accepted')
    expect(outcome(() => read(PUBREC, bytes(0, 1), 3, 0b1000))).toBe(0x81)
  })
})
