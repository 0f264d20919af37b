import { describe, expect, it } from 'vitest'
import {
  readSubscribe,
  readUnsubscribe,
  type SubscribePacket,
  type UnsubscribePacket,
} from '../../../src/wire/subscribe.ts'
import { bytes, properties } from '../../helpers/packets.ts'
import { outcome } from './support.ts'

const NONE = properties()

function subscribe(body: Buffer, version: number, flags = 2): SubscribePacket {
  return readSubscribe(flags, body, 0, body.length, version)
}

function unsubscribe(body: Buffer, version: number, flags = 2): UnsubscribePacket {
  return readUnsubscribe(flags, body, 0, body.length, version)
}

describe('SUBSCRIBE', () => {
  it('of MQTT 3.1.1 is read with the QoS of each filter', () => {
    expect(subscribe(bytes(0, 7, 'a/+', 1, '#', 2), 4)).toEqual({
      packetId: 7,
      identifier: 0,
      subscriptions: [
        { filter: 'a/+', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        { filter: '#', qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
    })
  })

  it('of MQTT 5.0 is read with its identifier and the options of each filter', () => {
    const all = properties(0x26, 'a', 'b', 0x0b, 0x80, 0x01)
    expect(subscribe(bytes(1, 0, all, 'a', 0x2d, 'b', 0x10), 5)).toEqual({
      packetId: 256,
      identifier: 128,
      subscriptions: [
        { filter: 'a', qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: 'b', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 1 },
      ],
    })
  })

  it('hands on filters that are text but no filters: they are answered one by one', () => {
    const { subscriptions } = subscribe(bytes(0, 1, '+a', 0, 'a#', 0, 'ok', 0), 4)
    expect(subscriptions.map(({ filter }) => filter)).toEqual(['+a', 'a#', 'ok'])
  })

  it('is malformed with an empty filter, and so is UNSUBSCRIBE [MQTT-4.7.3-1]', () => {
    expect(outcome(() => subscribe(bytes(0, 1, 'ok', 0, '', 0), 4))).toBe(0x81)
    expect(outcome(() => unsubscribe(bytes(0, 1, 'ok', ''), 4))).toBe(0x81)
  })

  it.each([
    ['the reserved option bits [MQTT-3.8.3-5]', 0x40, 0x81],
    ['the other reserved option bit [MQTT-3.8.3-5]', 0x80, 0x81],
    ['QoS 3', 0x03, 0x82],
    ['Retain Handling 3', 0x30, 0x82],
  ])('of MQTT 5.0 is refused for %s', (_what, options, code) => {
    expect(outcome(() => subscribe(bytes(0, 1, NONE, 'a', options), 5))).toBe(code)
  })

  it('of MQTT 3.1.1 is refused with 0x81 for QoS 3 and for any other bit of the QoS byte', () => {
    for (const options of [3, 4, 8, 16, 32, 64, 128]) {
      expect(outcome(() => subscribe(bytes(0, 1, 'a', options), 4))).toBe(0x81)
    }
  })

  it('is refused with 0x82 for No Local on a shared subscription [MQTT-3.8.3-4]', () => {
    expect(outcome(() => subscribe(bytes(0, 1, NONE, '$share/group/a', 4), 5))).toBe(0x82)
    expect(outcome(() => subscribe(bytes(0, 1, NONE, '$shared/a', 4), 5))).toBe('accepted')
  })

  it.each([
    ['the identifier 0', properties(0x0b, 0), 0x82],
    ['two identifiers', properties(0x0b, 1, 0x0b, 2), 0x82],
    ['a reason string', properties(0x1f, 'why'), 0x81],
  ])('is refused for %s among its properties', (_what, all, code) => {
    expect(outcome(() => subscribe(bytes(0, 1, all, 'a', 0), 5))).toBe(code)
  })
})

describe('UNSUBSCRIBE', () => {
  it('is read with its filters', () => {
    expect(unsubscribe(bytes(0, 7, 'a/+', 'a#', '#'), 4)).toEqual({ packetId: 7, filters: ['a/+', 'a#', '#'] })
    const all = properties(0x26, 'a', 'b')
    expect(unsubscribe(bytes(0, 7, all, 'a'), 5)).toEqual({ packetId: 7, filters: ['a'] })
  })

  it('is refused with 0x81 for properties other than user properties', () => {
    expect(outcome(() => unsubscribe(bytes(0, 7, properties(0x0b, 1), 'a'), 5))).toBe(0x81)
  })
})

describe.each([
  ['SUBSCRIBE', subscribe, [0]],
  ['UNSUBSCRIBE', unsubscribe, []],
] as const)('%s', (_name, read, options) => {
  it('is refused with 0x81 for its flags [MQTT-3.8.1-1, MQTT-3.10.1-1]', () => {
    for (let flags = 0; flags < 16; flags++) {
      const body = bytes(0, 1, 'a', ...options)
      expect(outcome(() => read(body, 4, flags))).toBe(flags === 2 ? 'accepted' : 0x81)
      expect(outcome(() => read(body, 3, flags))).toBe(flags === 2 || flags === 10 ? 'accepted' : 0x81)
    }
  })

  it('is refused with 0x82 for the packet identifier 0 [MQTT-2.2.1-3]', () => {
    expect(outcome(() => read(bytes(0, 0, 'a', ...options), 4))).toBe(0x82)
  })

  it('is refused with 0x82 without a filter [MQTT-3.8.3-2, MQTT-3.10.3-2]', () => {
    expect(outcome(() => read(bytes(0, 1), 4))).toBe(0x82)
    expect(outcome(() => read(bytes(0, 1, NONE), 5))).toBe(0x82)
  })

  it('is refused with 0x81 for filters that are not UTF-8', () => {
    expect(outcome(() => read(bytes(0, 1, Buffer.from([0, 1, 0xff]), ...options), 4))).toBe(0x81)
    expect(outcome(() => read(bytes(0, 1, 'a\0', ...options), 4))).toBe(0x81)
  })

  it('is refused with 0x81 when it is cut short', () => {
    const body = bytes(0, 1, NONE, 'topic', ...options)
    for (const length of [0, 1, 2, 4, 5, 6, 7, 8, 9]) {
      expect(outcome(() => read(body.subarray(0, length), 5))).toBe(0x81)
    }
    expect(outcome(() => read(bytes(body, 0), 5))).toBe(0x81)
  })
})
