/** Retained messages: the last message of a topic, for those who come later. */

import type { ISubscribePacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

type Wanted = ISubscribePacket['subscriptions'][number]

/** Publish with the retain flag, and wait until that is safe. */
async function retain(port: number, topic: string, payload: string, qos: 1 | 2 = 1): Promise<void> {
  const client = await connectClient(port, { protocolVersion: 5 })
  await client.mqtt.publishAsync(topic, payload, { qos, retain: true })
  await client.mqtt.endAsync()
}

/** Subscribe, and return what that alone brought: topic, payload and retain flag. */
async function subscribe(client: RawClient, ...subscriptions: Wanted[]): Promise<string[]> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  await client.next('suback')
  return arrived(client)
}

async function arrived(client: RawClient): Promise<string[]> {
  await client.settled()
  return client.received
    .splice(0)
    .map((packet) =>
      packet.cmd === 'publish' ? `${packet.topic}=${packet.payload}${packet.retain ? ' retained' : ''}` : packet.cmd,
    )
}

describeWithMosquitto('mosquitto_pub -r and mosquitto_sub', () => {
  describe.each(VERSIONS)('on MQTT $name', ({ words }) => {
    it('who subscribes later gets the message, with the retain flag', async () => {
      const { port } = await startBroker()
      await pub(port, ...words, '-q', '1', '-r', '-t', 'room/temperature', '-m', '21')
      const reader = await sub(port, ...words, '-t', 'room/temperature', '-F', '%r %t %p')
      expect(await reader.messages(1)).toEqual(['1 room/temperature 21'])
    })

    it('the retain flag is set on what was kept, and not on what comes live', async () => {
      const { port } = await startBroker()
      await pub(port, ...words, '-q', '1', '-r', '-t', 't', '-m', 'kept')
      const reader = await sub(port, ...words, '-q', '1', '-t', 't', '-F', '%r %p')
      await reader.messages(1)
      await pub(port, ...words, '-q', '1', '-r', '-t', 't', '-m', 'live')
      expect(await reader.messages(2)).toEqual(['1 kept', '0 live'])
    })

    it('a later message replaces the earlier one', async () => {
      const { port } = await startBroker()
      for (const payload of ['1', '2', '3']) await pub(port, ...words, '-q', '1', '-r', '-t', 't', '-m', payload)
      const reader = await sub(port, ...words, '-t', 't', '-F', '%r %p')
      await pub(port, ...words, '-t', 't', '-m', 'end')
      expect(await reader.messages(2)).toEqual(['1 3', '0 end'])
    })

    it('a message without the retain flag leaves the retained one as it is', async () => {
      const { port } = await startBroker()
      await pub(port, ...words, '-q', '1', '-r', '-t', 't', '-m', 'kept')
      await pub(port, ...words, '-q', '1', '-t', 't', '-m', 'passing')
      const reader = await sub(port, ...words, '-t', 't', '-F', '%r %p')
      expect(await reader.messages(1)).toEqual(['1 kept'])
    })

    it('an empty message with the retain flag deletes it, and reaches those who are there', async () => {
      const { port } = await startBroker()
      await pub(port, ...words, '-q', '1', '-r', '-t', 't', '-m', 'kept')
      const present = await sub(port, ...words, '-q', '1', '-t', 't', '-F', '%r<%p>')
      await present.messages(1)
      expect(await pub(port, ...words, '-q', '1', '-r', '-t', 't', '-n')).toMatchObject({ code: 0 })
      expect(await present.messages(2)).toEqual(['1<kept>', '0<>'])
      const later = await sub(port, ...words, '-t', 't', '-F', '%r %p')
      await pub(port, ...words, '-t', 't', '-m', 'end')
      expect(await later.messages(1)).toEqual(['0 end'])
    })

    it('mosquitto_sub --remove-retained clears a tree of topics', async () => {
      const broker = await startBroker()
      const events = listenTo(broker, 'message.retained-cleared')
      for (const topic of ['a/1', 'a/2', 'b/1']) {
        await pub(broker.port, ...words, '-q', '1', '-r', '-t', topic, '-m', 'x')
      }
      await sub(broker.port, ...words, '-t', 'a/#', '--remove-retained')
      await until('both are cleared', () => events.of('message.retained-cleared').length === 2)
      const reader = await sub(broker.port, ...words, '-t', '#', '-F', '%r %t')
      await pub(broker.port, ...words, '-t', 'end', '-m', 'x')
      expect(await reader.messages(2)).toEqual(['1 b/1', '0 end'])
    })
  })
})

