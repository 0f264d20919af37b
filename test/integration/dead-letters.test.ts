/** Dead letters: what a queue gives up is set aside on `queue/dead/<name>`, an ordinary queue. */

import type { IPublishPacket, QoS } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

/** A raw client that consumes, and acknowledges nothing by itself. */
async function consume(port: number, topic: string, qos: QoS = 1, protocolVersion: 4 | 5 = 5): Promise<RawClient> {
  const client = await connectRaw(port, { protocolVersion })
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  expect((await client.next('suback')).granted).toEqual([qos])
  return client
}

async function produce(port: number, topic: string, ...payloads: string[]): Promise<void> {
  const producer = await connectClient(port)
  await Promise.all(payloads.map((payload) => producer.mqtt.publishAsync(topic, payload, { qos: 1 })))
  await producer.mqtt.endAsync()
}

function userProperties({ properties }: IPublishPacket): Record<string, unknown> {
  return { ...(properties?.userProperties as object | undefined) }
}

describe.each(VERSIONS)('a consumer on MQTT $name', ({ version }) => {
  it('that never acknowledges gets a message maxDeliveries times; then it is a dead letter', async () => {
    const broker = await startBroker({ queue: { ackTimeout: 100, maxDeliveries: 3 } })
    const log = listenTo(broker, 'queue.delivered', 'queue.dead-lettered')
    const dead = await consume(broker.port, 'queue/dead/orders')
    const consumer = await consume(broker.port, 'queue/orders', 1, version)
    await produce(broker.port, 'queue/orders', 'poison')
    const letter = await dead.next('publish')
    expect(letter.payload.toString()).toBe('poison')
    expect(letter.topic).toBe('queue/dead/orders')
    await consumer.settled()
    expect(consumer.received).toHaveLength(3)
    const expected = { queue: 'orders', deadLetterQueue: 'dead/orders', reason: 'max-deliveries', deliveries: 3 }
    expect(log.of('queue.dead-lettered')).toEqual([expect.objectContaining(expected)])
    expect(log.of('queue.delivered').filter(({ queue }) => queue === 'orders')).toHaveLength(3)
  })

  it('that dies with a message again and again does not stop those behind it', async () => {
    const { port } = await startBroker({ queue: { maxDeliveries: 2, prefetch: 1 } })
    await produce(port, 'queue/orders', 'poison', 'good')
    for (let death = 1; death <= 2; death++) {
      const victim = await consume(port, 'queue/orders', 1, version)
      expect((await victim.next('publish')).payload.toString()).toBe('poison')
      victim.socket.destroy()
    }
    const survivor = await consume(port, 'queue/orders', 1, version)
    expect((await survivor.next('publish')).payload.toString()).toBe('good')
    const dead = await consume(port, 'queue/dead/orders', 1, version)
    expect((await dead.next('publish')).payload.toString()).toBe('poison')
  })
})

