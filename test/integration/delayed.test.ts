/** `$delayed/<seconds>/<topic>` as clients see it, on MQTT 3.1.1 and 5.0. */

import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { passwordFile } from '../helpers/passwords.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const publish = (topic: string, messageId = 1) =>
  ({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId, retain: false, dup: false }) as const

describe.each([4, 5] as const)('a delayed message on protocol level %i', (protocolVersion) => {
  it.each(['garden/pump', 'queue/mail', '$q/mail'])('comes after its time: %s', async (topic) => {
    const { port } = await startBroker()
    const reader = await connectClient(port, { protocolVersion })
    await reader.mqtt.subscribeAsync(['garden/#', 'queue/#'], { qos: 1 })
    const publisher = await connectClient(port, { protocolVersion })
    const sentAt = Date.now()
    await publisher.mqtt.publishAsync(`$delayed/1/${topic}`, 'off', { qos: 1 })
    expect(await reader.messages(1)).toEqual(['off'])
    expect(Date.now() - sentAt).toBeGreaterThanOrEqual(1000)
    expect(reader.packets[0]).toMatchObject({ topic: topic.replace('$q/', 'queue/'), qos: 1 })
  })

  it('outlives kill -9, for a subscriber and for a queue', async () => {
    const folder = await temporaryFolder()
    const before = await startProcess(folder)
    // It is subscribed before the time is over, however long the broker takes to come back.
    const kept = { protocolVersion, clientId: 'reader', clean: false, properties: { sessionExpiryInterval: 3600 } }
    const subscribed = await connectClient(before.port, kept)
    await subscribed.mqtt.subscribeAsync(['a', 'queue/a'], { qos: 1 })
    await subscribed.mqtt.endAsync()
    const publisher = await connectClient(before.port, { protocolVersion })
    for (const topic of ['a', 'queue/a']) await publisher.mqtt.publishAsync(`$delayed/2/${topic}`, topic, { qos: 1 })
    await before.end('SIGKILL')
    const { port } = await startProcess(folder)
    const reader = await connectClient(port, kept)
    expect((await reader.messages(2)).toSorted()).toEqual(['a', 'queue/a'])
  })

  it('that says no time is refused with 0x90', async () => {
    const { port } = await startBroker()
    const publisher = await connectRaw(port, { protocolVersion })
    publisher.send(publish('$delayed/soon/a'))
    if (protocolVersion === 5) expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0x90 })
    else await publisher.end()
  })

  it('may go where its publisher may publish, and nowhere else', async () => {
    const file = await passwordFile({ bob: 'b' })
    const rules = [
      { deny: 'publish' as const, topics: ['queue/secret'] },
      { allow: 'publish' as const, topics: ['open/#', 'queue/#', '$SYS/#'] },
    ]
    const { port } = await startBroker({ access: { passwordFile: file, rules } })
    const bob = { protocolVersion, username: 'bob', password: Buffer.from('b') }
    for (const topic of [
      'closed',
      'queue/secret',
      '$q/secret',
      '$SYS/broker/uptime',
      '$eventflow/status',
      '$share/g/open/a',
    ]) {
      const client = await connectRaw(port, bob)
      client.send(publish(`$delayed/1/${topic}`))
      if (protocolVersion === 5) expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87 })
      else await client.end()
    }
    const client = await connectClient(port, bob)
    await client.mqtt.publishAsync('$delayed/1/open/a', 'x', { qos: 1 })
  })
})

describe('a delayed message that no queue would ever take', () => {
  const REFUSED = [
    ['$delayed/1/queue/', {}, 0x90],
    ['$delayed/1/$q/', {}, 0x90],
    ['$delayed/1/queue/jobs', { userProperties: { priority: 'high' } }, 0x99],
    ['$delayed/1/queue/jobs', { userProperties: { 'dedup-id': '' } }, 0x99],
    ['$delayed/1/queue/small', {}, 0x97],
  ] as const
  const config = { queue: { policies: [{ match: 'small', maxBytes: 4 }] } }

  it.each(REFUSED)('is refused at once: %s %j', async (topic, properties, reasonCode) => {
    const { port } = await startBroker(config)
    const client = await connectRaw(port, { protocolVersion: 5 })
    client.send({ ...publish(topic), payload: '12345', properties: { ...properties } })
    expect(await client.next('puback')).toMatchObject({ reasonCode })
  })

  it('ends the connection of an MQTT 3.1.1 client: an acknowledgement would be a lie', async () => {
    const { port } = await startBroker(config)
    const client = await connectRaw(port)
    client.send(publish('$delayed/1/queue/'))
    await client.end()
    expect(client.received).toEqual([])
  })
})
