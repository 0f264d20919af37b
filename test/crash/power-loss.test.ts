/**
 * The power fails again and again while everything that is kept is in use: queues and their dead letters, sessions,
 * retained messages. What was not synced is lost at random. Nothing that was acknowledged is.
 */

import type { IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { Eventflow } from '../../src/eventflow.ts'
import { LevelStore } from '../../src/store/level/level-store.ts'
import { Chance } from '../helpers/chance.ts'
import { Producer, Subscriber } from '../helpers/exchanges.ts'
import { PowerLossDatabase } from '../helpers/power-loss.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const ROUNDS = 60

const TOPICS = [
  { topic: 'queue/pay', qos: 2 },
  { topic: 'queue/work', qos: 1 },
  { topic: 'news/2', qos: 2 },
  { topic: 'news/1', qos: 1 },
] as const

const topicOf = (number: number) => TOPICS[number % TOPICS.length]!

function lasting(clientId: string, protocolVersion: 4 | 5): Partial<IConnectPacket> {
  const properties = { sessionExpiryInterval: 3600 }
  return { clientId, protocolVersion, clean: false, ...(protocolVersion === 5 ? { properties } : {}) }
}

async function subscribe(client: RawClient, topic: string, qos: 0 | 1 | 2): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  await client.next('suback')
}

/** A consumer that acknowledges some, leaves some, and refuses some for good, until the connection breaks. */
async function work(client: RawClient, chance: Chance, worked: Set<string>): Promise<void> {
  await subscribe(client, 'queue/work', 1)
  for (;;) {
    const { payload, messageId } = await client.next('publish')
    const what = chance.between(0, 9)
    if (what === 0) continue
    if (what <= 2) client.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0x87 })
    else {
      worked.add(payload.toString())
      client.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 })
    }
  }
}

/** Counts on in a retained message until the connection breaks. */
async function count(client: RawClient, state: { sent: number; acknowledged: number }): Promise<void> {
  for (;;) {
    const payload = String(++state.sent)
    client.send({ cmd: 'publish', topic: 'state', payload, qos: 1, messageId: 1, dup: false, retain: true })
    await client.next('puback')
    state.acknowledged = Number(payload)
  }
}

/** All that is in a queue: until its end, which is put there for it. */
async function drain(port: number, topic: string): Promise<string[]> {
  const client = await connectRaw(port)
  client.send({ cmd: 'publish', topic, payload: 'end', qos: 1, messageId: 1, dup: false, retain: false })
  await client.next('puback')
  await subscribe(client, topic, 0)
  const payloads: string[] = []
  while (payloads.at(-1) !== 'end') payloads.push((await client.next('publish')).payload.toString())
  return payloads.slice(0, -1)
}

async function startOn(database: PowerLossDatabase): Promise<Eventflow> {
  const broker = new Eventflow({
    config: { listeners: { tcp: { port: 0 } }, shutdownTimeout: 1, queue: { maxDeliveries: 100 } },
    openStore: ({ path, onFault, onRecovered = () => {} }) =>
      LevelStore.open({ kind: 'test', database, path, clock: systemClock, onFault, onRecovered }),
  })
  await broker.start()
  return broker
}

describe.each([4, 5] as const)('on MQTT version %i', (version) => {
  it('no acknowledged message is lost, and none of QoS 2 comes twice, however often the power fails', {
    timeout: 60_000,
  }, async () => {
    const chance = new Chance()
    const producer = new Producer(topicOf)
    const subscriber = new Subscriber()
    const worked = new Set<string>()
    const state = { sent: 0, acknowledged: 0 }
    let database = PowerLossDatabase.empty(chance)
    let broker = await startOn(database)
    const cut = (): void => {} // The connection was cut.

    for (let round = 1; round <= ROUNDS; round++) {
      const { port } = broker.address
      const reading = await connectRaw(port, lasting('subscriber', version))
      if (round === 1) await subscribe(reading, 'news/#', 2)
      const running = [
        subscriber.run(reading),
        connectRaw(port, lasting('producer', version)).then((client) => producer.run(client)),
        connectRaw(port, { protocolVersion: 5 }).then((client) => work(client, chance, worked)),
        connectRaw(port).then((client) => count(client, state)),
      ].map((life) => life.catch(cut))
      const enough = producer.answers + chance.between(0, 150)
      await until('the producer has come so far', () => producer.answers >= enough, 30_000)
      const acknowledged = state.acknowledged
      database = await database.powerOff()
      await broker.stop()
      await Promise.all(running)
      broker = await startOn(database)

      const reader = await connectRaw(broker.address.port)
      await subscribe(reader, 'state', 0)
      if (acknowledged > 0) {
        const value = Number((await reader.next('publish')).payload.toString())
        expect(value, chance.told).toBeGreaterThanOrEqual(acknowledged)
        expect(value, chance.told).toBeLessThanOrEqual(state.sent)
      }
    }

    const { port } = broker.address
    producer.finish()
    await producer.run(await connectRaw(port, lasting('producer', version)))
    void connectRaw(port, lasting('subscriber', version)).then((client) => subscriber.run(client))
    const missingNews = (): string[] =>
      producer.done.filter((text) => topicOf(Number(text)).topic.startsWith('news/') && !subscriber.taken.has(text))
    await until('all news have arrived', () => missingNews().length === 0).catch(() => {})
    const [paid, left, dead] = [
      await drain(port, 'queue/pay'),
      await drain(port, 'queue/work'),
      await drain(port, 'queue/dead/work'),
    ]
    await broker.stop()

    const of = (index: number): string[] => producer.sent.filter((text) => topicOf(Number(text)) === TOPICS[index])
    const found = new Set([...worked, ...left, ...dead])
    expect(
      {
        missingNews: missingNews(),
        newsTwice: of(2).filter((text) => (subscriber.taken.get(text) ?? 0) > 1),
        missingWork: of(1).filter((text) => !found.has(text)),
        paid,
      },
      chance.told,
    ).toEqual({ missingNews: [], newsTwice: [], missingWork: [], paid: of(0) })
    expect(database.tally.lost, 'the test loses something').toBeGreaterThan(0)
  })
})
