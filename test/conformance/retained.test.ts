/** Retained messages: section 3.3.1.3 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet } from '../helpers/packets.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import {
  arrived,
  expectRefused,
  fresh,
  LEVELS,
  payloads,
  publish,
  subscribe,
  VERSIONS,
  type Version,
} from './support.ts'

const broker = sharedBroker()

/** A client, and a topic that nobody has used yet. */
async function scene(version: Version) {
  const client = await connectRaw(broker.port, { protocolVersion: version })
  const topic = fresh('retained/')
  const retain = (payload: string, qos: 0 | 1 | 2 = 1) => publish(client, topic, payload, { qos, retain: true })
  /** What somebody gets who subscribes now, as text. */
  const kept = async (filter = topic): Promise<string[]> => {
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    await subscribe(reader, filter)
    return told(await arrived(reader))
  }
  return { client, topic, retain, kept }
}

function told(messages: Awaited<ReturnType<typeof arrived>>): string[] {
  return messages.map(({ payload, qos, retain }) => `${payload} at ${qos}${retain ? ' retained' : ''}`)
}

describe.each(VERSIONS)('a retained message on MQTT $name', ({ version }) => {
  it.each(LEVELS)(
    '[MQTT-3.3.1-5] [3.1.1: MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-8] is kept with its QoS, here %i, and sent to who subscribes, as retained',
    async (qos) => {
      const { retain, kept } = await scene(version)
      await retain('x', qos)
      expect(await kept()).toEqual([`x at ${qos} retained`])
    },
  )

  it.each(LEVELS)(
    '[MQTT-3.3.1-5] [3.1.1: MQTT-3.3.1-5, MQTT-3.3.1-7] at QoS %i replaces the one before',
    async (qos) => {
      const { retain, kept } = await scene(version)
      await retain('first', 2)
      await retain('second', qos)
      expect(await kept()).toEqual([`second at ${qos} retained`])
    },
  )

  it('[MQTT-3.3.1-6, MQTT-3.3.1-7] [3.1.1: MQTT-3.3.1-10, MQTT-3.3.1-11] of no bytes removes the one before, is delivered, and is not kept', async () => {
    const { client, topic, retain, kept } = await scene(version)
    await retain('x')
    const present = await connectRaw(broker.port, { protocolVersion: version })
    await subscribe(present, topic)
    expect(told(await arrived(present))).toEqual(['x at 1 retained'])
    client.sendBytes(packet(0x31, topic, ...(version === 5 ? [0] : [])))
    await client.settled()
    expect(told(await arrived(present))).toEqual([' at 0'])
    expect(await kept()).toEqual([])
    await retain('')
    expect(told(await arrived(present))).toEqual([' at 1'])
    expect(await kept()).toEqual([])
  })

  it('[MQTT-3.3.1-8] [3.1.1: MQTT-3.3.1-12] is neither made, replaced nor removed by a message without the flag', async () => {
    const { client, topic, retain, kept } = await scene(version)
    await publish(client, topic, 'passing', { qos: 1 })
    expect(await kept()).toEqual([])
    await retain('kept')
    await publish(client, topic, 'passing', { qos: 1 })
    await publish(client, topic, '', { qos: 1 })
    expect(await kept()).toEqual(['kept at 1 retained'])
  })

  it('[MQTT-3.3.1-12] [3.1.1: MQTT-3.3.1-9] comes without the flag to who is subscribed already', async () => {
    const { client, topic, retain } = await scene(version)
    await subscribe(client, topic)
    await retain('live')
    expect(told(await arrived(client))).toEqual(['live at 1'])
  })

  it('[MQTT-3.3.1-9] [3.1.1: MQTT-3.3.1-6] is sent for every topic that the filter matches, after SUBACK', async () => {
    const { client, topic } = await scene(version)
    const topics = [topic, `${topic}/a`, `${topic}/b`, `${topic}/b/c`, `${topic}x`]
    for (const each of topics) await publish(client, each, each, { qos: 1, retain: true })
    for (const [filter, expected] of [
      [`${topic}/#`, topics.slice(0, 4)],
      [`${topic}/+`, topics.slice(1, 3)],
      [`${topic}/+/c`, topics.slice(3, 4)],
      [`${topic}x`, topics.slice(4)],
      [`${topic}/none`, []],
    ] as const) {
      const reader = await connectRaw(broker.port, { protocolVersion: version })
      await subscribe(reader, filter, { qos: 0 })
      expect((await payloads(reader)).toSorted()).toEqual(expected.toSorted())
      expect(reader.frames[1]![0]).toBe(0x90)
    }
  })

  it('[MQTT-3.3.1-9, MQTT-3.8.4-4] [3.1.1: MQTT-3.8.4-3] is sent again when the subscription is made again', async () => {
    const { client, topic, retain } = await scene(version)
    await retain('x')
    for (let i = 0; i < 2; i++) {
      await subscribe(client, topic)
      expect(told(await arrived(client))).toEqual(['x at 1 retained'])
    }
  })

  it('[MQTT-3.3.2-2] [3.1.1: MQTT-3.3.2-2] on a topic with wildcards is refused and not kept', async () => {
    const none = version === 5 ? [0] : []
    await expectRefused(broker, version, packet(0x31, 'retained/+', ...none, 1), 0x90)
  })
})

