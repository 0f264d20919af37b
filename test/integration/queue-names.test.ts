/** `$queue/…` and `$q/…`: other names of `queue/…`, with the same rules. */

import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { passwordFile } from '../helpers/passwords.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const NAMES = ['queue/jobs', '$queue/jobs', '$q/jobs']

describe.each([4, 5] as const)('a queue, on protocol level %i,', (protocolVersion) => {
  it.each(NAMES)('gets what is published on %s, and its consumers get it on queue/jobs', async (topic) => {
    const { port } = await startBroker()
    const producer = await connectClient(port, { protocolVersion })
    await producer.mqtt.publishAsync(topic, 'work', { qos: 1 })
    const consumer = await connectClient(port, { protocolVersion })
    await consumer.mqtt.subscribeAsync('queue/jobs', { qos: 1 })
    await consumer.messages(1)
    expect(consumer.packets[0]).toMatchObject({ topic: 'queue/jobs', qos: 1 })
  })

  it.each([...NAMES, '$queue/+', '$q/#', '$share/g/$queue/jobs', '$share/g/$q/+', '$share/g/queue/jobs'])(
    'is consumed by %s, until that is given up',
    async (filter) => {
      const { port } = await startBroker()
      const consumer = await connectClient(port, { protocolVersion })
      await consumer.mqtt.subscribeAsync(filter, { qos: 1 })
      const producer = await connectClient(port)
      await producer.mqtt.publishAsync('$q/jobs', '1', { qos: 1 })
      await consumer.messages(1)
      expect(consumer.packets[0]).toMatchObject({ topic: 'queue/jobs' })
      await consumer.mqtt.unsubscribeAsync(filter)
      await producer.mqtt.publishAsync('queue/jobs', '2', { qos: 1 })
      const other = await connectClient(port)
      await other.mqtt.subscribeAsync('queue/jobs', { qos: 1 })
      expect(await other.messages(1)).toEqual(['2'])
      expect(consumer.payloads).toEqual(['1'])
    },
  )

  it('is consumed once by a client that uses all of its names, until the last is given up', async () => {
    const { port } = await startBroker()
    const consumer = await connectClient(port, { protocolVersion })
    await consumer.mqtt.subscribeAsync(NAMES, { qos: 1 })
    const producer = await connectClient(port)
    for (const [i, filter] of NAMES.entries()) {
      await producer.mqtt.publishAsync('queue/jobs', `${i}`, { qos: 1 })
      await consumer.messages(i + 1)
      await consumer.mqtt.unsubscribeAsync(filter)
    }
    await producer.mqtt.publishAsync('queue/jobs', 'for others', { qos: 1 })
    await consumer.mqtt.publishAsync('$q/jobs', 'last', { qos: 1 })
    expect(consumer.payloads).toEqual(['0', '1', '2'])
  })

  it('is kept from those who may not, whatever they call it', async () => {
    const file = await passwordFile({ bob: 'b' })
    const rules = [
      { deny: ['publish' as const, 'subscribe' as const], topics: ['queue/secret'] },
      { allow: ['publish' as const, 'subscribe' as const], topics: ['#', '$queue/#', '$q/#'] },
    ]
    const { port } = await startBroker({ access: { passwordFile: file, rules } })
    const bob = { protocolVersion, username: 'bob', password: Buffer.from('b') }
    for (const name of ['queue/secret', '$queue/secret', '$q/secret']) {
      const client = await connectRaw(port, bob)
      const subscriptions = [name, `$share/g/${name}`].map((topic) => ({ topic, qos: 1 as const }))
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
      const refused = protocolVersion === 5 ? 0x87 : 0x80
      expect((await client.next('suback')).granted).toEqual([refused, refused])
      client.send({ cmd: 'publish', topic: name, payload: 'x', qos: 1, messageId: 2, retain: false, dup: false })
      if (protocolVersion === 5) expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87 })
      else await client.end()
    }
    const client = await connectClient(port, bob)
    await client.mqtt.subscribeAsync('$q/open', { qos: 1 })
    await client.mqtt.publishAsync('$queue/open', 'x', { qos: 1 })
    expect(await client.messages(1)).toEqual(['x'])
  })
})

it('a session that comes back after a restart of its client consumes by the name that it used', async () => {
  const { port } = await startBroker()
  const options = { clientId: 'worker', clean: false }
  const before = await connectClient(port, options)
  await before.mqtt.subscribeAsync('$q/jobs', { qos: 1 })
  await before.mqtt.endAsync()
  const producer = await connectClient(port)
  await producer.mqtt.publishAsync('queue/jobs', 'work', { qos: 1 })
  const after = await connectClient(port, options)
  expect(await after.messages(1)).toEqual(['work'])
})
