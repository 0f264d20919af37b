/** The life of a message, step by step as docs/queues.md has it: each row of its table happens, and tells so. */

import type { IPublishPacket, Packet, QoS } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/index.ts'
import { startBroker } from '../helpers/broker.ts'
import { type EventLog, listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { blocksOf, readPage } from '../helpers/recipes.ts'
import { until } from '../helpers/until.ts'

const page = readPage('docs/queues.md')
const section = page.split('\n### The life of a message\n')[1]!.split('\n## ')[0]!

interface Step {
  from: string
  what: string
  to: string
  /** What is told, `queue.redelivered (timeout)`; '': nothing. */
  event: string
}

const steps: Step[] = section
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(1)
  .map((line) => {
    const cells = line.split('|').slice(1, -1)
    const [from, what, to, event] = cells.map((cell) => cell.trim().replaceAll('`', ''))
    return { from: from!, what: what!, to: to!, event: event! }
  })

/** Where a message is, by the numbers of its queue. */
type Place = 'ready' | 'in flight' | 'delayed' | 'backoff' | 'dead letter' | 'nowhere'

class World {
  readonly broker
  readonly log: EventLog
  readonly port: number

  private constructor(broker: Awaited<ReturnType<typeof startBroker>>) {
    this.broker = broker
    this.port = broker.port
    this.log = listenTo(
      broker,
      'queue.enqueued',
      'queue.delayed',
      'queue.delivered',
      'queue.acknowledged',
      'queue.redelivered',
      'queue.dead-lettered',
      'queue.expired',
      'queue.purged',
      'queue.redriven',
    )
  }

  static async begin(queue: ConfigInput['queue'] = {}): Promise<World> {
    return new World(await startBroker({ queue }))
  }

  /** Where the only message is. */
  get place(): Place {
    const of = (name: string) => this.broker.queues.list().find((queue) => queue.name === name)
    if ((of('dead/jobs')?.length ?? 0) > 0) return 'dead letter'
    const jobs = of('jobs')
    if (jobs?.ready) return 'ready'
    if (jobs?.inFlight) return 'in flight'
    if (jobs?.delayed) return 'delayed'
    return jobs?.resting ? 'backoff' : 'nowhere'
  }

  async isAt(place: Place): Promise<void> {
    await until(`the message is ${place}, not ${this.place}`, () => this.place === place)
  }

  async publish(payload = 'job', properties: object | null = null): Promise<void> {
    const { mqtt } = await connectClient(this.port, { protocolVersion: 5 })
    await mqtt.publishAsync('queue/jobs', payload, { qos: 1, ...(properties === null ? {} : { properties }) })
    await mqtt.endAsync()
  }

  async consumer(qos: QoS = 1, sessionExpiryInterval = 0): Promise<RawClient> {
    const properties = { sessionExpiryInterval }
    const client = await connectRaw(this.port, { protocolVersion: 5, clientId: 'worker', clean: false, properties })
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/jobs', qos }] })
    await client.next('suback')
    return client
  }

  /** A message in the hands of a consumer. */
  async inHand(qos: QoS = 1, sessionExpiryInterval = 0): Promise<[RawClient, IPublishPacket]> {
    const consumer = await this.consumer(qos, sessionExpiryInterval)
    await this.publish()
    const packet = await consumer.next('publish')
    await this.isAt('in flight')
    return [consumer, packet]
  }
}

function answer(client: RawClient, { messageId, qos }: IPublishPacket, reasonCode: number): void {
  client.send({ cmd: qos === 2 ? 'pubrec' : 'puback', messageId: messageId!, reasonCode } as Packet)
}

const REST = { backoff: { initial: 60_000, max: 60_000 } }
const NO_REST = { backoff: { initial: 1, max: 1 } }

/** What makes each step happen, by `from, what`. Returns when it has; the world is looked at then. */
const happenings: Record<string, () => Promise<World>> = {
  async ', it is published'() {
    const world = await World.begin()
    await world.publish()
    return world
  },
  async ', it is published with a delay'() {
    const world = await World.begin()
    await world.publish('job', { userProperties: { delay: '60000' } })
    return world
  },
  async 'delayed, its time has come'() {
    const world = await World.begin()
    await world.publish('job', { userProperties: { delay: '300' } })
    await world.isAt('delayed')
    return world
  },
  async 'ready, a consumer with room has its turn'() {
    const world = await World.begin()
    await world.publish()
    await world.isAt('ready')
    await world.consumer()
    return world
  },
  async 'in flight, PUBACK or PUBREC with a code below 0x80'() {
    const world = await World.begin()
    for (const qos of [1, 2] as const) {
      const [consumer, packet] = await world.inHand(qos)
      answer(consumer, packet, 0)
      await world.isAt('nowhere')
    }
    return world
  },
  async 'in flight, its consumer disconnects, unsubscribes or is taken over'() {
    for (const how of ['disconnects', 'unsubscribes', 'is taken over']) {
      const world = await World.begin()
      const [consumer] = await world.inHand()
      await world.publish('behind it')
      await consumer.next('publish')
      if (how === 'disconnects') consumer.send({ cmd: 'disconnect' })
      if (how === 'unsubscribes') consumer.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['queue/jobs'] })
      if (how === 'is taken over') await connectRaw(world.port, { protocolVersion: 5, clientId: 'worker', clean: true })
      await world.log.find('queue.redelivered', { reason: 'consumer-gone' })
      await world.isAt('ready')
      const peeked = await world.broker.queues.peek('jobs')
      expect(peeked.map(({ payload }) => payload.toString())).toEqual(['job', 'behind it'])
      if (how === 'is taken over') return world
    }
    throw new Error('never here')
  },
  async 'in flight, its consumer, at QoS 2, disconnects, and keeps its session'() {
    const world = await World.begin()
    const [consumer, { messageId }] = await world.inHand(2, 3600)
    consumer.socket.destroy()
    await world.publish('another')
    const other = await connectRaw(world.port, { protocolVersion: 5 })
    other.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/jobs', qos: 1 }] })
    await other.next('suback')
    answer(other, await other.next('publish'), 0)
    await other.settled()
    expect(other.received).toEqual([])
    await world.isAt('in flight')
    const back = await connectRaw(world.port, {
      protocolVersion: 5,
      clientId: 'worker',
      clean: false,
      properties: { sessionExpiryInterval: 3600 },
    })
    expect(await back.next('publish')).toMatchObject({ messageId, dup: true, qos: 2 })
    return world
  },
  async 'in flight, no answer within ackTimeout'() {
    const world = await World.begin({ ackTimeout: 200 })
    const [consumer] = await world.inHand()
    await world.publish('behind it')
    await world.broker.queues.pause('jobs') // else its consumer, alone, has it again at once
    await until('both came back', () => world.log.of('queue.redelivered').length === 2)
    const peeked = await world.broker.queues.peek('jobs')
    expect(peeked.map(({ payload }) => payload.toString())).toEqual(['job', 'behind it'])
    expect(consumer.closed).toBe(false)
    return world
  },
  async 'ready, the answer comes after all, too late'() {
    const world = await World.begin({ ackTimeout: 200 })
    const [consumer, packet] = await world.inHand()
    await world.broker.queues.pause('jobs')
    await world.isAt('ready')
    answer(consumer, packet, 0)
    return world
  },
  async 'in flight, "not now": 0x80, 0x83 or 0x97'() {
    for (const code of [0x80, 0x83, 0x97]) {
      const world = await World.begin(REST)
      const [consumer, packet] = await world.inHand(code === 0x83 ? 2 : 1)
      answer(consumer, packet, code)
      await world.isAt('backoff')
      if (code === 0x97) return world
    }
    throw new Error('never here')
  },
  async 'backoff, its rest is over'() {
    const world = await World.begin({ backoff: { initial: 300, max: 300 } })
    const [consumer, packet] = await world.inHand()
    await world.broker.queues.pause('jobs') // to see it before its consumer has it again
    await world.publish('behind it')
    answer(consumer, packet, 0x80)
    await until('it rests', () => world.broker.queues.list()[0]!.resting === 1)
    await until('it does no more', () => world.broker.queues.list()[0]!.resting === 0)
    const peeked = await world.broker.queues.peek('jobs')
    expect(peeked.map(({ payload }) => payload.toString())).toEqual(['job', 'behind it'])
    return world
  },
  async 'in flight, "never": 0x87, 0x90 or 0x99'() {
    for (const code of [0x87, 0x90, 0x99]) {
      const world = await World.begin()
      const [consumer, packet] = await world.inHand(code === 0x90 ? 2 : 1)
      answer(consumer, packet, code)
      await world.isAt('dead letter')
      if (code === 0x99) return world
    }
    throw new Error('never here')
  },
  async 'in flight, it would come back for the maxDeliveries-th time'() {
    const world = await World.begin({ maxDeliveries: 3, ackTimeout: 200, ...NO_REST })
    const [consumer, packet] = await world.inHand()
    answer(consumer, packet, 0x80) // refused
    await consumer.next('publish') // let time out
    await consumer.next('publish')
    consumer.socket.destroy() // and left behind
    return world
  },
  async 'ready, its Message Expiry Interval is over'() {
    const world = await World.begin()
    await world.publish('job', { messageExpiryInterval: 1 })
    return world
  },
  async 'ready, the same, where expired is dead-letter'() {
    const world = await World.begin({ expired: 'dead-letter' })
    await world.publish('job', { messageExpiryInterval: 1 })
    return world
  },
  async 'ready, it is the oldest where a full queue drops that one'() {
    const world = await World.begin({ maxLength: 1, overflow: 'drop-oldest' })
    await world.publish()
    await world.publish('newer')
    return world
  },
  async 'ready, an operator purges the queue'() {
    const world = await World.begin()
    await world.publish()
    expect(await world.broker.queues.purge('jobs')).toBe(1)
    return world
  },
  async 'dead letter, an operator sends it back'() {
    const world = await World.begin()
    const [consumer, packet] = await world.inHand()
    answer(consumer, packet, 0x99)
    await world.isAt('dead letter')
    consumer.socket.destroy()
    expect(await world.broker.queues.redrive('dead/jobs')).toEqual({ moved: 1, left: 0 })
    return world
  },
}