describe.each(VERSIONS)('a subscription on MQTT $name', ({ version }) => {
  it.each([
    ['a/+', ['a/1=x retained', 'a/2=x retained']],
    ['a/#', ['a/1=x retained', 'a/2/b=x retained', 'a/2=x retained', 'a=x retained']],
    ['+/1', ['a/1=x retained', 'b/1=x retained']],
    ['none/#', []],
  ])('on %s gets every retained message that it matches', async (filter, expected) => {
    const { port } = await startBroker()
    for (const topic of ['a', 'a/1', 'a/2', 'a/2/b', 'b/1']) await retain(port, topic, 'x')
    const reader = await connectRaw(port, { protocolVersion: version })
    expect((await subscribe(reader, { topic: filter, qos: 0 })).sort()).toEqual([...expected].sort())
  })

  it('gets the retained message after SUBACK, at the lower of both QoS', async () => {
    const { port } = await startBroker()
    await retain(port, 'one', 'x', 1)
    await retain(port, 'two', 'x', 2)
    const reader = await connectRaw(port, { protocolVersion: version })
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '+', qos: 2 }] })
    await reader.settled()
    expect(reader.received.map(({ cmd }) => cmd)).toEqual(['suback', 'publish', 'publish'])
    const publishes = [await reader.next('publish'), await reader.next('publish')]
    expect(publishes.map(({ topic, qos }) => `${topic} ${qos}`).sort()).toEqual(['one 1', 'two 2'])
  })

  it('that is made again gets the retained message again', async () => {
    const { port } = await startBroker()
    await retain(port, 't', 'x')
    const reader = await connectRaw(port, { protocolVersion: version })
    expect(await subscribe(reader, { topic: 't', qos: 0 })).toEqual(['t=x retained'])
    expect(await subscribe(reader, { topic: 't', qos: 0 })).toEqual(['t=x retained'])
  })

  it('of a session that comes back does not bring the retained message again', async () => {
    const { port } = await startBroker()
    await retain(port, 't', 'x')
    const session = {
      protocolVersion: version,
      clientId: 'returns',
      clean: false,
      ...(version === 5 ? { properties: { sessionExpiryInterval: 100 } } : {}),
    } as const
    const first = await connectRaw(port, session)
    expect(await subscribe(first, { topic: 't', qos: 0 })).toEqual(['t=x retained'])
    first.send({ cmd: 'disconnect' })
    await first.end()
    const second = await connectRaw(port, session)
    expect(await arrived(second)).toEqual([])
  })
})

