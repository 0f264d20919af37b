/** Shared subscriptions: section 4.8.2 of MQTT 5.0. */

import { expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { arrived, fresh, lasting, nextMessage, payloads, publish, subscribe } from './support.ts'

const broker = sharedBroker()

/** A member of a group, which is granted its subscription. */
async function member(filter: string, qos: 0 | 1 | 2, clientId = fresh('member')): Promise<RawClient> {
  const client = await connectRaw(broker.port, lasting(5, clientId))
  expect(await subscribe(client, filter, { qos })).toBe(qos)
  return client
}

it('[MQTT-4.8.2-1, MQTT-4.8.2-2] have a name without wildcards, and a filter behind it', async () => {
  const client = await connectRaw(broker.port, { protocolVersion: 5 })
  const topic = fresh('t')
  expect(await subscribe(client, `$share/group/${topic}`, { qos: 1 })).toBe(1)
  expect(await subscribe(client, `$share/g/+/${topic}/#`, { qos: 1 })).toBe(1)
  for (const filter of ['$share//a', '$share/g', '$share/g/', '$share/', '$share/+/a', '$share/g#/a', '$share/g/a#']) {
    expect([filter, await subscribe(client, filter, { qos: 1 })]).toEqual([filter, 0x8f])
  }
  await publish(client, topic, 'x')
  expect((await arrived(client)).map((message) => message.topic)).toEqual([topic])
})

it('[MQTT-4.8.2-3] bring each message to one member, at the QoS that this one was granted', async () => {
  const topic = fresh('t')
  const members = [await member(`$share/g/${topic}`, 0), await member(`$share/g/${topic}`, 1)]
  const writer = await connectRaw(broker.port)
  for (let i = 0; i < 10; i++) await publish(writer, topic, String(i), { qos: 2 })
  const received = await Promise.all(members.map(arrived))
  expect(received.flat()).toHaveLength(10)
  expect(received[0]!.every(({ qos }) => qos === 0)).toBe(true)
  expect(received[1]!.every(({ qos }) => qos === 1)).toBe(true)
})

it('[MQTT-4.8.2-4] complete a message at QoS 2 that was begun when its member is back', async () => {
  const topic = fresh('t')
  const clientId = fresh('member')
  const first = await member(`$share/g/${topic}`, 2, clientId)
  await publish(await connectRaw(broker.port), topic, 'x', { qos: 2 })
  const { messageId } = await first.next('publish')
  const other = await member(`$share/g/${topic}`, 2)
  first.socket.destroy()
  const back = await connectRaw(broker.port, lasting(5, clientId))
  expect(await back.next('publish')).toMatchObject({ messageId, dup: true })
  expect(await payloads(other)).toEqual([])
})

it('[MQTT-4.8.2-5] send a message at QoS 2 that was begun to no other member when the session ends', async () => {
  const topic = fresh('t')
  const clientId = fresh('member')
  const first = await member(`$share/g/${topic}`, 2, clientId)
  const writer = await connectRaw(broker.port)
  await publish(writer, topic, 'begun', { qos: 2 })
  await first.next('publish')
  const other = await member(`$share/g/${topic}`, 2)
  first.socket.destroy()
  const anew = await connectRaw(broker.port, { protocolVersion: 5, clientId, clean: true })
  expect(anew.connack.sessionPresent).toBe(false)
  await publish(writer, topic, 'next', { qos: 2 })
  expect(await nextMessage(other)).toBe('next at 2')
  expect(await payloads(other)).toEqual([])
})

it('[MQTT-4.8.2-6] send a message that a member refused to no other', async () => {
  const topic = fresh('t')
  const members = [await member(`$share/g/${topic}`, 1), await member(`$share/g/${topic}`, 2)]
  const writer = await connectRaw(broker.port)
  for (let i = 0; i < 4; i++) await publish(writer, topic, String(i), { qos: 2 })
  const seen: string[] = []
  for (const client of members) {
    for (const { payload, qos, messageId } of await arrived(client)) {
      seen.push(payload.toString())
      client.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: messageId!, reasonCode: 0x80 })
    }
    await client.settled()
  }
  expect(seen.toSorted()).toEqual(['0', '1', '2', '3'])
  expect(await Promise.all(members.map(payloads))).toEqual([[], []])
})