describe('on MQTT 5.0', () => {
  it.each([0x87, 0x90, 0x99])('PUBACK with %i sets the message aside at once, and says why', async (reasonCode) => {
    const { port } = await startBroker()
    const consumer = await consume(port, 'queue/eu/orders')
    const producer = await connectClient(port, { protocolVersion: 5 })
    const properties = { contentType: 'text/plain', userProperties: { colour: 'green' } }
    await producer.mqtt.publishAsync('queue/eu/orders', 'never', { qos: 1, properties })
    const first = await consumer.next('publish')
    const enqueuedAt = userProperties(first)['eventflow-enqueued-at']
    consumer.send({ cmd: 'puback', messageId: first.messageId!, reasonCode })
    const dead = await consume(port, 'queue/dead/eu/orders')
    const letter = await dead.next('publish')
    expect(letter.payload.toString()).toBe('never')
    expect(letter.properties).toMatchObject({ contentType: 'text/plain' })
    expect(userProperties(letter)).toMatchObject({
      colour: 'green',
      'eventflow-queue': 'dead/eu/orders',
      'eventflow-dead-reason': 'rejected',
      'eventflow-dead-from': 'eu/orders',
      'eventflow-dead-deliveries': '1',
      'eventflow-enqueued-at': enqueuedAt,
    })
    await consumer.settled()
    expect(consumer.received).toEqual([])
  })

  it.each([0x87, 0x90, 0x99])('PUBREC with %i does the same', async (reasonCode) => {
    const { port } = await startBroker()
    const consumer = await consume(port, 'queue/orders', 2)
    await produce(port, 'queue/orders', 'never')
    const { messageId } = await consumer.next('publish')
    consumer.send({ cmd: 'pubrec', messageId: messageId!, reasonCode })
    const dead = await consume(port, 'queue/dead/orders')
    const letter = await dead.next('publish')
    expect(letter.payload.toString()).toBe('never')
    expect(userProperties(letter)).toMatchObject({ 'eventflow-dead-reason': 'rejected' })
  })

  it('refused messages come back until they were delivered five times, and the dead letter says so', async () => {
    const { port } = await startBroker({ queue: { backoff: { initial: 1, max: 1 } } })
    const consumer = await consume(port, 'queue/orders')
    await produce(port, 'queue/orders', 'poison')
    for (let delivery = 1; delivery <= 5; delivery++) {
      const message = await consumer.next('publish')
      expect(userProperties(message)['eventflow-deliveries']).toBe(delivery === 1 ? undefined : String(delivery))
      consumer.send({ cmd: 'puback', messageId: message.messageId!, reasonCode: 0x80 })
    }
    const dead = await consume(port, 'queue/dead/orders')
    expect(userProperties(await dead.next('publish'))).toMatchObject({
      'eventflow-dead-reason': 'max-deliveries',
      'eventflow-dead-from': 'orders',
      'eventflow-dead-deliveries': '5',
    })
  })

  it('a message too large for every consumer is a dead letter, not a queue that stands still', async () => {
    const broker = await startBroker({ queue: { backoff: { initial: 1, max: 1 } } })
    const log = listenTo(broker, 'queue.dead-lettered')
    const small = await connectRaw(broker.port, { protocolVersion: 5, properties: { maximumPacketSize: 1000 } })
    small.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/orders', qos: 1 }] })
    await small.next('suback')
    await produce(broker.port, 'queue/orders', 'x'.repeat(2000), 'short')
    expect((await small.next('publish')).payload.toString()).toBe('short')
    await log.find('queue.dead-lettered', { queue: 'orders', reason: 'max-deliveries' })
  })
})

describe('a dead letter queue', () => {
  it('has no dead letters of its own: what is refused there comes back', async () => {
    const { port } = await startBroker({ queue: { backoff: { initial: 1, max: 1 }, maxDeliveries: 2 } })
    await produce(port, 'queue/dead/orders', 'letter')
    const reader = await consume(port, 'queue/dead/orders')
    for (const reasonCode of [0x87, 0x80, 0x99, 0x90]) {
      const { messageId } = await reader.next('publish')
      reader.send({ cmd: 'puback', messageId: messageId!, reasonCode })
    }
    expect((await reader.next('publish')).payload.toString()).toBe('letter')
  })

  it('outlives kill -9, and the message is in it alone', async () => {
    const folder = await temporaryFolder()
    const before = await startProcess(folder)
    const consumer = await consume(before.port, 'queue/orders')
    await produce(before.port, 'queue/orders', 'never')
    const { messageId } = await consumer.next('publish')
    consumer.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0x99 })
    const dead = await consume(before.port, 'queue/dead/orders')
    await dead.next('publish') // delivered, so it is on disk
    await before.end('SIGKILL')
    const { port } = await startProcess(folder)
    const everything = await consume(port, 'queue/#')
    await produce(port, 'queue/other', 'last')
    const topics = [await everything.next('publish'), await everything.next('publish')].map(({ topic }) => topic)
    expect(topics.sort()).toEqual(['queue/dead/orders', 'queue/other'])
    await everything.settled()
    expect(everything.received).toEqual([])
  })
})

describeWithMosquitto('mosquitto_sub', () => {
  it.each(VERSIONS)('reads dead letters like any queue on MQTT $name', async ({ words }) => {
    const { port } = await startBroker({ queue: { maxDeliveries: 1 } })
    await pub(port, ...words, '-q', '2', '-t', 'queue/orders', '-m', 'poison')
    const victim = await consume(port, 'queue/orders')
    await victim.next('publish')
    victim.socket.destroy()
    const reader = await sub(port, ...words, '-q', '1', '-t', 'queue/dead/orders', '-F', '%q %t %p')
    expect(await reader.messages(1)).toEqual(['1 queue/dead/orders poison'])
  })
})
