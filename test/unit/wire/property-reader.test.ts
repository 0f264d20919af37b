import { describe, expect, it } from 'vitest'
import { checkProperties, PropertyWalker } from '../../../src/wire/property-reader.ts'
import { PLACES, PropertyId, PropertyPlace, propertyName } from '../../../src/wire/property-table.ts'
import { Reader } from '../../../src/wire/reader.ts'
import { bytes } from '../../helpers/packets.ts'
import { outcome } from './support.ts'

const { Will, Connect, Connack, Publish, Subscribe, Disconnect } = PropertyPlace

function walk(place: number, all: Buffer): void {
  const walker = new PropertyWalker().begin(all, 0, all.length, place)
  while (walker.next());
}

/** One valid property of each kind. */
const EXAMPLES: Record<number, Buffer> = {
  1: bytes(0x01, 1),
  2: bytes(0x02, 0, 0, 0, 9),
  3: bytes(0x03, 'text/plain'),
  8: bytes(0x08, 'reply/to'),
  9: bytes(0x09, 'any'),
  11: bytes(0x0b, 0x80, 0x01),
  17: bytes(0x11, 0, 0, 0, 0),
  18: bytes(0x12, 'id'),
  19: bytes(0x13, 0, 0),
  21: bytes(0x15, 'SCRAM'),
  22: bytes(0x16, 'data'),
  23: bytes(0x17, 0),
  24: bytes(0x18, 0, 0, 0, 1),
  25: bytes(0x19, 1),
  26: bytes(0x1a, 'info'),
  28: bytes(0x1c, 'other'),
  31: bytes(0x1f, 'reason'),
  33: bytes(0x21, 0, 1),
  34: bytes(0x22, 0, 0),
  35: bytes(0x23, 0, 1),
  36: bytes(0x24, 1),
  37: bytes(0x25, 1),
  38: bytes(0x26, 'name', 'value'),
  39: bytes(0x27, 0, 0, 0, 1),
  40: bytes(0x28, 1),
  41: bytes(0x29, 1),
  42: bytes(0x2a, 1),
}

