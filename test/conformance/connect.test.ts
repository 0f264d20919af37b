/** CONNECT: section 3.1 of both specifications, but for wills, which have a file of their own. */

import { describe, expect, it } from 'vitest'
import { type Credentials, definePlugin } from '../../src/plugin.ts'
import { sharedBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { packet, properties, rawText } from '../helpers/packets.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import {
  connectPacket,
  expectRefused,
  expectTurnedAway,
  fresh,
  lasting,
  leave,
  nextMessage,
  noProperties,
  payloads,
  publish,
  subscribe,
  VERSIONS,
} from './support.ts'

const doorkeeper = definePlugin({
  name: 'doorkeeper',
  setup: ({ authenticator }) => {
    const authenticate = ({ username }: Credentials) => (username === 'stranger' ? 'deny' : 'allow')
    authenticator({ name: 'doorkeeper', authenticate })
    return undefined
  },
})

const broker = sharedBroker({}, { plugins: [doorkeeper] })

// Connect flags.
const CLEAN = 0x02
const WILL = 0x04
const PASSWORD = 0x40
const USERNAME = 0x80

describe.each(VERSIONS)('CONNECT on MQTT $name', ({ version }) => {
  const none = noProperties(version)
  /** A CONNECT that breaks the format: MQTT 5.0 answers it with 0x81, 3.1.1 with nothing. */
  const malformed = version === 5 ? 0x81 : undefined

  it.each([
    ['CONNACK', packet(0x20, 0, 0, none)],
    ['PUBLISH', packet(0x30, 'a', none, 1)],
    ['PUBACK', packet(0x40, 0, 1)],
    ['PUBREC', packet(0x50, 0, 1)],
    ['PUBREL', packet(0x62, 0, 1)],
    ['PUBCOMP', packet(0x70, 0, 1)],
    ['SUBSCRIBE', packet(0x82, 0, 1, none, 'a', 0)],
    ['UNSUBSCRIBE', packet(0xa2, 0, 1, none, 'a')],
    ['PINGREQ', packet(0xc0)],
    ['DISCONNECT', packet(0xe0)],
    ['AUTH', packet(0xf0)],
  ])(
    '[MQTT-3.1.0-1, MQTT-3.14.0-1] [3.1.1: MQTT-3.1.0-1] is the first packet: %s in its place closes the connection',
    async (_, sent) => {
      await expectTurnedAway(broker, version, sent)
    },
  )

  it('[MQTT-3.1.0-2] [3.1.1: MQTT-3.1.0-2] closes the connection when it comes a second time', async () => {
    await expectRefused(broker, version, connectPacket(version, CLEAN, fresh('c')), 0x82)
  })

  it.each(['MQTX', 'mqtt', 'MQT', 'MQTTT', '', 'HTTP'])(
    '[MQTT-3.1.2-1] [3.1.1: MQTT-3.1.2-1] with the protocol name %j is not served',
    async (name) => {
      await expectTurnedAway(broker, version, packet(0x10, name, version, CLEAN, 0, 0, none, 'c'))
    },
  )

  it('[MQTT-3.1.2-3] [3.1.1: MQTT-3.1.2-3] with the reserved connect flag is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN | 1, 'c'), malformed)
  })

  it('[MQTT-3.1.2-4] [3.1.1: MQTT-3.1.2-6] that begins anew discards the session that there was', async () => {
    const clientId = fresh('session')
    const topic = fresh('t')
    const first = await connectRaw(broker.port, lasting(version, clientId))
    await subscribe(first, topic)
    await leave(first)
    const writer = await connectRaw(broker.port, { protocolVersion: version })
    await publish(writer, topic, 'missed', { qos: 1 })
    const clean = await connectRaw(broker.port, { protocolVersion: version, clientId, clean: true })
    expect(clean.connack.sessionPresent).toBe(false)
    await publish(writer, topic, 'not subscribed any more', { qos: 1 })
    expect(await payloads(clean)).toEqual([])
    await leave(clean)
    const after = await connectRaw(broker.port, lasting(version, clientId))
    expect(after.connack.sessionPresent).toBe(false)
    expect(await payloads(after)).toEqual([])
  })

  it('[MQTT-3.1.2-5, MQTT-3.1.2-23] [3.1.1: MQTT-3.1.2-4, MQTT-3.1.2-5] resumes the session: subscriptions, and what came at QoS 1 and 2', async () => {
    const clientId = fresh('session')
    const topic = fresh('t')
    const first = await connectRaw(broker.port, lasting(version, clientId))
    await subscribe(first, topic)
    await leave(first)
    const writer = await connectRaw(broker.port, { protocolVersion: version })
    await publish(writer, topic, 'one', { qos: 1 })
    await publish(writer, topic, 'two', { qos: 2 })
    const back = await connectRaw(broker.port, lasting(version, clientId))
    expect(back.connack.sessionPresent).toBe(true)
    expect(await payloads(back)).toEqual(['one', 'two'])
    await publish(writer, topic, 'live')
    expect(await payloads(back)).toEqual(['live'])
  })

  it('[MQTT-3.1.2-6] [3.1.1: MQTT-3.1.2-4] without a session to resume begins one', async () => {
    const client = await connectRaw(broker.port, lasting(version, fresh('session')))
    expect(client.connack.sessionPresent).toBe(false)
    const topic = fresh('t')
    expect(await subscribe(client, topic)).toBe(2)
    await publish(client, topic, 'x')
    expect(await payloads(client)).toEqual(['x'])
  })

  it('[MQTT-3.1.3-1] [3.1.1: MQTT-3.1.3-1] has its fields in order: identifier, will, user name, password', async () => {
    const events = listenTo(broker, 'client.connected', 'message.will-published')
    const client = await openRaw(broker.port, version)
    const clientId = fresh('all-fields')
    const topic = fresh('will')
    const flags = CLEAN | WILL | USERNAME | PASSWORD
    client.sendBytes(connectPacket(version, flags, clientId, none, topic, 'will', 'name', 'secret'))
    await client.next('connack')
    expect(events.of('client.connected')).toMatchObject([{ clientId, username: 'name' }])
    client.socket.destroy()
    await events.find('message.will-published', { clientId, topic })
  })

  it.each([
    ['says that there is a will, and has none', connectPacket(version, CLEAN | WILL, 'c')],
    ['has a will topic and no will payload', connectPacket(version, CLEAN | WILL, 'c', none, 'topic')],
    ['has a will payload cut short', connectPacket(version, CLEAN | WILL, 'c', none, 'topic', 0, 9, 0x61)],
  ])('[MQTT-3.1.2-9] [3.1.1: MQTT-3.1.2-9] that %s is malformed', async (_, sent) => {
    await expectTurnedAway(broker, version, sent, malformed)
  })

  it.each([
    ['the will QoS 1', 0x08],
    ['the will QoS 2', 0x10],
    ['the will QoS 3', 0x18],
  ])('[MQTT-3.1.2-11] [3.1.1: MQTT-3.1.2-11, MQTT-3.1.2-13] with %s and no will is malformed', async (_, flags) => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN | flags, 'c'), malformed)
  })

  it('[MQTT-3.1.2-12] [3.1.1: MQTT-3.1.2-14] with a will of QoS 3 is malformed', async () => {
    const sent = connectPacket(version, CLEAN | WILL | 0x18, 'c', none, 'topic', 'will')
    await expectTurnedAway(broker, version, sent, malformed)
  })

  it('[MQTT-3.1.2-13] [3.1.1: MQTT-3.1.2-11, MQTT-3.1.2-15] with will retain and no will is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN | 0x20, 'c'), malformed)
  })

  it('[3.1.1: MQTT-3.1.2-11] with a will in its payload that no flag announces is malformed', async () => {
    const sent = connectPacket(version, CLEAN, 'c', none, 'topic', 'will')
    await expectTurnedAway(broker, version, sent, malformed)
  })

  it('[MQTT-3.1.2-16] [3.1.1: MQTT-3.1.2-18] with a user name that no flag announces is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN, 'c', 'name'), malformed)
  })

  it('[MQTT-3.1.2-17] [3.1.1: MQTT-3.1.2-19] without the user name that it announces is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN | USERNAME, 'c'), malformed)
  })

  it('[MQTT-3.1.2-18] [3.1.1: MQTT-3.1.2-20] with a password that no flag announces is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN | USERNAME, 'c', 'name', 'secret'), malformed)
  })

  it('[MQTT-3.1.2-19] [3.1.1: MQTT-3.1.2-21] without the password that it announces is malformed', async () => {
    const sent = connectPacket(version, CLEAN | USERNAME | PASSWORD, 'c', 'name')
    await expectTurnedAway(broker, version, sent, malformed)
  })

  it('[MQTT-3.1.3-2] [3.1.1: MQTT-3.1.3-2] finds the session by the client identifier, and by nothing else', async () => {
    const [one, other] = [fresh('one'), fresh('other')]
    await leave(await connectRaw(broker.port, lasting(version, one)))
    expect((await connectRaw(broker.port, lasting(version, other))).connack.sessionPresent).toBe(false)
    expect((await connectRaw(broker.port, lasting(version, one.toUpperCase()))).connack.sessionPresent).toBe(false)
    expect((await connectRaw(broker.port, lasting(version, one))).connack.sessionPresent).toBe(true)
  })

  it('[MQTT-3.1.3-3] [3.1.1: MQTT-3.1.3-3] without a client identifier in its payload is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN), malformed)
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN, 0), malformed)
  })

  it('[MQTT-3.1.3-4] [3.1.1: MQTT-3.1.3-4] with a client identifier that is not UTF-8 is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN, rawText(0x63, 0xff)), malformed)
  })

  it('[MQTT-3.1.3-5] [3.1.1: MQTT-3.1.3-5] may have an identifier of 1 to 23 letters and digits, and longer ones', async () => {
    const characters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
    const events = listenTo(broker, 'client.connected')
    const identifiers = ['a', 'Z', characters.slice(0, 23), characters.slice(-23), characters, 'x'.repeat(65_535)]
    for (const clientId of identifiers) await connectRaw(broker.port, { protocolVersion: version, clientId })
    expect(events.of('client.connected').map(({ clientId }) => clientId)).toEqual(identifiers)
  })

  it('[MQTT-3.1.3-6] [3.1.1: MQTT-3.1.3-6] with an identifier of no bytes is given one that nobody else has', async () => {
    const events = listenTo(broker, 'client.connected')
    const topic = fresh('t')
    for (const client of [
      await connectRaw(broker.port, { protocolVersion: version, clientId: '', clean: true }),
      await connectRaw(broker.port, { protocolVersion: version, clientId: '', clean: true }),
    ]) {
      await subscribe(client, topic)
      await publish(client, topic, 'served')
      expect(await payloads(client)).toEqual(['served'])
    }
    const given = events.of('client.connected').map(({ clientId }) => clientId)
    expect(new Set(given).size).toBe(2)
    expect(given.every((clientId) => clientId.length > 0)).toBe(true)
  })

  it('[MQTT-3.1.3-11] [3.1.1: MQTT-3.1.3-10] with a will topic that is not UTF-8 is malformed', async () => {
    const sent = connectPacket(version, CLEAN | WILL, 'c', none, rawText(0xc3, 0x28), 'will')
    await expectTurnedAway(broker, version, sent, malformed)
  })

  it('[MQTT-3.1.3-12] [3.1.1: MQTT-3.1.3-11] with a user name that is not UTF-8 is malformed', async () => {
    await expectTurnedAway(broker, version, connectPacket(version, CLEAN | USERNAME, 'c', rawText(0xff)), malformed)
  })

  it.each([
    ['is empty', packet(0x10)],
    ['ends behind the protocol name', packet(0x10, 'MQTT')],
    ['ends behind the level', packet(0x10, 'MQTT', version)],
    ['ends in the keep alive', packet(0x10, 'MQTT', version, CLEAN, 0)],
    ['has an identifier cut short', connectPacket(version, CLEAN, 0, 9, 0x63)],
    ['has surplus bytes', connectPacket(version, CLEAN, 'c', 0)],
  ])('[MQTT-3.1.4-1] [3.1.1: MQTT-3.1.4-1, MQTT-3.2.2-6] that %s closes the connection', async (what, sent) => {
    const isKnown = version === 5 && !/is empty|protocol name/.test(what)
    await expectTurnedAway(broker, version, sent, isKnown ? 0x81 : undefined)
  })

  it('[MQTT-3.1.4-2] of somebody who may not come in closes the connection', async () => {
    const sent = connectPacket(version, CLEAN | USERNAME | PASSWORD, 'c', 'stranger', 'a guess')
    await expectTurnedAway(broker, version, sent, version === 5 ? 0x86 : 4)
  })

  it('[MQTT-3.1.4-3] [3.1.1: MQTT-3.1.4-2] with the identifier of a client that is connected closes the older connection', async () => {
    const clientId = fresh('same')
    const older = await connectRaw(broker.port, { protocolVersion: version, clientId })
    const newer = await connectRaw(broker.port, { protocolVersion: version, clientId })
    await older.end()
    const told = older.frames.slice(1).map((frame) => [frame[0], frame[2]])
    expect(told).toEqual(version === 5 ? [[0xe0, 0x8e]] : [])
    await newer.settled()
  })

  it('[MQTT-3.1.4-4] [3.1.1: MQTT-3.1.4-3] of a client that is connected takes its session over, or begins anew, as it says', async () => {
    const clientId = fresh('same')
    const topic = fresh('t')
    const first = await connectRaw(broker.port, lasting(version, clientId))
    await subscribe(first, topic)
    const second = await connectRaw(broker.port, lasting(version, clientId))
    await first.end()
    expect(second.connack.sessionPresent).toBe(true)
    await publish(second, topic, 'still subscribed')
    expect(await payloads(second)).toEqual(['still subscribed'])
    const third = await connectRaw(broker.port, { protocolVersion: version, clientId, clean: true })
    await second.end()
    expect(third.connack.sessionPresent).toBe(false)
    await publish(third, topic, 'not subscribed any more')
    expect(await payloads(third)).toEqual([])
  })

  it('[MQTT-3.1.4-5] [3.1.1: MQTT-3.1.4-4] is acknowledged with CONNACK 0', async () => {
    const client = await openRaw(broker.port, version)
    client.sendBytes(connectPacket(version, CLEAN, fresh('c')))
    await client.next('connack')
    expect([...client.frames[0]!.subarray(0, 4)]).toEqual([0x20, client.frames[0]!.length - 2, 0, 0])
  })

  it('[MQTT-3.1.4-6] [3.1.1: MQTT-3.1.4-5] that is refused has nothing served that follows it', async () => {
    const witness = await connectRaw(broker.port)
    const topic = fresh('behind')
    await subscribe(witness, topic)
    const client = await openRaw(broker.port, version)
    const refused = connectPacket(version, CLEAN | USERNAME, fresh('c'), 'stranger')
    const behind = [
      packet(0x30, topic, none, 0x31),
      packet(0x82, 0, 1, none, topic, 0),
      connectPacket(version, CLEAN, fresh('second')),
      packet(0x30, topic, none, 0x32),
    ]
    client.sendBytes(Buffer.concat([refused, ...behind]))
    await client.end()
    expect(client.received.map(({ cmd }) => cmd)).toEqual(['connack'])
    await publish(witness, topic, 'end')
    expect(await payloads(witness)).toEqual(['end'])
  })
})