describe('on MQTT 5.0', () => {
  it('retain handling 0 sends retained messages with every SUBSCRIBE', async () => {
    const { port } = await startBroker()
    await retain(port, 't', 'x')
    const reader = await connectRaw(port, { protocolVersion: 5 })
    expect(await subscribe(reader, { topic: 't', qos: 0, rh: 0 })).toEqual(['t=x retained'])
    expect(await subscribe(reader, { topic: 't', qos: 0, rh: 0 })).toEqual(['t=x retained'])
  })

  it('retain handling 1 sends them only when the subscription is new', async () => {
    const { port } = await startBroker()
    await retain(port, 't', 'x')
    const reader = await connectRaw(port, { protocolVersion: 5 })
    expect(await subscribe(reader, { topic: 't', qos: 0, rh: 1 })).toEqual(['t=x retained'])
    expect(await subscribe(reader, { topic: 't', qos: 1, rh: 1 })).toEqual([])
    reader.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['t'] })
    await reader.next('unsuback')
    expect(await subscribe(reader, { topic: 't', qos: 0, rh: 1 })).toEqual(['t=x retained'])
  })

  it('retain handling 2 never sends them', async () => {
    const { port } = await startBroker()
    await retain(port, 't', 'x')
    const reader = await connectRaw(port, { protocolVersion: 5 })
    expect(await subscribe(reader, { topic: 't', qos: 0, rh: 2 })).toEqual([])
  })

  it('retain as published keeps the flag of the publisher on live messages', async () => {
    const { port } = await startBroker()
    const plain = await connectRaw(port, { protocolVersion: 5 })
    const asPublished = await connectRaw(port, { protocolVersion: 5 })
    await subscribe(plain, { topic: 't', qos: 0, rap: false })
    await subscribe(asPublished, { topic: 't', qos: 0, rap: true })
    await retain(port, 't', 'with')
    await (await connectClient(port)).mqtt.publishAsync('t', 'without', { qos: 1 })
    expect(await arrived(plain)).toEqual(['t=with', 't=without'])
    expect(await arrived(asPublished)).toEqual(['t=with retained', 't=without'])
  })

  it('a retained message keeps its properties, and carries the identifier of the subscription that asked', async () => {
    const { port } = await startBroker()
    const writer = await connectClient(port, { protocolVersion: 5 })
    const properties = { contentType: 'text/plain', userProperties: { a: ['1', '2'] }, messageExpiryInterval: 1000 }
    await writer.mqtt.publishAsync('t', 'x', { qos: 1, retain: true, properties })
    const reader = await connectRaw(port, { protocolVersion: 5 })
    reader.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 't', qos: 1 }],
      properties: { subscriptionIdentifier: 12 },
    })
    const { properties: received } = await reader.next('publish')
    expect(received).toMatchObject({ contentType: 'text/plain', subscriptionIdentifier: 12 })
    expect({ ...received?.userProperties }).toEqual({ a: ['1', '2'] })
    expect(received?.messageExpiryInterval).toBeGreaterThan(990)
    expect(received?.messageExpiryInterval).toBeLessThanOrEqual(1000)
  })

  it('a retained message whose time is up is gone', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'message.expired')
    const writer = await connectClient(broker.port, { protocolVersion: 5 })
    await writer.mqtt.publishAsync('brief', 'x', { qos: 1, retain: true, properties: { messageExpiryInterval: 1 } })
    await writer.mqtt.publishAsync('kept', 'x', { qos: 1, retain: true, properties: { messageExpiryInterval: 1000 } })
    const due = Date.now() + 1000
    await until('its second is over', () => Date.now() > due)
    const reader = await connectRaw(broker.port, { protocolVersion: 5 })
    expect(await subscribe(reader, { topic: '+', qos: 0 })).toEqual(['kept=x retained'])
    expect(events.of('message.expired')).toEqual([{ clientId: '', topic: 'brief' }])
  })
})

describe('on disk', () => {
  const onDisk = (path: string) => ({ store: { kind: 'level' as const, path } })

  it('retained messages survive a restart as they were: replaced, deleted, with flags and properties', async () => {
    const folder = await temporaryFolder()
    const before = await startBroker(onDisk(folder))
    const writer = await connectClient(before.port, { protocolVersion: 5 })
    const publish = (topic: string, payload: string, properties = {}) =>
      writer.mqtt.publishAsync(topic, payload, { qos: 1, retain: true, properties })
    await publish('kept', 'first')
    await publish('kept', 'second', { contentType: 'text/plain' })
    await publish('deleted', 'x')
    await publish('deleted', '')
    await publish('ümläut/☃', 'x'.repeat(50_000))
    await before.stop()

    const after = await startBroker(onDisk(folder))
    const reader = await connectClient(after.port, { protocolVersion: 5 })
    await reader.mqtt.subscribeAsync('#', { qos: 1 })
    await reader.mqtt.publishAsync('end', 'x', { qos: 1 })
    await reader.messages(3)
    const found = reader.packets.map(({ topic, payload, retain, qos }) => [topic, payload.length, retain, qos])
    expect(found.slice(0, 2).sort()).toEqual([
      ['kept', 6, true, 1],
      ['ümläut/☃', 50_000, true, 1],
    ])
    expect(found[2]).toEqual(['end', 1, false, 1])
    expect(reader.packets.find(({ topic }) => topic === 'kept')?.properties).toMatchObject({
      contentType: 'text/plain',
    })
  })

  it('a thousand retained messages survive a restart', async () => {
    const folder = await temporaryFolder()
    const before = await startBroker(onDisk(folder))
    const writer = await connectClient(before.port)
    const topics = Array.from({ length: 1000 }, (_, i) => `sensor/${i}`)
    await Promise.all(topics.map((topic) => writer.mqtt.publishAsync(topic, topic, { qos: 1, retain: true })))
    await before.stop()

    const after = await startBroker(onDisk(folder))
    const reader = await connectClient(after.port)
    await reader.mqtt.subscribeAsync('sensor/+', { qos: 0 })
    expect((await reader.messages(1000)).toSorted()).toEqual(topics.toSorted())
  })
})
