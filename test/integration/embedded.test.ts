/** The broker inside a program: `import { Eventflow } from 'eventflow'`. */

import { describe, expect, it } from 'vitest'
import { Eventflow, EventflowError, type Job, type JobIterator, ReasonCode, Refusal } from '../../src/index.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { until } from '../helpers/until.ts'

/** The payloads of the next `count` jobs, each settled as `settle` says. */
async function work(jobs: JobIterator, count: number, settle: (job: Job) => void = (job) => job.acknowledge()) {
  const done: string[] = []
  for (let i = 0; i < count; i++) {
    const { value } = await jobs.next()
    done.push(value!.payload.toString())
    settle(value!)
  }
  return done
}

describe('a program', () => {
  it('publishes to clients and hears from them', async () => {
    const broker = await startBroker()
    const client = await connectClient(broker.port)
    await client.mqtt.subscribeAsync('to/client', { qos: 2 })
    const heard: string[] = []
    const end = await broker.subscribe('to/+', (topic, payload) => heard.push(`${topic} ${payload}`))
    await client.mqtt.publishAsync('to/program', 'hello', { qos: 1 })
    await broker.publish('to/client', Buffer.from('hello yourself'), { qos: 2 })
    expect(await client.messages(1)).toEqual(['hello yourself'])
    expect(client.packets[0]).toMatchObject({ qos: 2 })
    expect(heard).toEqual(['to/program hello', 'to/client hello yourself'])
    end()
    end()
    await client.mqtt.publishAsync('to/program', 'too late', { qos: 1 })
    expect(heard).toHaveLength(2)
  })

  it('finds what was retained', async () => {
    const broker = await startBroker()
    await broker.publish('state', 'on', { retain: true })
    const heard: string[] = []
    await broker.subscribe('state', (_topic, payload) => heard.push(payload.toString()))
    await until('it has been told', () => heard.length > 0)
    expect(heard).toEqual(['on'])
  })

  it('consumes a queue, in turn with clients', async () => {
    const broker = await startBroker()
    const jobs = await broker.consume('orders')
    const client = await connectClient(broker.port)
    await client.mqtt.subscribeAsync('queue/orders', { qos: 1 })
    for (const payload of ['1', '2', '3', '4']) await client.mqtt.publishAsync('queue/orders', payload, { qos: 1 })
    expect(await work(jobs, 2)).toEqual(['1', '3'])
    expect(await client.messages(2)).toEqual(['2', '4'])
  })

  it('says how a queue is to treat a job, and reads what the publisher said', async () => {
    const broker = await startBroker()
    await broker.publish('queue/orders', 'slow')
    await broker.publish('queue/orders', 'fast', { userProperties: { priority: '9', colour: 'red' } })
    const jobs = await broker.consume('orders')
    const { value: first } = await jobs.next()
    expect(first).toMatchObject({ userProperties: { priority: '9', colour: 'red' } })
    expect(first!.payload.toString()).toBe('fast')
    expect((await jobs.next()).value!.userProperties).toEqual({})
    const refused = broker.publish('queue/orders', 'x', { userProperties: { priority: 'none' } })
    await expect(refused).rejects.toMatchObject({ code: ReasonCode.PayloadFormatInvalid })
    const wrong = broker.publish('a', 'x', { userProperties: { long: 'x'.repeat(65_536) } })
    await expect(wrong).rejects.toThrow(/at most 65,535 bytes/)
  })

  it('leaves its loop, and what it had in hand goes back to the queue, in order', async () => {
    const broker = await startBroker()
    for (const payload of ['1', '2', '3']) await broker.publish('queue/orders', payload)
    for await (const job of await broker.consume('orders')) {
      expect(job.payload.toString()).toBe('1')
      expect(job.topic).toBe('queue/orders')
      job.acknowledge()
      job.reject() // settled already: this is too late
      break
    }
    expect(await work(await broker.consume('orders'), 2)).toEqual(['2', '3'])
  })

  it('puts a job off: it comes back after the backoff', async () => {
    const broker = await startBroker({ queue: { backoff: { initial: 1, max: 1 } } })
    const jobs = await broker.consume('orders')
    await broker.publish('queue/orders', 'work')
    expect(await work(jobs, 1, (job) => job.retry())).toEqual(['work'])
    expect(await work(jobs, 1)).toEqual(['work'])
  })

  it('rejects a job: it is a dead letter', async () => {
    const broker = await startBroker()
    const jobs = await broker.consume('orders')
    await broker.publish('queue/orders', 'never')
    await work(jobs, 1, (job) => job.reject())
    expect(await work(await broker.consume('dead/orders'), 1)).toEqual(['never'])
  })

  it('loses a job whose time runs out to another consumer', async () => {
    const broker = await startBroker({ queue: { ackTimeout: 200 } })
    const slow = await broker.consume('orders')
    await broker.publish('queue/orders', 'work')
    await work(slow, 1, () => {})
    expect(await work(await broker.consume('orders'), 1)).toEqual(['work'])
  })

  it('is told what is wrong with a topic, a filter, a queue', async () => {
    const broker = await startBroker()
    const wrong = [
      broker.publish('a/#', 'x'),
      broker.publish('queue/', 'x'),
      broker.subscribe('a/#/b', () => {}),
      broker.consume(''),
    ]
    const errors = await Promise.all(wrong.map((promise) => promise.catch((error: unknown) => error)))
    expect(errors.every((error) => error instanceof Refusal)).toBe(true)
    const { TopicNameInvalid, TopicFilterInvalid } = ReasonCode
    const codes = errors.map((error) => (error as Refusal).code)
    expect(codes).toEqual([TopicNameInvalid, TopicNameInvalid, TopicFilterInvalid, TopicFilterInvalid])
  })

  it('whose listener throws harms no client', async () => {
    const broker = await startBroker()
    await broker.subscribe('t', () => {
      throw new Error('a fault of the program')
    })
    const reader = await connectClient(broker.port)
    await reader.mqtt.subscribeAsync('t', { qos: 1 })
    const writer = await connectClient(broker.port)
    await writer.mqtt.publishAsync('t', 'x', { qos: 1 })
    expect(await reader.messages(1)).toEqual(['x'])
    expect(writer.mqtt.connected).toBe(true)
  })
})