describe('protocol levels', () => {
  it.each([0, 1, 2, 3, 6, 0x83, 0x84, 0xff])(
    '[MQTT-3.1.2-2] [3.1.1: MQTT-3.1.2-2, MQTT-3.2.2-5] %i of MQTT is answered with 0x01, and the connection closed',
    async (level) => {
      await expectTurnedAway(broker, 4, packet(0x10, 'MQTT', level, CLEAN, 0, 0, 'c'), 1)
    },
  )
})

describe('CONNECT on MQTT 3.1.1', () => {
  it('[3.1.1: MQTT-3.1.2-22] with a password and no user name is malformed', async () => {
    await expectTurnedAway(broker, 4, connectPacket(4, CLEAN | PASSWORD, 'c', 'secret'))
  })

  it('[3.1.1: MQTT-3.1.2-7] retained messages outlive the session of the client that left them', async () => {
    const clientId = fresh('brief')
    const topic = fresh('t')
    const events = listenTo(broker, 'session.expired')
    const writer = await connectRaw(broker.port, { clientId, clean: true })
    await publish(writer, topic, 'kept', { qos: 1, retain: true })
    await leave(writer)
    await events.find('session.expired', { clientId })
    const reader = await connectRaw(broker.port)
    await subscribe(reader, topic)
    expect(await nextMessage(reader)).toBe('kept at 1 retained')
  })

  it('[3.1.1: MQTT-3.1.3-8, MQTT-3.1.3-9] with an identifier of no bytes for a session to keep is answered with 0x02', async () => {
    await expectTurnedAway(broker, 4, connectPacket(4, 0, ''), 2)
  })
})

