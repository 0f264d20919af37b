/** Many connections with one client identifier, in the same moment, while messages flow: one is left, and nothing is lost. */

import type { IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { type Credentials, definePlugin } from '../../src/plugin.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { Chance } from '../helpers/chance.ts'
import { listenTo } from '../helpers/events.ts'
import { Producer, Subscriber } from '../helpers/exchanges.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const ROUNDS = 12
const RACERS = 3

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

function lasting(clientId: string, protocolVersion: 4 | 5): IConnectPacket {
  const properties = { sessionExpiryInterval: 3600 }
  const rest = { cmd: 'connect', protocolId: 'MQTT', protocolVersion, clean: false, keepalive: 0 } as const
  return { ...rest, clientId, ...(protocolVersion === 5 ? { properties } : {}) }
}

/** Lets everyone in, after so many turns of the event loop as chance will have it. */
function slowly(chance: Chance) {
  const authenticate = async (_credentials: Credentials): Promise<'allow'> => {
    for (let turns = chance.between(0, 4); turns > 0; turns--) await new Promise((next) => setImmediate(next))
    return 'allow'
  }
  return definePlugin({
    name: 'doorkeeper',
    setup: ({ authenticator }) => {
      authenticator({ name: 'doorkeeper', authenticate })
      return undefined
    },
  })
}

/**
 * CONNECT on so many connections in one turn. Resolves with the one that is left, once the others are closed. Nobody says
 * anything but CONNECT until then, so what the others were sent changes nothing.
 */
async function race(port: number, connect: IConnectPacket): Promise<RawClient> {
  const racers = await Promise.all(
    Array.from({ length: RACERS }, () => openRaw(port, connect.protocolVersion as 4 | 5)),
  )
  for (const racer of racers) racer.send(connect)
  await until('all but one are closed', () => racers.filter(({ closed }) => !closed).length === 1)
  const left = racers.find(({ closed }) => !closed)!
  expect(await left.next('connack')).toMatchObject({ sessionPresent: true })
  return left
}

describe.each(VERSIONS)('racing connections on MQTT $name', ({ version }) => {
  it.each(['subscriber', 'producer'])('of a %s lose no message and double none of QoS 2', async (racing) => {
    const chance = new Chance()
    const config = { store: { kind: 'level' as const, path: await temporaryFolder() } }
    const broker = await startBroker(config, { plugins: [slowly(chance)] })
    const events = listenTo(broker, 'client.connected', 'client.disconnected')
    const topicOf = (number: number) =>
      number % 3 === 0 ? { topic: 'news/1', qos: 1 as const } : { topic: 'news/2', qos: 2 as const }
    const producer = new Producer(topicOf)
    const subscriber = new Subscriber()
    const reader = await connectRaw(broker.port, lasting('subscriber', version))
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news/#', qos: 2 }] })
    await reader.next('suback')
    const running = {
      subscriber: subscriber.run(reader),
      producer: producer.run(await connectRaw(broker.port, lasting('producer', version))),
    }
    for (let round = 1; round <= ROUNDS; round++) {
      const enough = producer.answers + chance.between(1, 60)
      await until('the producer has come so far', () => producer.answers >= enough)
      const left = await race(broker.port, lasting(racing, version))
      await running[racing as 'subscriber' | 'producer']
      running[racing as 'subscriber' | 'producer'] = (racing === 'subscriber' ? subscriber : producer).run(left)
    }
    producer.finish()
    await running.producer

    expect(producer.done.length).toBe(producer.sent.length)
    const missing = (): string[] => producer.sent.filter((payload) => !subscriber.taken.has(payload))
    await until('all have arrived', () => missing().length === 0).catch(() => {})
    const exactlyOnce = producer.sent.filter((payload) => topicOf(Number(payload)).qos === 2)
    const twice = exactlyOnce.filter((payload) => subscriber.taken.get(payload)! > 1)
    expect({ missing: missing(), twice }, chance.told).toEqual({ missing: [], twice: [] })
    const inOrder = [...subscriber.taken.keys()].filter((payload) => topicOf(Number(payload)).qos === 2)
    expect(inOrder, chance.told).toEqual(exactlyOnce)
    expect(events.of('client.connected').length - events.of('client.disconnected').length).toBe(2)
  })
})
