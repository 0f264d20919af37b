/** Looking at queues and steering them, from a program that embeds the broker. */

import { expect, it } from 'vitest'
import { Eventflow } from '../../src/index.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { until } from '../helpers/until.ts'

it('a queue can be paused over a restart, looked into, resumed and emptied', async () => {
  const path = await temporaryFolder()
  const config = { store: { kind: 'level' as const, path } }
  const before = await startBroker(config)
  await before.publish('queue/jobs', 'one', { qos: 1 })
  await before.queues.pause('jobs')
  await before.stop()
  const broker = await startBroker(config)
  const worker = await connectClient(broker.port)
  await worker.mqtt.subscribeAsync('queue/jobs', { qos: 1 })
  await broker.publish('queue/jobs', 'two', { qos: 1 })
  const peeked = await broker.queues.peek('jobs')
  expect(peeked.map(({ payload, state }) => [payload.toString(), state])).toEqual([
    ['one', 'ready'],
    ['two', 'ready'],
  ])
  expect(broker.queues.list()).toMatchObject([{ name: 'jobs', length: 2, paused: true, consumers: 1 }])
  expect(worker.payloads).toEqual([])
  await broker.queues.resume('jobs')
  expect(await worker.messages(2)).toEqual(['one', 'two'])
  await until('both are acknowledged', () => broker.queues.list()[0]?.length === 0)
  await worker.mqtt.endAsync()
  await broker.publish('queue/jobs', 'three', { qos: 1 })
  expect(await broker.queues.purge('jobs')).toBe(1)
})

it('dead letters are sent back once their cause is mended', async () => {
  const broker = await startBroker()
  const jobs = await broker.consume('jobs')
  await broker.publish('queue/jobs', 'poison', { qos: 1 })
  const { value } = await jobs.next()
  value!.reject()
  await until('it is a dead letter', () =>
    broker.queues.list().some(({ name, ready }) => name === 'dead/jobs' && ready > 0),
  )
  expect(await broker.queues.redrive('dead/jobs')).toEqual({ moved: 1, left: 0 })
  const again = await jobs.next()
  expect(again.value!.payload.toString()).toBe('poison')
  again.value!.acknowledge()
})

it('needs a broker that runs', () => {
  expect(() => new Eventflow().queues).toThrow(expect.objectContaining({ code: 'NOT_RUNNING' }))
})
