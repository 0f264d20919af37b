/** Queues and their messages. */

import { connectRaw, type RawClient } from '../../helpers/raw-client.ts'
import { until } from '../../helpers/until.ts'
import { onMqtt, type Scene } from './scene.ts'

async function consume(port: number, topic: string, clientId = 'worker'): Promise<RawClient> {
  const client = await connectRaw(port, { protocolVersion: 5, clientId })
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] })
  await client.next('suback')
  return client
}

const asking = (name: string, value: string) => ({ properties: { userProperties: { [name]: value } } })

export const QUEUE_SCENES: readonly Scene[] = [
  {
    name: 'a queue is made by its first message, which is consumed, and forgotten',
    play: onMqtt(async ({ client, told }) => {
      const producer = await client('producer')
      await producer.mqtt.publishAsync('queue/jobs', 'four', { qos: 1 })
      const worker = await client('worker')
      await worker.mqtt.subscribeAsync('queue/jobs', { qos: 1 })
      await told('queue.emptied')
      await worker.mqtt.endAsync()
      await told('queue.deleted')
    }),
    sees: {
      'queue.created': { queue: 'jobs' },
      'queue.enqueued': { queue: 'jobs', id: 1, clientId: 'producer', qos: 1, bytes: 4 },
      'queue.consumer-added': { queue: 'jobs', consumer: 'worker', qos: 1 },
      'queue.delivered': { queue: 'jobs', id: 1, consumer: 'worker', deliveries: 1 },
      'queue.acknowledged': { queue: 'jobs', id: 1, consumer: 'worker' },
      'queue.emptied': { queue: 'jobs' },
      'queue.consumer-removed': { queue: 'jobs', consumer: 'worker' },
      'queue.deleted': { queue: 'jobs' },
    },
  },
  {
    name: 'a consumer is gone with a message, another rejects it, and an operator sends it back',
    play: onMqtt(async ({ client, port, broker, told }) => {
      const producer = await client('producer')
      const victim = await consume(port, 'queue/jobs', 'victim')
      await producer.mqtt.publishAsync('queue/jobs', 'x', { qos: 1 })
      await victim.next('publish')
      victim.socket.destroy()
      await told('queue.redelivered')
      const worker = await consume(port, 'queue/jobs')
      const { messageId } = await worker.next('publish')
      worker.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0x87 })
      await told('queue.dead-lettered')
      await broker.queues.redrive('dead/jobs')
    }),
    sees: {
      'queue.redelivered': { queue: 'jobs', id: 1, consumer: 'victim', reason: 'consumer-gone', deliveries: 1 },
      'queue.dead-lettered': { queue: 'jobs', id: 1, deadLetterQueue: 'dead/jobs', reason: 'rejected', deliveries: 2 },
      'queue.redriven': { queue: 'dead/jobs', moved: 1, left: 0 },
    },
  },
  {
    name: 'messages have a delay, or little time',
    play: onMqtt(async ({ client, port }) => {
      const { mqtt } = await client('producer')
      await mqtt.publishAsync('queue/jobs', 'later', { qos: 1, ...asking('delay', '3600000') })
      await mqtt.publishAsync('queue/jobs', 'brief', { qos: 1, properties: { messageExpiryInterval: 1 } })
      const due = Date.now() + 1_000
      await until('its second is over', () => Date.now() > due)
      await consume(port, 'queue/jobs') // it is looked at when somebody would get it
    }),
    sees: {
      'queue.delayed': { queue: 'jobs', clientId: 'producer', qos: 1, bytes: 5 },
      'queue.expired': { queue: 'jobs', id: 1 },
    },
  },
  {
    name: 'a message is rejected where there are no dead letters',
    play: onMqtt(
      async ({ client, port }) => {
        const producer = await client('producer')
        const worker = await consume(port, 'queue/jobs')
        await producer.mqtt.publishAsync('queue/jobs', 'x', { qos: 1 })
        const { messageId } = await worker.next('publish')
        worker.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0x87 })
      },
      { queue: { deadLetter: null } },
    ),
    sees: { 'queue.dropped': { queue: 'jobs', id: 1, reason: 'rejected' } },
  },
  {
    name: 'an operator pauses a queue, has it go on, and empties it; and it is full',
    play: onMqtt(
      async ({ client, broker }) => {
        const { mqtt } = await client('producer')
        await mqtt.publishAsync('queue/jobs', '1', { qos: 1 })
        await mqtt.publishAsync('queue/jobs', '2', { qos: 1 }).catch(() => {})
        await broker.queues.pause('jobs')
        await broker.queues.resume('jobs')
        await broker.queues.purge('jobs')
      },
      { queue: { maxLength: 1 } },
    ),
    sees: {
      'queue.limit-reached': { queue: 'jobs', limit: 'maxLength', overflow: 'reject' },
      'queue.paused': { queue: 'jobs' },
      'queue.resumed': { queue: 'jobs' },
      'queue.purged': { queue: 'jobs', messages: 1 },
      'message.refused': { clientId: 'producer', topic: 'queue/jobs', reasonCode: 0x97 },
    },
  },
]