/** Where a message is that is `to`. */
function placeOf(to: string): Place {
  const [word] = /^(ready|in flight|delayed|backoff|dead letter)/.exec(to) ?? ['nowhere']
  return word as Place
}

describe('a message', () => {
  it('has a life of these steps, and no others', () => {
    expect(steps.map(({ from, what }) => `${from}, ${what}`)).toEqual(Object.keys(happenings))
  })

  it.each(steps.map((step) => [step.from === '' ? 'new' : step.from, step.what, step] as const))(
    '%s: %s',
    async (_, __, step) => {
      const { from, what, to, event } = step
      const world = await happenings[`${from}, ${what}`]!()
      await world.isAt(placeOf(to))
      if (event === '') return
      const [, type, reason] = /^(queue\.[\w-]+)(?: \(([\w-]+)\))?$/.exec(event)!
      const found = () =>
        world.log.all.find(
          ({ type: told, data }) =>
            told === type && (reason === undefined || (data as { reason: string }).reason === reason),
        )
      await until(`${event} is told`, () => found() !== undefined)
    },
  )

  it('is drawn with every place that it can be in', () => {
    const [drawing, ...others] = blocksOf(page).filter(({ language }) => language === 'text')
    expect([drawing!.key, others]).toEqual(['The life of a message, text 1', []])
    const places = new Set(steps.flatMap(({ from, to }) => [from, to]).map((text) => text.split(/[,:]/)[0]!))
    places.delete('')
    expect([...places].filter((place) => !drawing!.text.includes(place))).toEqual([])
  })
})