describe('its life', () => {
  it('starts, stops, and starts again with what it had on disk', async () => {
    const path = await temporaryFolder()
    const broker = await startBroker({ store: { kind: 'level', path } })
    await broker.publish('queue/orders', 'kept')
    await broker.publish('state', 'on', { retain: true })
    await Promise.all([broker.stop(), broker.stop()])
    await broker.stop()
    await broker.start()
    await broker.start()
    expect(await work(await broker.consume('orders'), 1)).toEqual(['kept'])
    const client = await connectClient(broker.address.port)
    await client.mqtt.subscribeAsync('state')
    expect(await client.messages(1)).toEqual(['on'])
  })

  it('ends every loop over jobs when it stops', async () => {
    const broker = await startBroker()
    const jobs = await broker.consume('orders')
    const next = jobs.next()
    await broker.stop()
    let result: IteratorResult<Job, undefined> | null = null
    void next.then((ended) => {
      result = ended
    })
    await until('the loop has ended', () => result !== null, 2_000)
    expect(result).toEqual({ value: undefined, done: true })
  })

  it('hears the wills that a stop publishes; one for a queue waits there for the next start', async () => {
    const path = await temporaryFolder()
    const config = { listeners: { tcp: { port: 0 } }, store: { path } }
    const first = await startBroker(config)
    const heard: string[] = []
    await first.subscribe('wills/+', (topic) => heard.push(topic))
    const jobs = await first.consume('deaths')
    for (const [i, topic] of ['wills/0', 'wills/1', 'wills/2', 'queue/deaths'].entries()) {
      const qos = Math.min(i, 2) as 0 | 1 | 2
      await connectClient(first.port, {
        clientId: topic,
        will: { topic, payload: Buffer.from('gone'), qos, retain: false },
      })
    }
    await first.stop()
    expect(heard.sort()).toEqual(['wills/0', 'wills/1', 'wills/2'])
    expect(await jobs.next()).toEqual({ value: undefined, done: true })

    const second = await startBroker(config)
    expect(await work(await second.consume('deaths'), 1)).toEqual(['gone'])
  })

  it('does nothing when it is not running, and says so', async () => {
    const broker = new Eventflow({ config: { store: { kind: 'memory' }, listeners: { tcp: { port: 0 } } } })
    await broker.stop()
    const failed = await broker.publish('t', 'x').catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(EventflowError)
    expect(failed).toMatchObject({ code: 'NOT_RUNNING' })
    await expect(broker.consume('orders')).rejects.toMatchObject({ code: 'NOT_RUNNING' })
    expect(() => broker.address).toThrow(EventflowError)
  })

  it('can be started again after its port was taken', async () => {
    const first = await startBroker()
    const config = { store: { kind: 'memory' as const }, listeners: { tcp: { port: first.port } } }
    const second = new Eventflow({ config })
    await expect(second.start()).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await first.stop()
    await second.start()
    expect(second.address.port).toBe(first.port)
    await second.stop()
  })

  it('refuses a configuration that is wrong when it is made', () => {
    expect(() => new Eventflow({ config: { queue: { prefetch: 0 } } })).toThrow(/queue\.prefetch/)
  })
})

describe('two brokers in one process', () => {
  it('share nothing: clients, topics, queues, events', async () => {
    const [one, other] = [await startBroker(), await startBroker()]
    const events = listenTo(other, 'message.published', 'queue.created', 'client.disconnected')
    const atOne = await connectClient(one.port, { clientId: 'same', clean: false })
    const atOther = await connectClient(other.port, { clientId: 'same', clean: false })
    expect(atOther.connack.sessionPresent).toBe(false)
    await atOne.mqtt.subscribeAsync(['t', 'queue/q'], { qos: 1 })
    await atOther.mqtt.subscribeAsync('t', { qos: 1 })
    const jobs = await other.consume('q')
    await one.publish('t', 'for one', { retain: true })
    await one.publish('queue/q', 'job for one')
    expect((await atOne.messages(2)).sort()).toEqual(['for one', 'job for one'])
    expect(events.of('message.published')).toEqual([])
    await other.publish('queue/q', 'job for the other')
    expect(await work(jobs, 1)).toEqual(['job for the other'])
    expect(atOther.payloads).toEqual([])
    await one.stop()
    await atOther.mqtt.publishAsync('t', 'still here', { qos: 1 })
    expect(await atOther.messages(1)).toEqual(['still here'])
    expect(events.of('client.disconnected')).toEqual([])
  })
})
