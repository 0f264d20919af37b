/** Wills: sections 3.1.2.5 to 3.1.2.7, 3.1.3.2, 3.1.3.3 and 3.14.4 of both specifications. */

import type { IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { packet, properties } from '../helpers/packets.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'
import {
  connectPacket,
  expectTurnedAway,
  fresh,
  leave,
  nextMessage,
  payloads,
  publish,
  subscribe,
  VERSIONS,
  type Version,
} from './support.ts'

const broker = sharedBroker()

type Will = NonNullable<IConnectPacket['will']>

/** Somebody who reads a topic, and a client that has left a will on it. */
async function scene(version: Version, more: Partial<Will> = {}, options: Partial<IConnectPacket> = {}) {
  const topic = fresh('wills/')
  const clientId = fresh('mortal')
  const will: Will = { topic, payload: Buffer.from('gone'), qos: 1, retain: false, ...more }
  const events = listenTo(broker, 'message.will-published', 'client.disconnected')
  const reader = await connectRaw(broker.port, { protocolVersion: version })
  await subscribe(reader, topic)
  const connect = { protocolVersion: version, clientId, will, ...options }
  const client = await connectRaw(broker.port, connect)
  /** Everything that was said about the will until now. */
  const said = async (): Promise<string[]> => {
    await publish(reader, topic, 'end')
    return (await payloads(reader)).slice(0, -1)
  }
  /** Resolves once the client has been gone so many times. */
  const gone = (times = 1) =>
    until(`${clientId} is gone`, () => {
      return events.of('client.disconnected').filter((data) => data.clientId === clientId).length === times
    })
  return { topic, clientId, connect, events, reader, client, said, gone }
}

/** Ways for a connection to end that ask for the will. */
const ENDS: Record<string, (client: RawClient) => void> = {
  'the connection breaks': (client) => void client.socket.resetAndDestroy(),
  'the client closes the connection': (client) => void client.socket.end(),
  'the client sends what is not MQTT': (client) => client.sendBytes([0xff, 0xff, 0xff, 0xff, 0xff]),
  'the client sends CONNECT again': (client) => client.sendBytes(packet(0x10, 'MQTT', 4, 2, 0, 0, 'c')),
}

describe.each(VERSIONS)('a will on MQTT $name', ({ version }) => {
  it.each(Object.keys(ENDS))('[MQTT-3.1.2-7, MQTT-3.1.2-8] [3.1.1: MQTT-3.1.2-8] is published when %s', async (how) => {
    const { client, reader } = await scene(version)
    ENDS[how]!(client)
    expect(await nextMessage(reader)).toBe('gone at 1')
  })

  it('[MQTT-3.1.2-10] [3.1.1: MQTT-3.1.2-10, MQTT-3.1.2-12] is published once, and not when a connection ends that left none', async () => {
    const { client, reader, connect, gone, said } = await scene(version)
    client.socket.destroy()
    expect(await nextMessage(reader)).toBe('gone at 1')
    const { will: _, ...without } = connect
    const again = await connectRaw(broker.port, without)
    again.socket.destroy()
    await gone(2)
    expect(await said()).toEqual([])
  })

  it('[MQTT-3.1.2-10, MQTT-3.14.4-3] [3.1.1: MQTT-3.1.2-10, MQTT-3.14.4-3] is discarded with DISCONNECT', async () => {
    const { client, gone, said } = await scene(version)
    await leave(client)
    await gone()
    expect(await said()).toEqual([])
  })

  it.each([0, 1, 2] as const)(
    '[MQTT-3.1.2-12] [3.1.1: MQTT-3.1.2-9, MQTT-3.1.2-14] is published at the QoS that it has, here %i',
    async (qos) => {
      const { client, reader } = await scene(version, { qos })
      client.socket.destroy()
      expect(await nextMessage(reader)).toBe(`gone at ${qos}`)
    },
  )

  it('[MQTT-3.1.2-14] [3.1.1: MQTT-3.1.2-16] is not retained unless it says so', async () => {
    const { client, reader, topic } = await scene(version, { retain: false })
    client.socket.destroy()
    await nextMessage(reader)
    const later = await connectRaw(broker.port, { protocolVersion: version })
    await subscribe(later, topic)
    expect(await payloads(later)).toEqual([])
  })

  it('[MQTT-3.1.2-15] [3.1.1: MQTT-3.1.2-17] is retained if it says so', async () => {
    const { client, reader, topic } = await scene(version, { retain: true })
    client.socket.destroy()
    expect(await nextMessage(reader)).toBe('gone at 1')
    const later = await connectRaw(broker.port, { protocolVersion: version })
    await subscribe(later, topic)
    expect(await nextMessage(later)).toBe('gone at 1 retained')
  })

  it('[MQTT-3.1.2-9] [3.1.1: MQTT-3.1.2-9] may be empty, and is any bytes', async () => {
    for (const payload of [Buffer.alloc(0), Buffer.from([0, 0xff, 0x80])]) {
      const { client, reader } = await scene(version, { payload })
      client.socket.destroy()
      expect((await reader.next('publish')).payload).toEqual(payload)
    }
  })

  it.each(['', 'a/#', '+', 'a/+/b', '#'])(
    '[MQTT-4.7.0-1, MQTT-4.7.3-1] [3.1.1: MQTT-4.7.1-1, MQTT-4.7.3-1] on %j is refused with its CONNECT',
    async (topic) => {
      const none = version === 5 ? [0] : []
      const sent = connectPacket(version, 0x06, fresh('c'), ...none, topic, 'will')
      await expectTurnedAway(broker, version, sent, version === 5 ? 0x90 : undefined)
    },
  )
})

describe('a will on MQTT 5.0', () => {
  it.each([0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99])(
    '[MQTT-3.1.2-8] is published when the client disconnects with the reason code %i',
    async (reasonCode) => {
      const { client, reader } = await scene(5)
      client.send({ cmd: 'disconnect', reasonCode })
      expect(await nextMessage(reader)).toBe('gone at 1')
      await client.end()
    },
  )

  it('[MQTT-3.1.2-8] waits for its delay, but is published at once when its session ends before', async () => {
    const options = { clean: false, properties: { sessionExpiryInterval: 1000 } }
    const { client, gone, said, clientId, reader } = await scene(
      5,
      { properties: { willDelayInterval: 1000 } },
      options,
    )
    client.socket.destroy()
    await gone()
    expect(await said()).toEqual([])
    await connectRaw(broker.port, { protocolVersion: 5, clientId, clean: true })
    expect(await nextMessage(reader)).toBe('gone at 1')
  })

  it('[MQTT-3.1.2-8] without a session to wait in is published at once, whatever its delay', async () => {
    const { client, reader } = await scene(5, { properties: { willDelayInterval: 1000 } })
    client.socket.destroy()
    expect(await nextMessage(reader)).toBe('gone at 1')
  })

  it('[MQTT-3.1.3-9] is not published when the client is back before its delay is over', async () => {
    const options = { clean: false, properties: { sessionExpiryInterval: 1000 } }
    const delayed = { properties: { willDelayInterval: 1000 } }
    const { client, gone, said, connect, clientId, events } = await scene(5, delayed, options)
    client.socket.destroy()
    await gone()
    const { will: _, ...without } = connect
    const back = await connectRaw(broker.port, without)
    expect(back.connack.sessionPresent).toBe(true)
    // What was pending is void: neither the end of this connection nor of its session brings it.
    await leave(back)
    const anew = await connectRaw(broker.port, { protocolVersion: 5, clientId, clean: true })
    await leave(anew)
    expect(await said()).toEqual([])
    expect(events.of('message.will-published')).toEqual([])
  })

  it('[MQTT-3.1.3-10] keeps its user properties in order', async () => {
    const topic = fresh('wills/')
    const reader = await connectRaw(broker.port, { protocolVersion: 5 })
    await subscribe(reader, topic)
    const pairs = [0x26, 'b', '1', 0x26, 'a', '2', 0x26, 'b', '3', 0x26, '', ''] as const
    const client = await openRaw(broker.port, 5)
    const clientId = fresh('mortal')
    client.sendBytes(packet(0x10, 'MQTT', 5, 0x06, 0, 0, 0, clientId, properties(...pairs), topic, 'gone'))
    await client.next('connack')
    client.socket.destroy()
    await reader.next('publish')
    expect(reader.framesOf(3)).toEqual([packet(0x30, topic, properties(...pairs), Buffer.from('gone'))])
  })

  it('keeps its other properties, but not its delay', async () => {
    const kept = {
      payloadFormatIndicator: true,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2, 3]),
    }
    const { client, reader } = await scene(5, { properties: { ...kept, willDelayInterval: 5 } })
    client.socket.destroy()
    const { properties: received } = await reader.next('publish')
    expect({ ...received }).toEqual(kept)
  })
})
