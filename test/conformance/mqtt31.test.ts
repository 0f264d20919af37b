/**
 * MQTT 3.1, which has no numbered statements: what its clients do otherwise than those of 3.1.1, and that they are served.
 */

import { expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet } from '../helpers/packets.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import { fresh, LEVELS, nextMessage, payloads, publish, subscribe } from './support.ts'

const broker = sharedBroker()

const CLEAN = 0x02

const connect = (flags: number, ...payload: Array<number | string>) =>
  packet(0x10, 'MQIsdp', 3, flags, 0, 0, ...payload)

it.each(LEVELS)('a client publishes and receives at QoS %i', async (qos) => {
  const client = await connectRaw(broker.port, { protocolVersion: 3, clientId: fresh('old') })
  const topic = fresh('t')
  expect(await subscribe(client, topic, { qos })).toBe(qos)
  await publish(client, topic, 'x', { qos })
  expect(await nextMessage(client)).toBe(`x at ${qos}`)
})

it('messages pass between its clients and those of 3.1.1 and 5.0', async () => {
  const topic = fresh('t')
  const clients = await Promise.all(
    ([3, 4, 5] as const).map((version) =>
      connectRaw(broker.port, { protocolVersion: version, clientId: fresh('mixed') }),
    ),
  )
  for (const client of clients) await subscribe(client, topic)
  for (const client of clients) await publish(client, topic, String(client.version), { qos: 1 })
  for (const client of clients) expect(await payloads(client)).toEqual(['3', '4', '5'])
})

it('CONNACK says nothing of a session: its flags are reserved', async () => {
  const options = { protocolVersion: 3, clientId: fresh('session'), clean: false } as const
  for (let i = 0; i < 2; i++) {
    const client = await connectRaw(broker.port, options)
    expect(client.frames).toEqual([packet(0x20, 0, 0)])
    client.send({ cmd: 'disconnect' })
    await client.end()
  }
})

it('a session is kept for a client that is away', async () => {
  const options = { protocolVersion: 3, clientId: fresh('session'), clean: false } as const
  const client = await connectRaw(broker.port, options)
  const topic = fresh('t')
  await subscribe(client, topic)
  client.send({ cmd: 'disconnect' })
  await client.end()
  await publish(await connectRaw(broker.port), topic, 'missed', { qos: 2 })
  expect(await nextMessage(await connectRaw(broker.port, options))).toBe('missed at 2')
})

it.each([0x00, CLEAN])('an identifier of no bytes is answered with 0x02, with the connect flags %i', async (flags) => {
  const client = await openRaw(broker.port, 3)
  client.sendBytes(connect(flags, ''))
  await client.end()
  expect(client.frames).toEqual([packet(0x20, 0, 2)])
})

it.each([1, 2, 4, 5, 0x83])('the level %i of MQIsdp is answered with 0x01', async (level) => {
  const client = await openRaw(broker.port, 3)
  client.sendBytes(packet(0x10, 'MQIsdp', level, CLEAN, 0, 0, 'c'))
  await client.end()
  expect(client.frames).toEqual([packet(0x20, 0, 1)])
})

it('user name and password that are announced may be left out', async () => {
  for (const sent of [connect(0xc2, fresh('old')), connect(0xc2, fresh('old'), 'name')]) {
    const client = await openRaw(broker.port, 3)
    client.sendBytes(sent)
    expect(await client.next('connack')).toMatchObject({ returnCode: 0 })
  }
})

it('SUBSCRIBE, UNSUBSCRIBE and PUBREL may have DUP', async () => {
  const client = await connectRaw(broker.port, { protocolVersion: 3, clientId: fresh('old') })
  const topic = fresh('t')
  client.sendBytes(packet(0x8a, 0, 1, topic, 1))
  expect(await client.next('suback')).toMatchObject({ messageId: 1, granted: [1] })
  client.sendBytes(packet(0x34, topic, 0, 2, 0x31))
  await client.next('pubrec')
  client.sendBytes(packet(0x6a, 0, 2))
  expect(await client.next('pubcomp')).toMatchObject({ messageId: 2 })
  client.sendBytes(packet(0xaa, 0, 3, topic))
  expect(await client.next('unsuback')).toMatchObject({ messageId: 3 })
})

it('what is not allowed closes the connection without a word', async () => {
  for (const sent of [packet(0x36, 'a', 0, 1), packet(0x30, '#'), packet(0x82, 0, 1), packet(0xd0), packet(0xe1)]) {
    const client = await connectRaw(broker.port, { protocolVersion: 3, clientId: fresh('old') })
    client.sendBytes(sent)
    await client.end()
    expect(client.frames).toHaveLength(1)
  }
})
