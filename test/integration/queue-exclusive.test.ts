/** One consumer, or one producer, at a time, as clients see it. */

import { expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'

it('a standby takes over at once when the exclusive consumer goes, with what that had in hand', async () => {
  const { port } = await startBroker({ queue: { exclusive: 'consumer' } })
  const active = await connectRaw(port)
  active.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/jobs', qos: 1 }] })
  await active.next('suback')
  const standby = await connectClient(port)
  await standby.mqtt.subscribeAsync('queue/jobs', { qos: 1 })
  const producer = await connectClient(port)
  for (const payload of ['1', '2']) await producer.mqtt.publishAsync('queue/jobs', payload, { qos: 1 })
  const [first] = [await active.next('publish'), await active.next('publish')]
  active.send({ cmd: 'puback', messageId: first.messageId! })
  await active.settled()
  expect(standby.payloads).toEqual([])
  active.socket.destroy()
  expect(await standby.messages(1)).toEqual(['2'])
})

it('a second producer is refused while the first is connected, and may publish after', async () => {
  const { port } = await startBroker({ queue: { exclusive: 'producer' } })
  const first = await connectClient(port)
  await first.mqtt.publishAsync('queue/jobs', '1', { qos: 1 })
  const second = await connectRaw(port, { protocolVersion: 5 })
  const publish = (messageId: number) =>
    ({ cmd: 'publish', topic: 'queue/jobs', payload: '2', qos: 1, messageId, retain: false, dup: false }) as const
  second.send(publish(1))
  expect(await second.next('puback')).toMatchObject({ reasonCode: 0x97 })
  await first.mqtt.endAsync()
  let messageId = 2
  await expect
    .poll(async () => {
      second.send(publish(messageId++))
      return (await second.next('puback')).reasonCode
    })
    .toBe(0)
  const old = await connectRaw(port)
  old.send(publish(1))
  await old.end() // it cannot be told otherwise
})
