/** Subscription identifiers of MQTT 5.0: on every message, of every subscription that it matches. */

import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'

type QoS = 0 | 1 | 2

async function subscribe(client: RawClient, identifier: number | null, qos: QoS, ...topics: string[]): Promise<void> {
  client.send({
    ...{ cmd: 'subscribe', messageId: 1, subscriptions: topics.map((topic) => ({ topic, qos })) },
    ...(identifier === null ? {} : { properties: { subscriptionIdentifier: identifier } }),
  })
  await client.next('suback')
}

/** The identifiers of the next message, in no order, since they have none. */
async function next(client: RawClient): Promise<number[]> {
  const { properties, qos, messageId } = await client.next('publish')
  if (qos === 1) client.send({ cmd: 'puback', messageId: messageId! })
  if (qos === 2) client.send({ cmd: 'pubrec', messageId: messageId! })
  return [properties?.subscriptionIdentifier ?? []].flat().sort((a, b) => a - b)
}

const session = { protocolVersion: 5, clientId: 'reader', clean: false } as const

describe('a message that matches subscriptions with identifiers', () => {
  it.each([0, 1, 2] as const)('is sent once, with all of them, at QoS %i [MQTT-3.3.4-4]', async (qos) => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    await subscribe(client, 1, qos, 'a/b')
    await subscribe(client, 2, qos, 'a/+')
    await subscribe(client, null, qos, 'a/#')
    await subscribe(client, 268_435_455, qos, '#')
    const writer = await connectClient(port)
    await writer.mqtt.publishAsync('a/b', 'x', { qos })
    await writer.mqtt.publishAsync('a/c', 'x', { qos })
    await writer.mqtt.publishAsync('a', 'x', { qos })
    expect([await next(client), await next(client), await next(client)]).toEqual([
      [1, 2, 268_435_455],
      [2, 268_435_455],
      [268_435_455],
    ])
    await client.settled()
    expect(client.received.filter(({ cmd }) => cmd === 'publish')).toEqual([])
  })

  it('has an identifier as often as subscriptions that match share it', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    await subscribe(client, 5, 1, 'a/b', 'a/+')
    const writer = await connectClient(port)
    await writer.mqtt.publishAsync('a/b', 'x', { qos: 1 })
    expect(await next(client)).toEqual([5, 5])
  })

  it('has the identifier that a subscription was given last, or none when it was given none', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    const writer = await connectClient(port)
    for (const [identifier, expected] of [
      [1, [1]],
      [2, [2]],
      [null, []],
    ] as const) {
      await subscribe(client, identifier, 1, 'a')
      await writer.mqtt.publishAsync('a', 'x', { qos: 1 })
      expect(await next(client)).toEqual(expected)
    }
  })

  it('has them also when it waited for its reader, and is sent again', async () => {
    const { port } = await startBroker()
    const properties = { sessionExpiryInterval: 100 }
    const first = await connectRaw(port, { ...session, properties })
    await subscribe(first, 1, 1, 'a')
    await subscribe(first, 2, 1, '+')
    const writer = await connectClient(port)
    await writer.mqtt.publishAsync('a', 'not settled', { qos: 1 })
    await first.next('publish')
    first.socket.destroy()
    await writer.mqtt.publishAsync('a', 'waiting', { qos: 1 })
    const second = await connectRaw(port, { ...session, properties })
    expect([await next(second), await next(second)]).toEqual([
      [1, 2],
      [1, 2],
    ])
  })

  it('has them also after a restart of the broker, as has what comes then', async () => {
    const folder = await temporaryFolder()
    const before = await startProcess(folder)
    const properties = { sessionExpiryInterval: 100 }
    const first = await connectRaw(before.port, { ...session, properties })
    await subscribe(first, 1, 1, 'a')
    await subscribe(first, 2, 1, '+')
    first.send({ cmd: 'disconnect' })
    await first.end()
    const writer = await connectClient(before.port)
    await writer.mqtt.publishAsync('a', 'waiting', { qos: 1 })
    await before.end('SIGKILL')
    const after = await startProcess(folder)
    const second = await connectRaw(after.port, { ...session, properties })
    expect(await next(second)).toEqual([1, 2])
    await (await connectClient(after.port)).mqtt.publishAsync('a', 'new', { qos: 1 })
    expect(await next(second)).toEqual([1, 2])
  })
})

describe('a retained message', () => {
  it('has the identifier of the subscription that it is sent for, whatever others there are', async () => {
    const { port } = await startBroker()
    const writer = await connectClient(port)
    await writer.mqtt.publishAsync('a', 'kept', { qos: 1, retain: true })
    const client = await connectRaw(port, { protocolVersion: 5 })
    await subscribe(client, 1, 1, 'a')
    await subscribe(client, 2, 1, '#')
    expect([await next(client), await next(client)]).toEqual([[1], [2]])
  })
})

describe('a message of a queue', () => {
  it('comes once to a client whose subscriptions overlap, with the identifiers of all', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    await subscribe(client, 1, 1, 'queue/orders')
    await subscribe(client, 2, 1, 'queue/#')
    const writer = await connectClient(port)
    for (let i = 0; i < 2; i++) await writer.mqtt.publishAsync('queue/orders', 'x', { qos: 1 })
    expect([await next(client), await next(client)]).toEqual([
      [1, 2],
      [1, 2],
    ])
    await client.settled()
    expect(client.frames.filter(([first]) => first! >> 4 === 3)).toHaveLength(2)
  })
})
