/** PINGREQ, DISCONNECT and AUTH: sections 3.12 to 3.15 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { packet, properties } from '../helpers/packets.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import {
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

describe.each(VERSIONS)('on MQTT $name', ({ version }) => {
  const none = noProperties(version)

  it('[MQTT-3.12.4-1] [3.1.1: MQTT-3.12.4-1] every PINGREQ is answered with PINGRESP', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    client.sendBytes([0xc0, 0, 0xc0, 0, 0xc0, 0])
    for (let i = 0; i < 3; i++) await client.next('pingresp')
    expect(client.frames.slice(1)).toEqual(Array.from({ length: 3 }, () => packet(0xd0)))
  })

  it('PINGREQ with a body is malformed', async () => {
    await expectRefused(broker, version, packet(0xc0, 0), 0x81)
  })

  it.each([0xe1, 0xe2, 0xe4, 0xe8, 0xef])(
    '[MQTT-3.14.1-1] [3.1.1: MQTT-3.14.1-1] DISCONNECT with the first byte %i is malformed',
    async (first) => {
      await expectRefused(broker, version, packet(first), 0x81)
    },
  )

  it('DISCONNECT ends the connection, and nothing is sent for it', async () => {
    const events = listenTo(broker, 'client.disconnected')
    const clientId = fresh('c')
    const client = await connectRaw(broker.port, { protocolVersion: version, clientId })
    client.sendBytes(packet(0xe0))
    await client.end()
    expect(client.frames).toHaveLength(1)
    expect(events.of('client.disconnected')).toContainEqual(
      expect.objectContaining({ clientId, reason: 'client', reasonCode: 0 }),
    )
  })

  it('[MQTT-3.14.4-1] [3.1.1: MQTT-3.14.4-2] what a client sends behind DISCONNECT is not served', async () => {
    const reader = await connectRaw(broker.port)
    const topic = fresh('t')
    await subscribe(reader, topic)
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const message = packet(0x30, topic, none, 0x31)
    client.sendBytes(Buffer.concat([message, packet(0xe0), message, packet(0xc0)]))
    await client.end()
    expect(client.frames).toHaveLength(1)
    await publish(reader, topic, 'end')
    expect(await payloads(reader)).toEqual(['1', 'end'])
  })

  it('[MQTT-4.13.1-1] [3.1.1: MQTT-4.8.0-1] what stands before what is not allowed is served, and what stands behind it is not', async () => {
    const reader = await connectRaw(broker.port)
    const topic = fresh('t')
    await subscribe(reader, topic)
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const message = (payload: number) => packet(0x30, topic, none, payload)
    client.sendBytes(Buffer.concat([message(0x31), packet(0xd0), message(0x32)]))
    await client.end()
    await publish(reader, topic, 'end')
    expect(await payloads(reader)).toEqual(['1', 'end'])
  })
})

describe('DISCONNECT on MQTT 3.1.1', () => {
  it('with a body is malformed', async () => {
    await expectRefused(broker, 4, packet(0xe0, 0), 0x81)
    await expectRefused(broker, 4, packet(0xe0, 0, 0), 0x81)
  })
})

describe('DISCONNECT on MQTT 5.0', () => {
  it.each([0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99])(
    '[MQTT-3.14.2-1] may have the reason code %i of a client',
    async (code) => {
      for (const rest of [[], [0], [properties(0x1f, 'why', 0x26, 'a', '1', 0x26, 'a', '1')]]) {
        const client = await connectRaw(broker.port, { protocolVersion: 5 })
        client.sendBytes(packet(0xe0, code, ...rest))
        await client.end()
        expect(client.frames).toHaveLength(1)
      }
    },
  )

  it.each([
    0x01, 0x10, 0x18, 0x7f, 0x84, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x92, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0xa2, 0xff,
  ])('[MQTT-3.14.2-1] with the reason code %i, which is not for clients, is a protocol error', async (code) => {
    await expectRefused(broker, 5, packet(0xe0, code), 0x82)
  })

  it.each([
    ['an unknown property', 0x81, properties(0x7e, 0)],
    ['a property of PUBLISH', 0x81, properties(0x01, 1)],
    ['the receive maximum', 0x81, properties(0x21, 0, 1)],
    ['a property cut short', 0x81, properties(0x11, 0, 0)],
    ['properties that run beyond the packet', 0x81, Buffer.from([9, 0x1f])],
    ['surplus bytes', 0x81, Buffer.from([0, 0])],
    ['the session expiry twice', 0x82, properties(0x11, 0, 0, 0, 0, 0x11, 0, 0, 0, 0)],
    ['the reason string twice', 0x82, properties(0x1f, 'a', 0x1f, 'a')],
    ['a server reference', 0x82, properties(0x1c, 'elsewhere')],
  ])('[MQTT-4.13.1-1] with %s is refused', async (_, code, all) => {
    await expectRefused(broker, 5, packet(0xe0, 0, all), code)
  })

  it('may shorten the session, or end it', async () => {
    const options = lasting(5, fresh('session'))
    const client = await connectRaw(broker.port, options)
    client.sendBytes(packet(0xe0, 0, properties(0x11, 0, 0, 0, 0)))
    await client.end()
    expect((await connectRaw(broker.port, options)).connack.sessionPresent).toBe(false)
  })

  it('may prolong a session that was to be kept, to 0xFFFFFFFF too', async () => {
    const options = lasting(5, fresh('session'), { properties: { sessionExpiryInterval: 1 } })
    const client = await connectRaw(broker.port, options)
    client.sendBytes(packet(0xe0, 0, properties(0x11, 0xff, 0xff, 0xff, 0xff)))
    await client.end()
    expect((await connectRaw(broker.port, options)).connack.sessionPresent).toBe(true)
  })

  it('with a session expiry where CONNECT had 0 is a protocol error, and the session ends', async () => {
    const clientId = fresh('session')
    const events = listenTo(broker, 'session.expired')
    const client = await connectRaw(broker.port, { protocolVersion: 5, clientId })
    client.sendBytes(packet(0xe0, 0, properties(0x11, 0, 0, 0, 9)))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
    await client.end()
    await events.find('session.expired', { clientId })
  })

  it('[MQTT-3.14.0-1] is sent by the broker only after CONNACK', async () => {
    for (const first of [packet(0xd0), packet(0x30, 'a', 0, 1), packet(0x10, 'MQTT', 5, 0x03, 0, 0, 0, 'c')]) {
      const isConnect = first[0] === 0x10
      await expectTurnedAway(broker, 5, first, isConnect ? 0x81 : undefined)
    }
  })

  it('[MQTT-3.14.2-2] of the broker has no session expiry', async () => {
    const client = await connectRaw(broker.port, lasting(5, fresh('session')))
    client.sendBytes(packet(0xd0))
    const { properties: received } = await client.next('disconnect')
    expect(received ?? {}).not.toHaveProperty('sessionExpiryInterval')
  })

  it('[MQTT-3.14.2-3, MQTT-3.14.2-4] of the broker is not made larger than the client takes', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5, properties: { maximumPacketSize: 30 } })
    client.sendBytes(packet(0xd0))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
    for (const { length } of client.frames) expect(length).toBeLessThanOrEqual(30)
  })

  it('[MQTT-3.14.4-1, MQTT-3.14.4-2, MQTT-4.13.2-1] of the broker arrives, is the last that it sends, and ends the connection', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    await subscribe(client, topic)
    const messages = Array.from({ length: 50 }, () => packet(0x30, topic, 0, 0x78))
    client.sendBytes(Buffer.concat([...messages, packet(0x32, '#', 0, 1, 0), ...messages, packet(0xc0)]))
    await client.end()
    expect(client.frames.at(-1)![0]).toBe(0xe0)
    expect(client.frames.at(-1)![2]).toBe(0x90)
    expect(client.framesOf(14)).toHaveLength(1)
    expect(client.framesOf(3)).toHaveLength(50)
  })

  it('[MQTT-4.13.2-1] of the broker arrives though the client goes on sending what nobody reads', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    client.sendBytes(Buffer.concat([packet(0xd0), Buffer.alloc(300_000, 0xc0)]))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
    await leave(client)
  })
})

describe('AUTH on MQTT 5.0', () => {
  it.each([0xf1, 0xf2, 0xf4, 0xf8, 0xff])('[MQTT-3.15.1-1] with the first byte %i is malformed', async (first) => {
    await expectRefused(broker, 5, packet(first), 0x81)
  })

  it('from a client that named no authentication method is a protocol error', async () => {
    await expectRefused(broker, 5, packet(0xf0), 0x82)
    await expectRefused(broker, 5, packet(0xf0, 0x18, properties(0x15, 'SCRAM-SHA-1')), 0x82)
    await expectRefused(broker, 5, packet(0xf0, 0x19, properties(0x15, 'SCRAM-SHA-1')), 0x82)
  })
})
