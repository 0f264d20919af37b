/** Full queues as producers see them, on MQTT 3.1.1 and 5.0. */

import { expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const publish = (messageId: number, qos: 1 | 2 = 1) =>
  ({
    cmd: 'publish',
    topic: 'queue/orders',
    payload: `${messageId}`,
    qos,
    messageId,
    retain: false,
    dup: false,
  }) as const

it.each([
  [1, 'puback'],
  [2, 'pubrec'],
] as const)('a full queue refuses with 0x97 at QoS %i on MQTT 5.0, and the connection goes on', async (qos, answer) => {
  const { port } = await startBroker({ queue: { maxLength: 1 } })
  const producer = await connectRaw(port, { protocolVersion: 5 })
  producer.sendTogether(publish(1, qos), publish(2, qos))
  expect(await producer.next(answer)).toMatchObject({ messageId: 1, reasonCode: 0 })
  expect(await producer.next(answer)).toMatchObject({ messageId: 2, reasonCode: 0x97 })
  await producer.settled()
})

it('a full queue closes the connection of an MQTT 3.1.1 producer, and acknowledges only what it has', async () => {
  const broker = await startBroker({ queue: { maxLength: 1 } })
  const log = listenTo(broker, 'message.refused', 'queue.limit-reached')
  const producer = await connectRaw(broker.port)
  producer.send(publish(1))
  await producer.next('puback')
  producer.send(publish(2))
  await producer.end()
  expect(producer.received).toEqual([])
  expect(log.of('message.refused')).toMatchObject([{ topic: 'queue/orders', reasonCode: 0x97 }])
  expect(log.of('queue.limit-reached')).toEqual([{ queue: 'orders', limit: 'maxLength', overflow: 'reject' }])
})

it.each([4, 5] as const)(
  'a full queue lets go what is published at QoS 0, whose publisher asked for no answer, on level %i',
  async (protocolVersion) => {
    const broker = await startBroker({ queue: { maxLength: 1 } })
    const log = listenTo(broker, 'message.refused')
    const producer = await connectRaw(broker.port, { protocolVersion, clientId: 'sensor' })
    const message = { cmd: 'publish', topic: 'queue/jobs', qos: 0, retain: false, dup: false } as const
    for (const payload of ['1', '2', '3']) producer.send({ ...message, payload })
    await producer.settled()
    expect(producer.closed).toBe(false)
    const refusals = log.of('message.refused')
    expect(refusals).toMatchObject([{ clientId: 'sensor', topic: 'queue/jobs', reasonCode: 0x97 }, {}])
    expect(broker.queues.list()).toMatchObject([{ name: 'jobs', length: 1 }])
  },
)

it('a queue that drops the oldest takes everything, and its consumers get the newest', async () => {
  const { port } = await startBroker({
    queue: { policies: [{ match: 'orders', maxLength: 2, overflow: 'drop-oldest' }] },
  })
  const producer = await connectRaw(port)
  for (const messageId of [1, 2, 3]) {
    producer.send(publish(messageId))
    await producer.next('puback')
  }
  const consumer = await connectRaw(port)
  consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/#', qos: 0 }] })
  const got = [await consumer.next('publish'), await consumer.next('publish'), await consumer.next('publish')]
  expect(got.map(({ topic, payload }) => `${topic} ${payload}`).sort()).toEqual([
    'queue/dead/orders 1',
    'queue/orders 2',
    'queue/orders 3',
  ])
})