describe('properties', () => {
  it('are 27, each with its places', () => {
    expect(
      Object.values(PropertyId)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Object.keys(EXAMPLES).map(Number))
    for (const id of Object.values(PropertyId)) expect(PLACES[id]).toBeGreaterThan(0)
  })

  it.each(Object.values(PropertyId))('are accepted where they belong and refused with 0x81 elsewhere: %i', (id) => {
    for (const place of Object.values(PropertyPlace)) {
      const allowed = (PLACES[id]! & place) !== 0
      expect(outcome(() => walk(place, EXAMPLES[id]!))).toBe(allowed ? 'accepted' : 0x81)
    }
  })

  it('stand where section 2.2.2.2 puts them, for what clients send', () => {
    const idsOf = (place: number): number[] => Object.values(PropertyId).filter((id) => (PLACES[id]! & place) !== 0)
    expect(idsOf(Publish)).toEqual([0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26])
    expect(idsOf(Will)).toEqual([0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26])
    expect(idsOf(Connect)).toEqual([0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27])
    expect(idsOf(Subscribe)).toEqual([0x0b, 0x26])
    expect(idsOf(PropertyPlace.Unsubscribe)).toEqual([0x26])
    expect(idsOf(PropertyPlace.Puback)).toEqual([0x1f, 0x26])
    expect(idsOf(Disconnect)).toEqual([0x11, 0x1c, 0x1f, 0x26])
    expect(idsOf(PropertyPlace.Auth)).toEqual([0x15, 0x16, 0x1f, 0x26])
  })

  it.each(Object.values(PropertyId))('are refused with 0x82 when they come twice, user properties apart: %i', (id) => {
    const twice = Buffer.concat([EXAMPLES[id]!, EXAMPLES[id]!])
    const place = PLACES[id]!
    expect(outcome(() => walk(place, twice))).toBe(id === PropertyId.UserProperty ? 'accepted' : 0x82)
  })

  it.each(Object.values(PropertyId))('are refused with 0x81 when they are cut short: %i', (id) => {
    const whole = EXAMPLES[id]!
    for (let length = 1; length < whole.length; length++) {
      expect(outcome(() => walk(PLACES[id]!, whole.subarray(0, length)))).toBe(0x81)
    }
  })

  it('are refused with 0x81 when they run into what follows them', () => {
    const whole = EXAMPLES[0x03]!
    const walker = new PropertyWalker().begin(Buffer.concat([whole, whole]), 0, whole.length - 1, Publish)
    expect(outcome(() => walker.next())).toBe(0x81)
  })

  it('are refused with 0x81 when they do not exist', () => {
    for (const id of [0x00, 0x04, 0x20, 0x2b, 0x80, 0xff]) {
      expect(outcome(() => walk(0xffff, bytes(id, 1, 1, 1, 1)))).toBe(0x81)
    }
  })

  it.each([0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a])(
    'that are flags are refused with 0x82 for other values than 0 and 1: %i',
    (id) => {
      expect(outcome(() => walk(PLACES[id]!, bytes(id, 0)))).toBe('accepted')
      expect(outcome(() => walk(PLACES[id]!, bytes(id, 1)))).toBe('accepted')
      expect(outcome(() => walk(PLACES[id]!, bytes(id, 2)))).toBe(0x82)
      expect(outcome(() => walk(PLACES[id]!, bytes(id, 255)))).toBe(0x82)
    },
  )

  it('are refused where 0 means nothing: topic alias with 0x94, the others with 0x82', () => {
    expect(outcome(() => walk(Publish, bytes(0x23, 0, 0)))).toBe(0x94)
    expect(outcome(() => walk(Connect, bytes(0x21, 0, 0)))).toBe(0x82)
    expect(outcome(() => walk(Connack, bytes(0x27, 0, 0, 0, 0)))).toBe(0x82)
    expect(outcome(() => walk(Subscribe, bytes(0x0b, 0)))).toBe(0x82)
  })

  it.each(['', 'a/+', '#', 'a#', '+'])('refuse the response topic %j with 0x82 [MQTT-3.3.2-14]', (topic) => {
    expect(outcome(() => walk(Publish, bytes(0x08, topic)))).toBe(0x82)
    expect(outcome(() => walk(Will, bytes(0x08, topic)))).toBe(0x82)
  })

  it('refuse text that is not UTF-8 with 0x81, in both halves of a user property too', () => {
    const wrong = Buffer.from([0, 1, 0xff])
    expect(outcome(() => walk(Publish, bytes(0x03, wrong)))).toBe(0x81)
    expect(outcome(() => walk(Publish, bytes(0x26, wrong, 'b')))).toBe(0x81)
    expect(outcome(() => walk(Publish, bytes(0x26, 'a', wrong)))).toBe(0x81)
    expect(outcome(() => walk(Publish, bytes(0x26, 'a', 'b\0')))).toBe(0x81)
  })

  it('may be empty strings, and binary data of any bytes', () => {
    expect(outcome(() => walk(Publish, bytes(0x26, '', '', 0x03, '', 0x09, Buffer.from([0, 2, 0, 0xff]))))).toBe(
      'accepted',
    )
  })

  it('are refused with 0x81 when their length goes beyond the packet', () => {
    const body = bytes(6, 0x26, 'a', '')
    expect(outcome(() => checkProperties(new Reader(body, 0, body.length), Subscribe))).toBe('accepted')
    expect(outcome(() => checkProperties(new Reader(body, 0, body.length - 1), Subscribe))).toBe(0x81)
  })

  it('are named in words when they are refused', () => {
    expect(propertyName(0x23)).toBe('topic alias')
    expect(propertyName(0x01)).toBe('payload format indicator')
    expect(propertyName(0x7f)).toBe('property 0x7f')
  })
})

describe('a walker', () => {
  it('gives each value in turn, and can be used again', () => {
    const walker = new PropertyWalker()
    for (let round = 0; round < 2; round++) {
      const all = bytes(0x11, 0xff, 0xff, 0xff, 0xff, 0x21, 0x01, 0x00, 0x17, 1, 0x15, 'SCRAM', 0x16, 'data')
      walker.begin(all, 0, all.length, Connect)
      expect([walker.next(), walker.id, walker.number()]).toEqual([true, 0x11, 0xffffffff])
      expect([walker.next(), walker.id, walker.number()]).toEqual([true, 0x21, 256])
      expect([walker.next(), walker.id, walker.number()]).toEqual([true, 0x17, 1])
      expect([walker.next(), walker.id, walker.text()]).toEqual([true, 0x15, 'SCRAM'])
      expect([walker.next(), walker.id, walker.binary().toString()]).toEqual([true, 0x16, 'data'])
      expect(walker.next()).toBe(false)
    }
  })
})