describe('CONNECT on MQTT 5.0', () => {
  it('may have a password without a user name', async () => {
    const client = await openRaw(broker.port, 5)
    client.sendBytes(connectPacket(5, CLEAN | PASSWORD, fresh('c'), 'secret'))
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0 })
  })

  it('[MQTT-3.1.3-7] with an identifier of no bytes is told its identifier, and served by it', async () => {
    const client = await connectRaw(broker.port, { ...lasting(5, ''), clean: true })
    const clientId = client.connack.properties!.assignedClientIdentifier!
    const topic = fresh('t')
    await subscribe(client, topic)
    await leave(client)
    const back = await connectRaw(broker.port, lasting(5, clientId))
    expect(back.connack.sessionPresent).toBe(true)
    expect(back.connack.properties).not.toHaveProperty('assignedClientIdentifier')
    await publish(back, topic, 'x')
    expect(await payloads(back)).toEqual(['x'])
  })

  it.each([
    ['absent', {}],
    ['0', { sessionExpiryInterval: 0 }],
  ])(
    '[MQTT-3.1.2-23, MQTT-4.1.0-2] a session expiry that is %s ends the session with its connection',
    async (_, more) => {
      const clientId = fresh('brief')
      const events = listenTo(broker, 'session.expired')
      const client = await connectRaw(broker.port, { protocolVersion: 5, clientId, clean: false, properties: more })
      client.socket.destroy()
      await events.find('session.expired', { clientId })
      expect((await connectRaw(broker.port, lasting(5, clientId))).connack.sessionPresent).toBe(false)
    },
  )

  it('[MQTT-3.1.2-23] the session expiry 0xFFFFFFFF keeps the session', async () => {
    const options = lasting(5, fresh('for-ever'), { properties: { sessionExpiryInterval: 0xffffffff } })
    const client = await connectRaw(broker.port, options)
    client.socket.destroy()
    const back = await connectRaw(broker.port, options)
    expect(back.connack.sessionPresent).toBe(true)
  })

  it('[MQTT-3.1.2-24, MQTT-3.1.2-25] what is larger than the client takes is as good as delivered, at every QoS', async () => {
    const events = listenTo(broker, 'message.dropped')
    const writer = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    const options = lasting(5, fresh('small'), { properties: { maximumPacketSize: 60, receiveMaximum: 1 } })
    const client = await connectRaw(broker.port, options)
    await subscribe(client, topic)
    for (const qos of [0, 1, 2] as const) {
      await publish(writer, topic, 'x'.repeat(60), { qos })
      await publish(writer, topic, 'fits', { qos })
      const message = await client.next('publish')
      expect([message.payload.toString(), message.qos]).toEqual(['fits', qos])
      const messageId = message.messageId ?? 0
      if (qos === 1) client.send({ cmd: 'puback', messageId })
      if (qos === 2) {
        client.send({ cmd: 'pubrec', messageId })
        await client.next('pubrel')
        client.send({ cmd: 'pubcomp', messageId })
      }
    }
    expect(events.of('message.dropped')).toHaveLength(3)
    expect(Math.max(...client.frames.map(({ length }) => length))).toBeLessThanOrEqual(60)
    await client.settled()
    client.socket.destroy()
    const back = await connectRaw(broker.port, options)
    expect(await payloads(back)).toEqual([])
  })

  it.each([
    ['absent', {}],
    ['0', { topicAliasMaximum: 0 }],
  ])('[MQTT-3.1.2-27] a topic alias maximum that is %s: no message has an alias', async (_, more) => {
    const client = await connectRaw(broker.port, { protocolVersion: 5, properties: more })
    const topic = fresh('t')
    await subscribe(client, topic, { qos: 0 })
    for (let i = 0; i < 5; i++) await publish(client, topic, 'x')
    const received = client.received.filter(({ cmd }) => cmd === 'publish')
    expect(received).toHaveLength(5)
    expect(client.framesOf(3)).toEqual(Array.from({ length: 5 }, () => packet(0x30, topic, 0, 0x78)))
  })

  it('[MQTT-3.1.2-26, MQTT-3.3.2-11] no alias is greater than the topic alias maximum of the client', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5, properties: { topicAliasMaximum: 2 } })
    const prefix = fresh('t')
    await subscribe(client, `${prefix}/+`, { qos: 0 })
    for (let i = 0; i < 12; i++) await publish(client, `${prefix}/${i % 4}`, String(i))
    const known = new Map<number, string>()
    const topics: string[] = []
    for (let i = 0; i < 12; i++) {
      const { topic, properties: received } = await client.next('publish')
      const alias = received?.topicAlias ?? 0
      expect(alias).toBeLessThanOrEqual(2)
      if (alias > 0 && topic !== '') known.set(alias, topic)
      topics.push(topic === '' ? known.get(alias)! : topic)
    }
    expect(topics).toEqual(Array.from({ length: 12 }, (_, i) => `${prefix}/${i % 4}`))
  })

  it.each([
    ['absent', {}],
    ['0', { requestResponseInformation: false }],
  ])('[MQTT-3.1.2-28] a request for response information that is %s: CONNACK has none', async (_, more) => {
    const { connack } = await connectRaw(broker.port, { protocolVersion: 5, properties: more })
    expect(connack.properties).not.toHaveProperty('responseInformation')
  })

  it('[MQTT-3.1.2-29] a client that wants no problem information gets neither reason strings nor user properties', async () => {
    const client = await connectRaw(broker.port, {
      protocolVersion: 5,
      properties: { requestProblemInformation: false },
    })
    client.sendBytes(packet(0x32, '$SYS/refused', 0, 1, 0, 1))
    client.sendBytes(packet(0x34, '$SYS/refused', 0, 2, 0, 1))
    client.sendBytes(packet(0x62, 0, 3))
    client.sendBytes(packet(0x50, 0, 4))
    client.sendBytes(packet(0x82, 0, 5, 0, 'a#', 0))
    client.sendBytes(packet(0xa2, 0, 6, 0, 'a#'))
    await client.next('unsuback')
    expect(client.frames.slice(1)).toEqual([
      packet(0x40, 0, 1, 0x87),
      packet(0x50, 0, 2, 0x87),
      packet(0x70, 0, 3, 0x92),
      packet(0x62, 0, 4, 0x92),
      packet(0x90, 0, 5, 0, 0x8f),
      packet(0xb0, 0, 6, 0, 0x8f),
    ])
  })

  it.each([
    ['an unknown property', 0x81, properties(0x7e, 0)],
    ['a property of PUBLISH', 0x81, properties(0x01, 0)],
    ['a property of CONNACK', 0x81, properties(0x12, 'id')],
    ['the will delay outside of the will', 0x81, properties(0x18, 0, 0, 0, 1)],
    ['a property cut short', 0x81, properties(0x11, 0, 0)],
    ['a user property without a value', 0x81, properties(0x26, 'name')],
    ['properties longer than the packet', 0x81, Buffer.from([99])],
    ['the session expiry twice', 0x82, properties(0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1)],
    ['the receive maximum twice', 0x82, properties(0x21, 0, 1, 0x21, 0, 1)],
    ['the receive maximum 0', 0x82, properties(0x21, 0, 0)],
    ['the maximum packet size twice', 0x82, properties(0x27, 0, 0, 1, 0, 0x27, 0, 0, 1, 0)],
    ['the maximum packet size 0', 0x82, properties(0x27, 0, 0, 0, 0)],
    ['the topic alias maximum twice', 0x82, properties(0x22, 0, 1, 0x22, 0, 1)],
    ['a request for response information of 2', 0x82, properties(0x19, 2)],
    ['a request for response information twice', 0x82, properties(0x19, 1, 0x19, 1)],
    ['a request for problem information of 2', 0x82, properties(0x17, 2)],
    ['a request for problem information twice', 0x82, properties(0x17, 1, 0x17, 1)],
    ['authentication data without a method', 0x82, properties(0x16, 'data')],
    ['the authentication method twice', 0x82, properties(0x15, 'a', 0x15, 'a')],
  ])('[MQTT-4.13.1-1, MQTT-3.2.2-7] with %s is refused, and the connection closed', async (_, code, all) => {
    await expectTurnedAway(broker, 5, packet(0x10, 'MQTT', 5, CLEAN, 0, 0, all, 'c'), code)
  })

  it.each([
    ['an unknown property', 0x81, properties(0x7e, 0)],
    ['a property of CONNECT', 0x81, properties(0x11, 0, 0, 0, 1)],
    ['a topic alias', 0x81, properties(0x23, 0, 1)],
    ['a subscription identifier', 0x81, properties(0x0b, 1)],
    ['a property cut short', 0x81, properties(0x18, 0, 0)],
    ['the payload format 2', 0x82, properties(0x01, 2)],
    ['the payload format twice', 0x82, properties(0x01, 0, 0x01, 0)],
    ['the will delay twice', 0x82, properties(0x18, 0, 0, 0, 1, 0x18, 0, 0, 0, 1)],
    ['the message expiry twice', 0x82, properties(0x02, 0, 0, 0, 1, 0x02, 0, 0, 0, 1)],
    ['the content type twice', 0x82, properties(0x03, 'a', 0x03, 'a')],
    ['the response topic twice', 0x82, properties(0x08, 'a', 0x08, 'a')],
    ['a wildcard in its response topic', 0x82, properties(0x08, 'a/#')],
    ['the correlation data twice', 0x82, properties(0x09, 'a', 0x09, 'a')],
  ])('[MQTT-4.13.1-1, MQTT-3.2.2-7] with a will that has %s is refused', async (_, code, all) => {
    const sent = packet(0x10, 'MQTT', 5, CLEAN | WILL, 0, 0, 0, 'c', all, 'topic', 'will')
    await expectTurnedAway(broker, 5, sent, code)
  })

  it.each(['', 'a/#', '+', 'a/+/b', '#'])(
    '[MQTT-4.7.0-1, MQTT-4.7.3-1, MQTT-3.2.2-7] with a will on %j is refused with 0x90',
    async (topic) => {
      await expectTurnedAway(broker, 5, connectPacket(5, CLEAN | WILL, 'c', 0, topic, 'will'), 0x90)
    },
  )
})
