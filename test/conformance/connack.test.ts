/** CONNACK: section 3.2 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, properties } from '../helpers/packets.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import {
  connectPacket,
  expectRefused,
  expectTurnedAway,
  fresh,
  lasting,
  leave,
  noProperties,
  payloads,
  publish,
  subscribe,
  VERSIONS,
} from './support.ts'

const broker = sharedBroker()

describe.each(VERSIONS)('CONNACK on MQTT $name', ({ version }) => {
  it('[MQTT-3.2.0-1] [3.1.1: MQTT-3.2.0-1] comes before all else, also before what waited in the session', async () => {
    const clientId = fresh('session')
    const topic = fresh('t')
    const first = await connectRaw(broker.port, lasting(version, clientId))
    await subscribe(first, topic)
    await leave(first)
    await publish(await connectRaw(broker.port), topic, 'waiting', { qos: 1 })
    const back = await openRaw(broker.port, version)
    back.send({ cmd: 'connect', protocolId: 'MQTT', keepalive: 0, ...lasting(version, clientId) })
    back.sendBytes(packet(0xc0))
    await back.next('pingresp')
    expect(back.frames.map((frame) => frame[0]! >> 4)).toEqual([2, 3, 13])
  })

  it('[MQTT-3.2.0-2] is sent once in a connection, whatever the client sends', async () => {
    const client = await openRaw(broker.port, version)
    client.sendBytes(Buffer.concat([connectPacket(version, 2, fresh('c')), connectPacket(version, 2, fresh('c'))]))
    await client.end()
    expect(client.framesOf(2)).toHaveLength(1)
  })

  it('[MQTT-3.2.2-2] [3.1.1: MQTT-3.2.2-1] says that no session is present when the client begins anew', async () => {
    const clientId = fresh('session')
    await leave(await connectRaw(broker.port, lasting(version, clientId)))
    const client = await openRaw(broker.port, version)
    client.sendBytes(connectPacket(version, 2, clientId))
    await client.next('connack')
    expect([...client.frames[0]!.subarray(2, 4)]).toEqual([0, 0])
  })

  it('[MQTT-3.2.2-1, MQTT-3.2.2-3] [3.1.1: MQTT-3.2.2-2, MQTT-3.2.2-3] says whether there was a session, and sets no other flag', async () => {
    const clientId = fresh('session')
    const flags: number[] = []
    for (let i = 0; i < 3; i++) {
      const client = await connectRaw(broker.port, lasting(version, clientId))
      expect(client.frames[0]![3]).toBe(0)
      flags.push(client.frames[0]![2]!)
      await leave(client)
    }
    expect(flags).toEqual([0, 1, 1])
  })
})

describe('CONNACK on MQTT 3.1.1', () => {
  it('[3.1.1: MQTT-3.2.2-4, MQTT-3.2.2-5] with a return code other than 0 has no session, and ends the connection', async () => {
    await expectTurnedAway(broker, 4, connectPacket(4, 0, ''), 2)
    await expectTurnedAway(broker, 4, packet(0x10, 'MQTT', 9, 2, 0, 0, 'c'), 1)
  })

  it('[3.1.1: MQTT-3.2.2-6] is not sent where no return code fits', async () => {
    await expectTurnedAway(broker, 4, connectPacket(4, 0x03, 'c'))
    await expectTurnedAway(broker, 4, connectPacket(4, 0x06, 'c', 'a/#', 'will'))
  })

  it('has nothing but flags and return code', async () => {
    const client = await connectRaw(broker.port, lasting(4, fresh('c')))
    expect(client.frames).toEqual([packet(0x20, 0, 0)])
  })
})

describe('CONNACK on MQTT 5.0', () => {
  it('[MQTT-3.2.2-6, MQTT-3.2.2-7] with a failure says that no session is present, though there is one', async () => {
    const clientId = fresh('session')
    await leave(await connectRaw(broker.port, lasting(5, clientId)))
    const badMethod = packet(0x10, 'MQTT', 5, 0, 0, 0, properties(0x15, 'unheard-of'), clientId)
    await expectTurnedAway(broker, 5, badMethod, 0x8c)
    expect((await connectRaw(broker.port, lasting(5, clientId))).connack.sessionPresent).toBe(true)
  })

  it.each([
    [0x81, 'a format that is not kept', connectPacket(5, 0x03, 'c')],
    [0x82, 'a value that is not allowed', packet(0x10, 'MQTT', 5, 2, 0, 0, properties(0x21, 0, 0), 'c')],
    [
      0x8c,
      'an authentication method that is not offered',
      packet(0x10, 'MQTT', 5, 2, 0, 0, properties(0x15, 'x'), 'c'),
    ],
    [0x90, 'a will on no topic', connectPacket(5, 6, 'c', 0, '#', 'will')],
  ])('[MQTT-3.2.2-8] has the reason code %i for %s', async (code, _, sent) => {
    await expectTurnedAway(broker, 5, sent, code)
  })

  it('announces no limit that it does not have: every QoS, retained messages, wildcards, identifiers', async () => {
    const { connack } = await connectRaw(broker.port, { protocolVersion: 5 })
    expect(connack.properties).not.toHaveProperty('maximumQoS')
    for (const feature of [
      'retainAvailable',
      'wildcardSubscriptionAvailable',
      'subscriptionIdentifiersAvailable',
    ] as const) {
      expect(connack.properties?.[feature] ?? true).toBe(true)
    }
  })

  it('[MQTT-3.2.2-15] announces the maximum packet size; what is larger is answered with 0x95', async () => {
    const { connack } = await connectRaw(broker.port, { protocolVersion: 5 })
    const limit = connack.properties!.maximumPacketSize!
    expect(limit).toBeGreaterThan(1_000)
    const rest = limit + 1 - 5
    const header = [0x30, (rest & 0x7f) | 0x80, ((rest >> 7) & 0x7f) | 0x80, ((rest >> 14) & 0x7f) | 0x80, rest >> 21]
    await expectRefused(broker, 5, Buffer.from(header), 0x95)
  })

  it('[MQTT-3.2.2-16] assigns an identifier that no session has', async () => {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => connectRaw(broker.port, { ...lasting(5, ''), clean: true })),
    )
    const assigned = clients.map(({ connack }) => connack.properties!.assignedClientIdentifier!)
    expect(new Set(assigned).size).toBe(20)
    for (const { connack } of clients) expect(connack.sessionPresent).toBe(false)
  })

  it('[MQTT-3.2.2-17, MQTT-3.2.2-18, MQTT-3.3.2-9] a topic alias above the maximum that it announces is refused with 0x94', async () => {
    const { connack } = await connectRaw(broker.port, { protocolVersion: 5 })
    const beyond = (connack.properties?.topicAliasMaximum ?? 0) + 1
    for (const alias of [beyond, 65_535]) {
      const sent = packet(0x30, 'a', properties(0x23, alias >> 8, alias & 0xff), 1)
      await expectRefused(broker, 5, sent, 0x94)
    }
  })

  it('[MQTT-3.2.2-19, MQTT-3.2.2-20] leaves out reason string and user properties that the client would not take', async () => {
    const client = await openRaw(broker.port, 5)
    const all = properties(0x27, 0, 0, 0, 20, 0x15, 'unheard-of')
    client.sendBytes(packet(0x10, 'MQTT', 5, 2, 0, 0, all, fresh('c')))
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x8c })
    expect(client.frames[0]!.length).toBeLessThanOrEqual(20)
  })

  it('says what the session expiry became only where it is not as asked for', async () => {
    const { connack } = await connectRaw(broker.port, lasting(5, fresh('c')))
    expect(connack.properties?.sessionExpiryInterval ?? 1000).toBe(1000)
  })

  it('[MQTT-4.12.0-1] an authentication method that is not supported ends the connection', async () => {
    const all = properties(0x15, 'SCRAM-SHA-256', 0x16, 'data')
    await expectTurnedAway(broker, 5, packet(0x10, 'MQTT', 5, 2, 0, 0, all, 'c'), 0x8c)
  })

  it('[MQTT-4.12.0-6] without an authentication method there is no AUTH, and none in CONNACK', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    expect(client.connack.properties).not.toHaveProperty('authenticationMethod')
    expect(client.connack.properties).not.toHaveProperty('authenticationData')
    await publish(client, fresh('t'), 'x', { qos: 2 })
    expect(client.framesOf(15)).toEqual([])
  })
})

describe('a client that does not wait for CONNACK', () => {
  it.each(VERSIONS)('has served what it sent behind CONNECT, on MQTT $name', async ({ version }) => {
    const none = noProperties(version)
    const client = await openRaw(broker.port, version)
    const topic = fresh('t')
    const sent = [connectPacket(version, 2, fresh('c')), packet(0x82, 0, 1, none, topic, 0)]
    client.sendBytes(Buffer.concat([...sent, packet(0x30, topic, none, 0x31)]))
    await client.next('publish')
    expect(client.frames.map((frame) => frame[0]! >> 4)).toEqual([2, 9, 3])
    expect(await payloads(client)).toEqual([])
  })
})