describe('a retained message on MQTT 5.0', () => {
  it('[MQTT-3.3.1-10] with retain handling 1 is sent for a new subscription, and not for one that there was', async () => {
    const { client, topic, retain } = await scene(5)
    await retain('x')
    await subscribe(client, topic, { qos: 1, rh: 1 })
    expect(told(await arrived(client))).toEqual(['x at 1 retained'])
    await subscribe(client, topic, { qos: 2, rh: 1 })
    expect(await arrived(client)).toEqual([])
    client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [topic] })
    await client.next('unsuback')
    await subscribe(client, topic, { qos: 0, rh: 1 })
    expect(told(await arrived(client))).toEqual(['x at 0 retained'])
  })

  it('[MQTT-3.3.1-9] that comes live while others are still being sent is not sent a second time', async () => {
    const { client, topic } = await scene(5)
    for (const name of ['1', '2', '3', 'late/4'])
      await publish(client, `${topic}/${name}`, name, { qos: 1, retain: true })
    const slow = await connectRaw(broker.port, { protocolVersion: 5, properties: { receiveMaximum: 1 } })
    await subscribe(slow, `${topic}/#`)
    await publish(client, `${topic}/late`, 'late', { qos: 1, retain: true })
    const came: string[] = []
    while (came.length < 5) {
      const { payload, messageId } = await slow.next('publish')
      came.push(payload.toString())
      slow.send({ cmd: 'puback', messageId: messageId! })
    }
    expect(came.toSorted()).toEqual(['1', '2', '3', 'late', 'late/4'])
    expect(await arrived(slow)).toEqual([])
  })

  it('[MQTT-3.3.1-10, MQTT-3.8.4-5] with retain handling 1 is sent once for a filter that one SUBSCRIBE has twice', async () => {
    const { client, topic, retain } = await scene(5)
    await retain('x')
    client.sendBytes(packet(0x82, 0, 7, 0, topic, 0x11, topic, 0x11))
    expect(told(await arrived(client))).toEqual(['x at 1 retained'])
  })

  it('[MQTT-3.3.1-11] with retain handling 2 is not sent when the subscription is made', async () => {
    const { client, topic, retain } = await scene(5)
    await retain('x')
    for (let i = 0; i < 2; i++) await subscribe(client, topic, { qos: 1, rh: 2 })
    expect(await arrived(client)).toEqual([])
    await retain('live')
    expect(told(await arrived(client))).toEqual(['live at 1'])
  })

  it('[MQTT-3.3.1-12, MQTT-3.3.1-13] with retain as published keeps the flag that its publisher gave', async () => {
    const { client, topic, retain } = await scene(5)
    const plain = await connectRaw(broker.port, { protocolVersion: 5 })
    const asPublished = await connectRaw(broker.port, { protocolVersion: 5 })
    await subscribe(plain, topic, { qos: 0, rap: false })
    await subscribe(asPublished, topic, { qos: 0, rap: true })
    await retain('with')
    await publish(client, topic, 'without', { qos: 1 })
    expect(told(await arrived(plain))).toEqual(['with at 0', 'without at 0'])
    expect(told(await arrived(asPublished))).toEqual(['with at 0 retained', 'without at 0'])
  })

  it('[MQTT-3.3.1-9] has the identifier of the subscription that asked, and its own properties', async () => {
    const { client, topic } = await scene(5)
    const properties = { contentType: 'text/plain', userProperties: { a: ['1', '2'] } }
    await publish(client, topic, 'x', { qos: 1, retain: true, properties })
    await subscribe(client, topic, { qos: 0 }, 12)
    const { properties: received } = await client.next('publish')
    expect(received).toMatchObject({ contentType: 'text/plain', subscriptionIdentifier: 12 })
    expect({ ...received!.userProperties }).toEqual({ a: ['1', '2'] })
  })
})
