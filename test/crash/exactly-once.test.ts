/** kill -9 in the middle of QoS 2 exchanges: each message is taken once, and given once, whatever was cut. */

import type { IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { type BrokerProcess, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { Chance } from '../helpers/chance.ts'
import { Producer, Subscriber } from '../helpers/exchanges.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const ROUNDS = 3

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

function lasting(clientId: string, protocolVersion: 4 | 5): Partial<IConnectPacket> {
  const properties = { sessionExpiryInterval: 3600 }
  return { clientId, protocolVersion, clean: false, ...(protocolVersion === 5 ? { properties } : {}) }
}

/** A lasting subscriber, from its SUBACK on until the connection breaks. */
async function read(port: number, version: 4 | 5, subscriber: Subscriber, filter = 'news/#'): Promise<void> {
  const client = await connectRaw(port, lasting('subscriber', version))
  await readBy(client, subscriber, filter)
}

async function readBy(client: RawClient, subscriber: Subscriber, filter: string): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 2 }] })
  await client.next('suback').then(
    () => subscriber.run(client),
    () => {}, // The broker was killed.
  )
}

describe.each(VERSIONS)('on MQTT $name', ({ version }) => {
  it('a queue holds each QoS 2 message once, in order, however often the broker is killed', {
    timeout: 90_000,
  }, async () => {
    const chance = new Chance()
    const folder = await temporaryFolder()
    const producer = new Producer(() => ({ topic: 'queue/work', qos: 2 }))
    let broker: BrokerProcess = await startProcess(folder)
    const { port } = broker
    for (let round = 1; round <= ROUNDS; round++) {
      const running = producer.run(await connectRaw(port, lasting('producer', version)))
      const enough = producer.answers + chance.between(1, 300)
      await until('the producer has come so far', () => producer.answers >= enough, 30_000)
      await broker.end('SIGKILL')
      await running
      broker = await startProcess(folder, {}, port)
    }
    producer.finish()
    await producer.run(await connectRaw(port, lasting('producer', version)))

    const consumer = await connectRaw(port)
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/work', qos: 1 }] })
    consumer.send({
      cmd: 'publish',
      topic: 'queue/work',
      payload: 'end',
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
    })
    const drained: string[] = []
    while (drained.at(-1) !== 'end') {
      const { payload, messageId } = await consumer.next('publish')
      drained.push(payload.toString())
      consumer.send({ cmd: 'puback', messageId: messageId! })
    }
    expect(drained, chance.told).toEqual([...producer.sent, 'end'])
  })

  it('a lasting subscriber gets each QoS 1 message at least once and each QoS 2 message once', {
    timeout: 90_000,
  }, async () => {
    const chance = new Chance()
    const folder = await temporaryFolder()
    const topicOf = (number: number) =>
      number % 3 === 0 ? { topic: 'news/1', qos: 1 as const } : { topic: 'news/2', qos: 2 as const }
    const producer = new Producer(topicOf)
    const subscriber = new Subscriber()
    let broker: BrokerProcess = await startProcess(folder)
    const { port } = broker
    let reading = read(port, version, subscriber)
    for (let round = 1; round <= ROUNDS; round++) {
      const running = producer.run(await connectRaw(port, lasting('producer', version)))
      const enough = producer.answers + chance.between(100, 500)
      await until('the producer has come so far', () => producer.answers >= enough, 30_000)
      await broker.end('SIGKILL')
      await Promise.all([running, reading])
      broker = await startProcess(folder, {}, port)
      reading = read(port, version, subscriber)
    }
    producer.finish()
    await producer.run(await connectRaw(port, lasting('producer', version)))

    const missing = (): string[] => producer.done.filter((payload) => !subscriber.taken.has(payload))
    await until('all have arrived', () => missing().length === 0).catch(() => {})
    const twice = producer.sent.filter(
      (payload) => topicOf(Number(payload)).qos === 2 && (subscriber.taken.get(payload) ?? 0) > 1,
    )
    expect({ missing: missing(), twice }, chance.told).toEqual({ missing: [], twice: [] })
  })

  it('a lasting consumer of a queue gets each QoS 2 message once, whoever is killed or cut off', {
    timeout: 90_000,
  }, async () => {
    const chance = new Chance()
    const folder = await temporaryFolder()
    const producer = new Producer(() => ({ topic: 'queue/work', qos: 2 }))
    const subscriber = new Subscriber()
    let broker: BrokerProcess = await startProcess(folder)
    const { port } = broker
    const far = async (): Promise<void> => {
      const enough = producer.answers + chance.between(50, 300)
      await until('the producer has come so far', () => producer.answers >= enough, 30_000)
    }
    for (let round = 1; round <= ROUNDS; round++) {
      const consuming = await connectRaw(port, lasting('subscriber', version))
      const reading = readBy(consuming, subscriber, 'queue/work')
      const producing = await connectRaw(port, lasting('producer', version))
      const running = producer.run(producing)
      await far()
      consuming.socket.destroy()
      await reading
      const again = read(port, version, subscriber, 'queue/work')
      await far()
      if (round === 2) producing.socket.destroy()
      await broker.end(round === 1 ? 'SIGTERM' : 'SIGKILL')
      await Promise.all([running, again])
      broker = await startProcess(folder, {}, port)
    }
    producer.finish()
    void read(port, version, subscriber, 'queue/work')
    await producer.run(await connectRaw(port, lasting('producer', version)))

    const missing = (): string[] => producer.sent.filter((payload) => !subscriber.taken.has(payload))
    await until('all have arrived', () => missing().length === 0).catch(() => {})
    const twice = producer.sent.filter((payload) => (subscriber.taken.get(payload) ?? 0) > 1)
    expect({ missing: missing(), twice }, chance.told).toEqual({ missing: [], twice: [] })
  })

  it.each([
    ['subscribe', 'news'],
    ['consume', 'queue/news'],
  ])(
    'programs that %s with the mqtt package ride out kill -9: each QoS 2 message is there once, in order',
    {
      timeout: 60_000,
    },
    async (_what, topic) => {
      const folder = await temporaryFolder()
      const options = (clientId: string) => ({
        ...{ clientId, clean: false, reconnectPeriod: 20, protocolVersion: version },
        ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
      })
      let broker = await startProcess(folder)
      const { port } = broker
      const reader = await connectClient(port, options('reader'))
      await reader.mqtt.subscribeAsync(topic, { qos: 2 })
      const writer = await connectClient(port, options('writer'))
      const sent = Array.from({ length: 600 }, (_, i) => String(i))
      const published = sent.map((payload) => writer.mqtt.publishAsync(topic, payload, { qos: 2 }))
      for (const enough of [100, 300]) {
        await reader.messages(enough)
        await broker.end('SIGKILL')
        broker = await startProcess(folder, {}, port)
      }
      await Promise.all(published)
      await until('all have arrived', () => reader.payloads.length >= sent.length, 30_000)
      expect(reader.payloads).toEqual(sent)
    },
  )
})
