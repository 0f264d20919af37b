/**
 * What is refused leaves no trace: neither in a session, nor in what others get, nor in who is connected. Sections 4.13 of
 * MQTT 5.0 and 4.8 of 3.1.1.
 */

import type { Packet } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { type Credentials, definePlugin } from '../../src/plugin.ts'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, properties, rawText } from '../helpers/packets.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import {
  connectPacket,
  fresh,
  lasting,
  noProperties,
  payloads,
  publish,
  subscribe,
  VERSIONS,
  type Version,
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

/** A client with a session to keep, which is subscribed; and how it comes back after it was closed. */
async function scene(version: Version) {
  const options = lasting(version, fresh('session'))
  const client = await connectRaw(broker.port, options)
  const topic = fresh('t')
  await subscribe(client, topic)
  const back = async () => {
    await client.end()
    return connectRaw(broker.port, options)
  }
  return { client, topic, back }
}

/** The two bytes of an identifier. */
function identifier(messageId: number | undefined): [number, number] {
  return [messageId! >> 8, messageId! & 0xff]
}

describe.each(VERSIONS)('on MQTT $name', ({ version }) => {
  const none = noProperties(version)

  it('[MQTT-4.13.1-1] [3.1.1: MQTT-4.8.0-1] a SUBSCRIBE that is malformed in its last filter subscribes to nothing', async () => {
    const { client, topic, back } = await scene(version)
    const other = fresh('t')
    client.sendBytes(packet(0x82, 0, 1, none, other, 1, topic, 0, rawText(0xff), 0))
    const again = await back()
    await publish(again, other, 'not subscribed', { qos: 1 })
    await publish(again, topic, 'as before', { qos: 1 })
    expect((await again.next('publish')).qos).toBe(1)
    expect(await payloads(again)).toEqual([])
  })

  it('[MQTT-4.13.1-1] [3.1.1: MQTT-4.8.0-1] an UNSUBSCRIBE that is malformed in its last filter ends no subscription', async () => {
    const { client, topic, back } = await scene(version)
    client.sendBytes(packet(0xa2, 0, 1, none, topic, rawText(0xff)))
    const again = await back()
    await publish(again, topic, 'still subscribed')
    expect(await payloads(again)).toEqual(['still subscribed'])
  })

  it('[MQTT-4.13.1-1] [3.1.1: MQTT-4.8.0-1] a PUBLISH at QoS 2 that is refused leaves its identifier free', async () => {
    const { client, topic, back } = await scene(version)
    client.sendBytes(packet(0x34, '#', 0, 9, none, 0x31))
    const again = await back()
    again.sendBytes(packet(0x34, topic, 0, 9, none, 0x32))
    await again.next('pubrec')
    expect(await payloads(again)).toEqual(['2'])
  })

  it.each([
    ['PUBACK', 0x41, 1, 'publish'],
    ['PUBREC', 0x58, 2, 'publish'],
  ] as const)(
    '[MQTT-4.13.1-1] [3.1.1: MQTT-4.8.0-1] a %s with wrong flags settles nothing',
    async (_, first, qos, expected) => {
      const { client, topic, back } = await scene(version)
      await publish(client, topic, 'x', { qos })
      const { messageId } = await client.next('publish')
      client.sendBytes(packet(first, ...identifier(messageId)))
      const again = await back()
      expect(await again.next(expected)).toMatchObject({ messageId, dup: true })
    },
  )

  it('[MQTT-4.13.1-1] [3.1.1: MQTT-4.8.0-1] a PUBCOMP with surplus bytes, and a PUBREL with wrong flags, complete nothing', async () => {
    const { client, topic, back } = await scene(version)
    client.sendBytes(packet(0x34, topic, 0, 9, none, 0x31))
    await client.next('pubrec')
    const { messageId } = await client.next('publish')
    client.send({ cmd: 'pubrec', messageId: messageId! })
    await client.next('pubrel')
    client.sendBytes(packet(0x70, ...identifier(messageId), 0, 0, 0))
    const again = await back()
    expect(await again.next('pubrel')).toMatchObject({ messageId })
    again.sendBytes(packet(0x60, 0, 9))
    await again.end()
    const third = await back()
    third.sendBytes(packet(0x3c, topic, 0, 9, none, 0x31))
    await third.next('pubrec')
    expect(await payloads(third)).toEqual([])
  })

  it('[MQTT-4.13.1-1] [3.1.1: MQTT-4.8.0-1] a DISCONNECT that is malformed does not discard the will', async () => {
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('wills/')
    await subscribe(reader, topic)
    const will = { topic, payload: Buffer.from('gone'), qos: 0, retain: false } as const
    const client = await connectRaw(broker.port, { protocolVersion: version, will })
    client.sendBytes(packet(0xe1))
    expect((await reader.next('publish')).payload.toString()).toBe('gone')
  })

  it.each([
    ['is malformed', (clientId: string) => connectPacket(version, 0x03, clientId)],
    ['has surplus bytes', (clientId: string) => connectPacket(version, 0x02, clientId, 0)],
    ['has a will on a wildcard', (clientId: string) => connectPacket(version, 0x06, clientId, none, 'a/#', 'will')],
    ['has wrong credentials', (clientId: string) => connectPacket(version, 0x82, clientId, 'stranger')],
  ])(
    '[MQTT-3.1.4-1, MQTT-3.1.4-2] [3.1.1: MQTT-3.1.4-1] a CONNECT that %s takes nothing from who has its identifier',
    async (_, connect) => {
      const clientId = fresh('same')
      const options = lasting(version, clientId)
      const client = await connectRaw(broker.port, options)
      const topic = fresh('t')
      await subscribe(client, topic)
      const intruder = await openRaw(broker.port, version)
      intruder.sendBytes(connect(clientId))
      await intruder.end()
      await publish(client, topic, 'still here')
      expect(await payloads(client)).toEqual(['still here'])
      client.socket.destroy()
      expect((await connectRaw(broker.port, options)).connack.sessionPresent).toBe(true)
    },
  )
})

describe('on MQTT 5.0', () => {
  it.each([
    ['a property that does not belong', properties(0x11, 0, 0, 0, 1)],
    ['a wildcard in its response topic', properties(0x08, '#')],
    ['an alias that is not offered', properties(0x23, 0xff, 0xff)],
  ])('[MQTT-4.13.1-1] a retained PUBLISH with %s replaces nothing', async (_, all) => {
    const writer = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    await publish(writer, topic, 'kept', { qos: 1, retain: true })
    writer.sendBytes(packet(0x33, topic, 0, 1, all, 0x31))
    await writer.end()
    const reader = await connectRaw(broker.port, { protocolVersion: 5 })
    await subscribe(reader, topic)
    expect(await payloads(reader)).toEqual(['kept'])
  })

  it.each<[string, Buffer, number]>([
    ['0x81', packet(0x41, 0, 1), 0x81],
    ['0x82', packet(0x40, 0, 0), 0x82],
    ['0x90', packet(0x30, '+', 0), 0x90],
    ['0x94', packet(0x30, 'a', properties(0x23, 0, 0)), 0x94],
    ['0x95', Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), 0x95],
  ])('[MQTT-4.13.2-1] %s arrives, and then the connection is closed', async (_, sent, code) => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const order: Array<Packet['cmd'] | 'end'> = []
    client.socket.on('end', () => order.push('end'))
    client.sendBytes(sent)
    const { cmd, reasonCode } = await client.next('disconnect')
    order.push(cmd)
    await client.end()
    expect([order, reasonCode]).toEqual([['disconnect', 'end'], code])
  })
})
