/** What a producer asks for with one message: delay, priority, group, dedup-id; on MQTT 5.0, as users see it. */

import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'

type Told = Record<string, string>

const connect = (port: number): Promise<TestClient> => connectClient(port, { protocolVersion: 5 })

async function publish({ mqtt }: TestClient, payload: string, told: Told | null, qos: 1 | 2 = 1): Promise<void> {
  // The package hangs when the properties are there and empty.
  const properties = told === null ? {} : { properties: { userProperties: told } }
  await mqtt.publishAsync('queue/jobs', payload, { qos, ...properties })
}

async function consumer(port: number): Promise<TestClient> {
  const client = await connect(port)
  await client.mqtt.subscribeAsync('queue/jobs', { qos: 1 })
  return client
}

describe('a message with', () => {
  it('a priority overtakes those of lower ones', async () => {
    const { port } = await startBroker()
    const producer = await connect(port)
    for (const priority of ['1', '5', '9', '5']) await publish(producer, priority, { priority })
    expect(await (await consumer(port)).messages(4)).toEqual(['9', '5', '5', '1'])
  })

  it('a delay comes after it, across kill -9', async () => {
    const folder = await temporaryFolder()
    const before = await startProcess(folder)
    const producer = await connect(before.port)
    const sentAt = Date.now()
    await publish(producer, 'later', { delay: '2500' })
    await publish(producer, 'now', null)
    await before.end('SIGKILL')
    const { port } = await startProcess(folder)
    const client = await consumer(port)
    expect(await client.messages(2)).toEqual(['now', 'later'])
    expect(Date.now() - sentAt).toBeGreaterThanOrEqual(2500)
    const { properties } = client.packets[1]!
    expect(properties?.userProperties).toMatchObject({ delay: '2500', 'eventflow-queue': 'jobs' })
  })

  it.each([1, 2] as const)(
    'a dedup-id is acknowledged at QoS %i however often it comes, and is there once',
    async (qos) => {
      const { port } = await startBroker()
      const producer = await connect(port)
      for (let i = 0; i < 3; i++) await publish(producer, `${i}`, { 'dedup-id': 'payment-7' }, qos)
      await publish(producer, 'last', null, qos)
      expect(await (await consumer(port)).messages(2)).toEqual(['0', 'last'])
    },
  )

  it('a group is alone of it with consumers, and those of other groups are not kept', async () => {
    const { port } = await startBroker()
    const producer = await connect(port)
    for (const [payload, group] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['b1', 'b'],
    ] as const) {
      await publish(producer, payload, { group })
    }
    const worker = await connectRaw(port, { protocolVersion: 5 })
    worker.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/jobs', qos: 1 }] })
    const [first, second] = [await worker.next('publish'), await worker.next('publish')]
    expect([first, second].map(({ payload }) => payload.toString())).toEqual(['a1', 'b1'])
    await worker.settled()
    expect(worker.received.filter(({ cmd }) => cmd === 'publish')).toEqual([])
    worker.send({ cmd: 'puback', messageId: first.messageId!, reasonCode: 0 })
    expect((await worker.next('publish')).payload.toString()).toBe('a2')
  })

  it('a value that makes no sense is refused with 0x99, and the connection goes on', async () => {
    const { port } = await startBroker()
    const producer = await connectRaw(port, { protocolVersion: 5 })
    for (const [i, told] of [{ priority: 'high' }, { delay: 'soon' }, { group: '' }].entries()) {
      const properties = { userProperties: told as Told }
      const messageId = i + 1
      const packet = {
        topic: 'queue/jobs',
        payload: 'x',
        qos: 1,
        messageId,
        retain: false,
        dup: false,
        properties,
      } as const
      producer.send({ cmd: 'publish', ...packet })
      expect(await producer.next('puback')).toMatchObject({ messageId, reasonCode: 0x99 })
    }
  })
})
