/** Receipts as a producer reads them: what became of its messages, on MQTT 3.1.1 and 5.0. */

import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const publish = (messageId: number, qos: 1 | 2, properties?: { correlationData: Buffer }) =>
  ({
    cmd: 'publish',
    topic: 'queue/orders',
    payload: 'work',
    qos,
    messageId,
    retain: false,
    dup: false,
    ...(properties === undefined ? {} : { properties }),
  }) as const

describe.each([4, 5] as const)('a producer on protocol level %i', (protocolVersion) => {
  it.each([1, 2] as const)('is told by QoS %i packet identifier who acknowledged its message', async (qos) => {
    const { port } = await startBroker()
    const producer = await connectRaw(port, { protocolVersion, clientId: 'shop' })
    const subscriptions = [{ topic: '$eventflow/receipts/shop', qos: 1 as const }]
    producer.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    expect((await producer.next('suback')).granted).toEqual([1])
    producer.send(publish(4711, qos, protocolVersion === 5 ? { correlationData: Buffer.from('order-7') } : undefined))
    const worker = await connectClient(port, { clientId: 'worker' })
    await worker.mqtt.subscribeAsync('queue/orders', { qos: 1 })
    const receipt = await producer.next('publish')
    expect(receipt).toMatchObject({ topic: '$eventflow/receipts/shop', qos: 1 })
    expect(JSON.parse(receipt.payload.toString())).toMatchObject({
      queue: 'orders',
      packetId: 4711,
      outcome: 'acknowledged',
      consumer: 'worker',
      deliveries: 1,
    })
    const told = { contentType: 'application/json', correlationData: Buffer.from('order-7') }
    if (protocolVersion === 5) expect(receipt.properties).toMatchObject(told)
  })

  it('may read its own receipts only', async () => {
    const { port } = await startBroker()
    const spy = await connectRaw(port, { protocolVersion, clientId: 'spy' })
    const filters = ['$eventflow/receipts/shop', '$eventflow/receipts/+', '$share/g/$eventflow/receipts/shop']
    const subscriptions = filters.map((topic) => ({ topic, qos: 0 as const }))
    spy.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    const refused = protocolVersion === 5 ? 0x87 : 0x80
    expect((await spy.next('suback')).granted).toEqual(filters.map(() => refused))
  })
})

it('a message keeps its packet identifier over kill -9', async () => {
  const folder = await temporaryFolder()
  const before = await startProcess(folder)
  const first = await connectRaw(before.port, { clientId: 'shop' })
  first.send(publish(4711, 1))
  await first.next('puback')
  await before.end('SIGKILL')
  const { port } = await startProcess(folder)
  const producer = await connectClient(port, { clientId: 'shop' })
  await producer.mqtt.subscribeAsync('$eventflow/receipts/shop', { qos: 0 })
  const worker = await connectClient(port)
  await worker.mqtt.subscribeAsync('queue/orders', { qos: 0 })
  const [receipt] = await producer.messages(1)
  expect(JSON.parse(receipt!)).toMatchObject({ packetId: 4711, outcome: 'acknowledged' })
})
