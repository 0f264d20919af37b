import { describe, expect, it } from 'vitest'
import { type ConnectPacket, ConnectRefusal, readConnect } from '../../../src/wire/connect.ts'
import { bytes, properties } from '../../helpers/packets.ts'
import { outcome } from './support.ts'

const read = (body: Buffer, flags = 0): ConnectPacket => readConnect(flags, body, 0, body.length)

/** A CONNECT by hand: name, level and keep alive as usual, then the properties of 5.0 and the payload. */
function connect(version: 3 | 4 | 5, flags: number, ...rest: Array<number | string | Buffer>): Buffer {
  return bytes(version === 3 ? 'MQIsdp' : 'MQTT', version, flags, 0, 60, ...rest)
}

const NONE = properties()

function refusal(body: Buffer, flags = 0): ConnectRefusal {
  try {
    read(body, flags)
  } catch (error) {
    if (error instanceof ConnectRefusal) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('CONNECT', () => {
  it('of MQTT 3.1 and 3.1.1 is read, Clean Session standing for the session expiry', () => {
    expect(read(connect(4, 0x02, 'me'))).toEqual({
      version: 4,
      clean: true,
      keepAliveSeconds: 60,
      clientId: 'me',
      username: null,
      password: null,
      will: null,
      sessionExpirySeconds: 0,
      receiveMaximum: 65_535,
      maximumPacketSize: 0,
      topicAliasMaximum: 0,
      requestResponseInformation: false,
      requestProblemInformation: true,
      authenticationMethod: null,
      authenticationData: null,
    })
    expect(read(connect(3, 0x00, 'me'))).toMatchObject({ version: 3, clean: false, sessionExpirySeconds: 0xffffffff })
  })

  it('of MQTT 5.0 is read with its properties', () => {
    const all = properties(
      bytes(0x11, 0, 0, 14, 16, 0x21, 0, 10, 0x27, 0, 1, 0, 0, 0x22, 0, 5, 0x19, 1, 0x17, 0),
      bytes(0x15, 'SCRAM', 0x16, 'first', 0x26, 'a', 'b', 0x26, 'a', 'b'),
    )
    expect(read(connect(5, 0x00, all, 'me'))).toMatchObject({
      version: 5,
      clean: false,
      sessionExpirySeconds: 3600,
      receiveMaximum: 10,
      maximumPacketSize: 65_536,
      topicAliasMaximum: 5,
      requestResponseInformation: true,
      requestProblemInformation: false,
      authenticationMethod: 'SCRAM',
      authenticationData: Buffer.from('first'),
    })
    expect(read(connect(5, 0x00, NONE, 'me')).sessionExpirySeconds).toBe(0)
  })

  it('is read with will, user name and password, all copied', () => {
    const willProperties = properties(0x18, 0, 0, 0, 5, 0x02, 0, 0, 0, 9, 0x26, 'a', 'b')
    const body = connect(5, 0xf6, NONE, 'me', willProperties, 'wills/me', 'gone', 'user', 'secret')
    const packet = read(body)
    body.fill(0)
    expect(packet).toMatchObject({ clientId: 'me', username: 'user', password: Buffer.from('secret') })
    expect(packet.will).toEqual({
      topic: 'wills/me',
      payload: Buffer.from('gone'),
      qos: 2,
      retain: true,
      delaySeconds: 5,
      expirySeconds: 9,
      properties: bytes(0x26, 'a', 'b'),
    })
  })

  it('of earlier versions has a will without properties', () => {
    expect(read(connect(4, 0x0e, 'me', 'wills/me', '')).will).toEqual({
      topic: 'wills/me',
      payload: Buffer.alloc(0),
      qos: 1,
      retain: false,
      delaySeconds: 0,
      expirySeconds: -1,
      properties: null,
    })
  })
})

describe('CONNECT of another protocol', () => {
  it('is refused with 0x84, and told from one that is of MQTT [MQTT-3.1.2-1]', () => {
    expect(refusal(bytes('HTTP', 4, 2, 0, 60, 'me'))).toMatchObject({ code: 0x84, version: 0, isMqtt: false })
    expect(refusal(bytes('mqtt', 4, 2, 0, 60, 'me'))).toMatchObject({ code: 0x84, version: 0, isMqtt: false })
  })

  it.each([
    ['MQTT', 3],
    ['MQTT', 6],
    ['MQTT', 0x84],
    ['MQIsdp', 4],
    ['MQIsdp', 0x83],
  ])('version is refused with 0x84: %s %i [MQTT-3.1.2-2]', (name, level) => {
    expect(refusal(bytes(name, level, 2, 0, 60, 'me'))).toMatchObject({ code: 0x84, version: 0, isMqtt: true })
  })

  it.each([0, 2, 3, 6, 99])('version %i is answered as 5.0 if the rest reads as in 5.0, and else as 3.1.1', (level) => {
    expect(refusal(bytes('MQTT', level, 2, 0, 60, NONE, 'me'))).toMatchObject({ code: 0x84, version: 5 })
    expect(refusal(bytes('MQTT', level, 2, 0, 60, 'me'))).toMatchObject({ code: 0x84, version: 0 })
    expect(refusal(bytes('MQTT', level, 2, 0, 60, ''))).toMatchObject({ code: 0x84, version: 0 })
    expect(refusal(bytes('MQTT', level))).toMatchObject({ code: 0x84, version: 0 })
  })

  it('is refused with 0x81 when not even a name can be read', () => {
    expect(refusal(bytes())).toMatchObject({ code: 0x81, version: 0, isMqtt: false })
    expect(refusal(bytes(0xff, 0xff, 0x16))).toMatchObject({ code: 0x81, version: 0, isMqtt: false })
    expect(refusal(bytes(0, 1, 0xff))).toMatchObject({ code: 0x81, version: 0, isMqtt: false })
  })
})

describe('CONNECT is refused', () => {
  it.each([3, 4, 5] as const)('with the version that was read: %i', (version) => {
    expect(refusal(connect(version, 0x01))).toMatchObject({ version, isMqtt: true })
  })

  it('with 0x81 for the flags of its fixed header [MQTT-2.1.3-1]', () => {
    expect(refusal(connect(4, 2, 'me'), 1)).toMatchObject({ code: 0x81, version: 0 })
  })

  it.each([
    ['the reserved flag [MQTT-3.1.2-3]', 0x03],
    ['a will QoS without a will [MQTT-3.1.2-11]', 0x0a],
    ['will retain without a will [MQTT-3.1.2-13]', 0x22],
    ['will QoS 3 [MQTT-3.1.2-12]', 0x1e],
  ])('with 0x81 for %s', (_what, flags) => {
    expect(outcome(() => read(connect(4, flags, 'me', 'topic', 'payload')))).toBe(0x81)
    expect(outcome(() => read(connect(5, flags, NONE, 'me', NONE, 'topic', 'payload')))).toBe(0x81)
  })

  it('for a password without a user name, which MQTT 5.0 allows', () => {
    expect(outcome(() => read(connect(3, 0x42, 'me', 'secret')))).toBe(0x81)
    expect(outcome(() => read(connect(4, 0x42, 'me', 'secret')))).toBe(0x81)
    expect(read(connect(5, 0x42, NONE, 'me', 'secret'))).toMatchObject({
      username: null,
      password: Buffer.from('secret'),
    })
  })

  it('with 0x85 without a client identifier: by 3.1 always, by 3.1.1 if the session is to be kept [3.1.1: MQTT-3.1.3-8]', () => {
    expect(outcome(() => read(connect(3, 0x02, '')))).toBe(0x85)
    expect(outcome(() => read(connect(3, 0x00, '')))).toBe(0x85)
    expect(outcome(() => read(connect(4, 0x00, '')))).toBe(0x85)
    expect(read(connect(4, 0x02, '')).clientId).toBe('')
    expect(read(connect(5, 0x00, NONE, '')).clientId).toBe('')
  })

  it.each(['', 'a/+', '#', 'a#'])('with 0x90 for the will topic %j', (topic) => {
    expect(outcome(() => read(connect(4, 0x06, 'me', topic, 'payload')))).toBe(0x90)
  })

  it.each([
    ['receive maximum 0', properties(0x21, 0, 0), 0x82],
    ['maximum packet size 0', properties(0x27, 0, 0, 0, 0), 0x82],
    ['request problem information 2', properties(0x17, 2), 0x82],
    ['session expiry twice', properties(0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1), 0x82],
    ['authentication data without a method', properties(0x16, 'data'), 0x82],
    ['a will delay among its own properties', properties(0x18, 0, 0, 0, 1), 0x81],
    ['properties cut short', properties(0x11, 0, 0, 0), 0x81],
  ])('for %s', (_what, all, code) => {
    expect(refusal(connect(5, 0x02, all, 'me'))).toMatchObject({ code, version: 5 })
  })

  it('for a session expiry among the properties of its will', () => {
    const will = properties(0x11, 0, 0, 0, 1)
    expect(outcome(() => read(connect(5, 0x06, NONE, 'me', will, 'topic', 'payload')))).toBe(0x81)
  })

  it('with 0x81 for text that is not UTF-8 [MQTT-1.5.4-1]', () => {
    const wrong = Buffer.from([0, 1, 0xff])
    expect(outcome(() => read(connect(4, 0x02, wrong)))).toBe(0x81)
    expect(outcome(() => read(connect(4, 0x82, 'me', wrong)))).toBe(0x81)
    expect(outcome(() => read(connect(4, 0x06, 'me', wrong, 'payload')))).toBe(0x81)
  })

  it('with 0x81 wherever it is cut short, and for surplus bytes', () => {
    const body = connect(5, 0xf6, NONE, 'me', NONE, 'topic', 'payload', 'user', 'secret')
    for (let length = 0; length < body.length; length++) {
      expect(outcome(() => read(body.subarray(0, length)))).toBe(0x81)
    }
    expect(outcome(() => read(bytes(body, 0)))).toBe(0x81)
  })
})

describe('CONNECT of MQTT 3.1', () => {
  it('may leave out the user name and password that it announces', () => {
    expect(read(connect(3, 0xc2, 'me'))).toMatchObject({ username: null, password: null })
    expect(read(connect(3, 0xc2, 'me', 'user'))).toMatchObject({ username: 'user', password: null })
    expect(outcome(() => read(connect(4, 0xc2, 'me', 'user')))).toBe(0x81)
  })
})
