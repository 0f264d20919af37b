/** Queues as users see them: every message to one consumer, until it is acknowledged; on MQTT 3.1.1 and 5.0. */

import type { IConnectPacket, IPublishPacket, QoS } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

const LEVELS = [0, 1, 2] as const

interface Consuming extends Partial<IConnectPacket> {
  filter?: string
  qos?: QoS
}

/** A raw client that consumes, and acknowledges nothing by itself. */
async function consume(port: number, { filter = 'queue/orders', qos = 1, ...connect }: Consuming = {}) {
  const client = await connectRaw(port, connect)
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos }] })
  expect((await client.next('suback')).granted).toEqual([qos])
  return client
}

/** Publish at QoS 1, in order; resolves when all are acknowledged, so when all that can be delivered is on its way. */
async function produce(port: number, payloads: readonly string[], topic = 'queue/orders'): Promise<void> {
  const producer = await connectClient(port)
  await Promise.all(payloads.map((payload) => producer.mqtt.publishAsync(topic, payload, { qos: 1 })))
  await producer.mqtt.endAsync()
}

/** Every PUBLISH that a client has got and that no test took from it, once all that is under way has arrived. */
async function inHand(client: RawClient): Promise<IPublishPacket[]> {
  await client.settled()
  return client.received.filter((packet) => packet.cmd === 'publish')
}

async function payloadsInHand(client: RawClient): Promise<string[]> {
  return (await inHand(client)).map(textOf)
}

/** The next `count` messages, in the order in which they came. */
async function take(client: RawClient, count: number): Promise<IPublishPacket[]> {
  const taken: IPublishPacket[] = []
  while (taken.length < count) taken.push(await client.next('publish'))
  return taken
}

function textOf({ payload }: IPublishPacket): string {
  return payload.toString()
}

function acknowledge(client: RawClient, { messageId }: IPublishPacket, reasonCode = 0): void {
  client.send({ cmd: 'puback', messageId: messageId!, reasonCode })
}

/** User properties of an MQTT 5.0 message. */
function userProperties({ properties }: IPublishPacket): Record<string, unknown> {
  return { ...(properties?.userProperties as object | undefined) }
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i))
}

describeWithMosquitto('mosquitto_pub and mosquitto_sub', () => {
  describe.each(VERSIONS)('on MQTT $name', ({ words }) => {
    it('each message goes to one of two consumers, in turn', async () => {
      const { port } = await startBroker()
      const first = await sub(port, ...words, '-q', '1', '-t', 'queue/orders')
      const second = await sub(port, ...words, '-q', '1', '-t', 'queue/orders')
      for (const payload of numbers(1, 6)) {
        expect(await pub(port, ...words, '-q', '1', '-t', 'queue/orders', '-m', payload)).toMatchObject({ code: 0 })
      }
      await first.messages(3)
      await second.messages(3)
      expect([first.lines, second.lines]).toEqual([
        ['1', '3', '5'],
        ['2', '4', '6'],
      ])
    })

    it('a message waits for its consumer, and is not delivered again once it was acknowledged', async () => {
      const { port } = await startBroker()
      await pub(port, ...words, '-q', '1', '-t', 'queue/orders', '-m', 'early')
      const first = await sub(port, ...words, '-q', '1', '-t', 'queue/orders')
      expect(await first.messages(1)).toEqual(['early'])
      await first.end()
      const second = await sub(port, ...words, '-q', '1', '-t', 'queue/orders')
      await pub(port, ...words, '-q', '1', '-t', 'queue/orders', '-m', 'later')
      expect(await second.messages(1)).toEqual(['later'])
    })

    it('a message that was acknowledged to its producer outlives kill -9', async () => {
      const folder = await temporaryFolder()
      const before = await startProcess(folder)
      for (const payload of ['one', 'two', 'three']) {
        await pub(before.port, ...words, '-q', '1', '-t', 'queue/orders', '-m', payload)
      }
      await before.end('SIGKILL')
      const { port } = await startProcess(folder)
      const consumer = await sub(port, ...words, '-q', '1', '-t', 'queue/orders')
      expect(await consumer.messages(3)).toEqual(['one', 'two', 'three'])
    })

    it.each(LEVELS)('a consumer at QoS %i gets everything at that QoS, however it was published', async (granted) => {
      const { port } = await startBroker()
      const consumer = await sub(port, ...words, '-q', String(granted), '-t', 'queue/orders', '-F', '%q %r %t %p')
      for (const qos of LEVELS) {
        await pub(port, ...words, '-q', String(qos), '-t', 'queue/orders', '-m', `sent at ${qos}`)
      }
      const expected = LEVELS.map((qos) => `${granted} 0 queue/orders sent at ${qos}`)
      expect(await consumer.messages(3)).toEqual(expected)
    })

    it('what a killed mosquitto_sub had in hand goes to the other one, in order', async () => {
      const { port } = await startBroker()
      const victim = await sub(port, ...words, '-q', '1', '-t', 'queue/orders')
      const log = await redeliveriesOf(port)
      victim.child.kill('SIGSTOP') // it reads no more, so it acknowledges nothing
      await produce(port, numbers(1, 5))
      const heir = await sub(port, ...words, '-q', '1', '-t', 'queue/orders')
      await victim.end('SIGKILL')
      expect(await heir.messages(5)).toEqual(numbers(1, 5))
      expect(await log.messages(5)).toHaveLength(5)
    })

    it('queue messages are not in the space of publish/subscribe, and none is retained', async () => {
      const { port } = await startBroker()
      const everything = await sub(port, ...words, '-q', '1', '-t', '#', '-t', '+/orders', '-t', '+/+', '-F', '%t')
      await pub(port, ...words, '-q', '1', '-r', '-t', 'queue/orders', '-m', 'hidden')
      await pub(port, ...words, '-q', '1', '-t', 'plain/orders', '-m', 'seen')
      expect(await everything.messages(1)).toEqual(['plain/orders'])
      const late = await sub(port, ...words, '-q', '1', '-t', 'queue/orders', '-F', '%r %p')
      expect(await late.messages(1)).toEqual(['0 hidden'])
      const later = await sub(port, ...words, '-q', '1', '-t', 'queue/#', '-F', '%p')
      await pub(port, ...words, '-q', '1', '-t', 'queue/orders', '-m', 'next')
      await until('one of both has it', () => late.lines.length + later.lines.length === 2)
    })

    it('consumers with wildcards take from every queue that matches, also from those that come later', async () => {
      const { port } = await startBroker()
      await pub(port, ...words, '-q', '1', '-t', 'queue/eu/orders', '-m', 'before')
      const european = await sub(port, ...words, '-q', '1', '-t', 'queue/eu/+', '-F', '%t %p')
      await european.messages(1)
      await pub(port, ...words, '-q', '1', '-t', 'queue/us/orders', '-m', 'elsewhere')
      await pub(port, ...words, '-q', '1', '-t', 'queue/eu/orders/old', '-m', 'deeper')
      await pub(port, ...words, '-q', '1', '-t', 'queue/eu/bills', '-m', 'new queue')
      expect(await european.messages(2)).toEqual(['queue/eu/orders before', 'queue/eu/bills new queue'])
      const all = await sub(port, ...words, '-q', '1', '-t', 'queue/#', '-F', '%t %p')
      expect((await all.messages(2)).sort()).toEqual(['queue/eu/orders/old deeper', 'queue/us/orders elsewhere'])
    })
  })

  it('a consumer on MQTT 5.0 is told queue, id and time of each message, beside what its producer said', async () => {
    const { port } = await startBroker()
    const consumer = await sub(port, '-V', '5', '-q', '1', '-t', 'queue/eu/orders', '-F', '%C|%P|%p')
    const own = ['-D', 'publish', 'user-property', 'colour', 'green', '-D', 'publish', 'content-type', 'text/plain']
    await pub(port, '-V', '5', '-q', '1', '-t', 'queue/eu/orders', '-m', 'x', ...own)
    const [line] = await consumer.messages(1)
    expect(line).toMatch(/^text\/plain\|/)
    expect(line).toContain('colour:green')
    expect(line).toContain('eventflow-queue:eu/orders')
    expect(line).toMatch(/eventflow-id:\d+/)
    expect(line).toMatch(/eventflow-enqueued-at:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/)
    expect(line).not.toContain('eventflow-deliveries')
  })
})

/** A reader of what came back to queues. */
function redeliveriesOf(port: number) {
  return sub(port, '-t', '$eventflow/events/queue/redelivered')
}

describe.each(VERSIONS)('the mqtt package on MQTT $name', ({ version }) => {
  it.each(LEVELS)('takes each message once at QoS %i, in the order in which they were sent', async (qos) => {
    const { port } = await startBroker()
    const consumer = await connectClient(port, { protocolVersion: version })
    await consumer.mqtt.subscribeAsync('queue/orders', { qos })
    await produce(port, numbers(1, 200))
    expect(await consumer.messages(200)).toEqual(numbers(1, 200))
    expect(new Set(consumer.packets.map((packet) => packet.qos))).toEqual(new Set([qos]))
  })

  it.each(LEVELS)('leaves nothing in the queue at QoS %i', async (qos) => {
    const broker = await startBroker()
    const log = listenTo(broker, 'queue.emptied', 'queue.acknowledged')
    await produce(broker.port, numbers(1, 50))
    const consumer = await connectClient(broker.port, { protocolVersion: version })
    await consumer.mqtt.subscribeAsync('queue/orders', { qos })
    expect(await consumer.messages(50)).toEqual(numbers(1, 50))
    await log.find('queue.emptied', { queue: 'orders' })
    expect(log.of('queue.acknowledged')).toHaveLength(50)
  })

  it('shares a thousand messages among four consumers: none lost, none twice', async () => {
    const { port } = await startBroker()
    const consumers = await Promise.all(LEVELS.map(() => connectClient(port, { protocolVersion: version })))
    for (const consumer of consumers) await consumer.mqtt.subscribeAsync('queue/orders', { qos: 1 })
    await produce(port, numbers(1, 1000))
    const all = (): string[] => consumers.flatMap(({ payloads }) => payloads)
    await until('all have arrived', () => all().length >= 1000)
    expect(all().sort()).toEqual(numbers(1, 1000).sort())
    for (const { payloads } of consumers) expect(payloads.length).toBeGreaterThan(100)
  })
})

describe.each(VERSIONS)('a consumer on MQTT $name', ({ version }) => {
  const protocolVersion = version
  const clean = { protocolVersion }
  const lasting: Partial<IConnectPacket> = {
    protocolVersion,
    clean: false,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
  }

  it('that acknowledges nothing gets 16 messages and no more', async () => {
    const { port } = await startBroker()
    const consumer = await consume(port, clean)
    await produce(port, numbers(1, 40))
    expect(await payloadsInHand(consumer)).toEqual(numbers(1, 16))
    acknowledge(consumer, (await take(consumer, 1))[0]!)
    expect(await payloadsInHand(consumer)).toEqual(numbers(2, 17))
  })

  it('gets as many as the prefetch that is configured, over all queues of its filter', async () => {
    const { port } = await startBroker({ queue: { prefetch: 3 } })
    const consumer = await consume(port, { ...clean, filter: 'queue/#' })
    await produce(port, numbers(1, 4), 'queue/a')
    await produce(port, numbers(5, 8), 'queue/b')
    expect(await payloadsInHand(consumer)).toEqual(['1', '2', '3'])
    for (const packet of await take(consumer, 3)) acknowledge(consumer, packet)
    expect((await payloadsInHand(consumer)).length).toBe(3)
  })

  it.each(['DISCONNECT', 'a broken connection'])(
    'that goes with %s leaves what it had to the other, in order',
    async (how) => {
      const { port } = await startBroker()
      const leaving = await consume(port, clean)
      const staying = await consume(port, clean)
      await produce(port, numbers(1, 8))
      expect(await payloadsInHand(leaving)).toEqual(['1', '3', '5', '7'])
      expect((await take(staying, 4)).map(textOf)).toEqual(['2', '4', '6', '8'])
      if (how === 'DISCONNECT') leaving.send({ cmd: 'disconnect' })
      else leaving.socket.destroy()
      const back = await take(staying, 4)
      expect(back.map(textOf)).toEqual(['1', '3', '5', '7'])
      expect(back.every(({ dup }) => !dup)).toBe(true) // for this client it is the first time [MQTT-3.3.1-3]
      if (version === 5) expect(userProperties(back[0]!)).toMatchObject({ 'eventflow-deliveries': '2' })
    },
  )

  it('gets what came back before what is new', async () => {
    const { port } = await startBroker({ queue: { prefetch: 4 } })
    const leaving = await consume(port, clean)
    await produce(port, numbers(1, 10))
    await take(leaving, 4)
    leaving.socket.destroy()
    const next = await consume(port, clean)
    expect((await take(next, 4)).map(textOf)).toEqual(['1', '2', '3', '4'])
  })

  it('that unsubscribes gives back what it had, and its late acknowledgement does no harm', async () => {
    const { port } = await startBroker()
    const leaving = await consume(port, clean)
    await produce(port, numbers(1, 3))
    const held = await take(leaving, 3)
    const staying = await consume(port, clean)
    leaving.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['queue/orders'] })
    await leaving.next('unsuback')
    expect((await take(staying, 3)).map(textOf)).toEqual(['1', '2', '3'])
    for (const packet of held) acknowledge(leaving, packet)
    await produce(port, ['4'])
    expect((await take(staying, 1)).map(textOf)).toEqual(['4'])
    expect(await inHand(leaving)).toEqual([])
  })

  it('whose identifier is taken over gives back what it had', async () => {
    const { port } = await startBroker()
    const old = await consume(port, { ...clean, clientId: 'worker' })
    await produce(port, numbers(1, 3))
    await take(old, 3)
    const other = await consume(port, clean)
    await connectRaw(port, { ...clean, clientId: 'worker' })
    expect((await take(other, 3)).map(textOf)).toEqual(['1', '2', '3'])
  })

  it('that lets the time run out loses its message to another', async () => {
    const broker = await startBroker({ queue: { ackTimeout: 300 } })
    const log = listenTo(broker, 'queue.redelivered', 'queue.emptied')
    const slow = await consume(broker.port, clean)
    await produce(broker.port, ['work'])
    await take(slow, 1)
    const other = await consume(broker.port, clean)
    const [again] = await take(other, 1)
    expect(textOf(again!)).toBe('work')
    acknowledge(other, again!)
    await log.find('queue.emptied')
    expect(log.of('queue.redelivered')).toEqual([expect.objectContaining({ reason: 'timeout', deliveries: 1 })])
    expect(await inHand(slow)).toEqual([])
  })

  it('that is alone gets the message again when its time has run out', async () => {
    const broker = await startBroker({ queue: { ackTimeout: 300 } })
    const log = listenTo(broker, 'queue.emptied')
    const consumer = await consume(broker.port, clean)
    await produce(broker.port, ['work'])
    const [first, second] = await take(consumer, 2)
    expect([textOf(first!), textOf(second!)]).toEqual(['work', 'work'])
    expect(second!.messageId).not.toBe(first!.messageId) // the first is still in use
    acknowledge(consumer, first!)
    acknowledge(consumer, second!)
    await log.find('queue.emptied')
  })

  it('that acknowledges too late changes nothing when another has the message', async () => {
    const { port } = await startBroker({ queue: { ackTimeout: 300 } })
    const slow = await consume(port, clean)
    await produce(port, ['work'])
    const [late] = await take(slow, 1)
    const other = await consume(port, clean)
    await take(other, 1)
    acknowledge(slow, late!)
    await slow.settled()
    other.socket.destroy() // before it acknowledged: the message is not lost
    expect((await take(slow, 1)).map(textOf)).toEqual(['work'])
  })

  it('at QoS 2 with a lasting session finds its message again: same identifier, DUP, and nobody else had it', async () => {
    const broker = await startBroker()
    const log = listenTo(broker, 'queue.emptied', 'queue.redelivered')
    const leaving = await consume(broker.port, { ...lasting, clientId: 'worker', qos: 2 })
    await produce(broker.port, ['once'])
    const [first] = await take(leaving, 1)
    expect(first).toMatchObject({ qos: 2, dup: false })
    const other = await consume(broker.port, { ...clean, qos: 2 })
    leaving.socket.destroy()
    await produce(broker.port, ['for the other'])
    expect((await take(other, 1)).map(textOf)).toEqual(['for the other'])
    const back = await connectRaw(broker.port, { ...lasting, clientId: 'worker' })
    const [again] = await take(back, 1)
    expect(again).toMatchObject({ qos: 2, dup: true, messageId: first!.messageId })
    expect(textOf(again!)).toBe('once')
    back.send({ cmd: 'pubrec', messageId: again!.messageId! })
    expect(await back.next('pubrel')).toMatchObject({ messageId: first!.messageId })
    back.send({ cmd: 'pubcomp', messageId: again!.messageId! })
    expect(await inHand(other)).toEqual([])
    expect(log.of('queue.redelivered')).toEqual([])
  })

  it('at QoS 2 that disconnects after PUBREC gets PUBREL when it is back, and the message is gone', async () => {
    const broker = await startBroker()
    const log = listenTo(broker, 'queue.emptied')
    const leaving = await consume(broker.port, { ...lasting, clientId: 'worker', qos: 2 })
    await produce(broker.port, ['once'])
    const [first] = await take(leaving, 1)
    leaving.send({ cmd: 'pubrec', messageId: first!.messageId! })
    await leaving.next('pubrel')
    await log.find('queue.emptied')
    leaving.socket.destroy()
    const back = await connectRaw(broker.port, { ...lasting, clientId: 'worker' })
    expect(await back.next('pubrel')).toMatchObject({ messageId: first!.messageId })
    back.send({ cmd: 'pubcomp', messageId: first!.messageId! })
    expect(await inHand(back)).toEqual([])
  })

  it('at QoS 1 with a lasting session finds its subscription again, and leaves its messages to others meanwhile', async () => {
    const { port } = await startBroker()
    const leaving = await consume(port, { ...lasting, clientId: 'worker' })
    await produce(port, ['1'])
    await take(leaving, 1)
    leaving.socket.destroy()
    const other = await consume(port, clean)
    const [taken] = await take(other, 1)
    expect(textOf(taken!)).toBe('1')
    acknowledge(other, taken!)
    other.send({ cmd: 'disconnect' })
    await other.end()
    await produce(port, ['2'])
    const back = await connectRaw(port, { ...lasting, clientId: 'worker' })
    expect((await take(back, 1)).map(textOf)).toEqual(['2'])
  })

  it('at QoS 0 that does not read is given what its connection holds; the rest is for others', async () => {
    const { port } = await startBroker()
    const stuck = await consume(port, { ...clean, qos: 0 })
    stuck.socket.pause()
    const large = 'x'.repeat(64 * 1024)
    const names = numbers(1, 400)
    await produce(
      port,
      names.map((name) => `${name} ${large}`),
    )
    const other = await connectClient(port)
    stuck.socket.destroy()
    await other.mqtt.subscribeAsync('queue/orders', { qos: 1 })
    await until('the last message is there', () => other.payloads.at(-1)?.startsWith('400 ') === true)
    const rest = other.payloads.map((payload) => payload.split(' ')[0])
    expect(rest).toEqual(names.slice(names.length - rest.length))
    expect(rest.length).toBeGreaterThan(200) // of 25 MB a socket and its buffers hold a few
  })

  it('that subscribes twice to the same queue gets each message once', async () => {
    const { port } = await startBroker()
    const consumer = await consume(port, clean)
    consumer.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'queue/orders', qos: 1 }] })
    await consumer.next('suback')
    await produce(port, ['1', '2'])
    expect(await payloadsInHand(consumer)).toEqual(['1', '2'])
  })

  it('is refused `queue/` alone, and the broker carries on', async () => {
    const { port } = await startBroker()
    const consumer = await connectRaw(port, clean)
    const subscriptions = [
      { topic: 'queue/', qos: 1 as const },
      { topic: 'queue/orders', qos: 1 as const },
    ]
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    expect((await consumer.next('suback')).granted).toEqual([version === 5 ? 0x8f : 0x80, 1])
    await produce(port, ['after'])
    expect((await take(consumer, 1)).map(textOf)).toEqual(['after'])
  })
})

describe('a producer', () => {
  it('on MQTT 5.0 is told that `queue/` alone is no queue', async () => {
    const { port } = await startBroker()
    const producer = await connectRaw(port, { protocolVersion: 5 })
    producer.send({ cmd: 'publish', topic: 'queue/', payload: 'x', qos: 1, messageId: 1, dup: false, retain: false })
    expect(await producer.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x90 })
    producer.send({ cmd: 'publish', topic: 'queue/', payload: 'x', qos: 2, messageId: 2, dup: false, retain: false })
    expect(await producer.next('pubrec')).toMatchObject({ messageId: 2, reasonCode: 0x90 })
  })

  it('on MQTT 3.1.1 that publishes on `queue/` alone is disconnected: an acknowledgement would be a lie', async () => {
    const { port } = await startBroker()
    const producer = await connectRaw(port)
    producer.send({ cmd: 'publish', topic: 'queue/', payload: 'x', qos: 1, messageId: 1, dup: false, retain: false })
    await producer.end()
    expect(producer.received).toEqual([])
  })

  it('that sends a QoS 2 message again, DUP set, has it stored once', async () => {
    const { port } = await startBroker()
    const producer = await connectRaw(port, { clientId: 'producer', clean: false })
    const message = {
      cmd: 'publish',
      topic: 'queue/orders',
      payload: 'once',
      qos: 2,
      messageId: 7,
      retain: false,
    } as const
    producer.send({ ...message, dup: false })
    producer.send({ ...message, dup: true })
    await producer.next('pubrec')
    await producer.next('pubrec')
    producer.socket.destroy()
    const again = await connectRaw(port, { clientId: 'producer', clean: false })
    again.send({ ...message, dup: true })
    await again.next('pubrec')
    again.send({ cmd: 'pubrel', messageId: 7 })
    await again.next('pubcomp')
    const consumer = await consume(port)
    expect(await payloadsInHand(consumer)).toEqual(['once'])
  })

  it('may consume from the queue that it fills', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port)
    await client.mqtt.subscribeAsync('queue/own', { qos: 1 })
    await client.mqtt.publishAsync('queue/own', 'echo', { qos: 1 })
    expect(await client.messages(1)).toEqual(['echo'])
  })
})

describe('on MQTT 5.0', () => {
  const protocolVersion = 5

  it('no consumer holds more than its Receive Maximum: the rest goes to others', async () => {
    const { port } = await startBroker()
    const narrow = await consume(port, { protocolVersion, properties: { receiveMaximum: 3 } })
    const wide = await connectClient(port)
    await wide.mqtt.subscribeAsync('queue/orders', { qos: 1 })
    await produce(port, numbers(1, 40))
    await wide.messages(37)
    expect(await inHand(narrow)).toHaveLength(3)
  })

  it.each([0x80, 0x83, 0x97])(
    'PUBACK with %i brings the message back after the backoff, to another consumer',
    async (code) => {
      const { port } = await startBroker({ queue: { backoff: { initial: 200, max: 200 } } })
      const refusing = await consume(port, { protocolVersion })
      await produce(port, ['work'])
      const [first] = await take(refusing, 1)
      const other = await consume(port, { protocolVersion })
      const refusedAt = Date.now()
      acknowledge(refusing, first!, code)
      const [again] = await take(other, 1)
      expect(Date.now() - refusedAt).toBeGreaterThanOrEqual(190)
      expect(textOf(again!)).toBe('work')
      expect(userProperties(again!)).toMatchObject({ 'eventflow-deliveries': '2' })
    },
  )

  it('PUBREC with a failure brings the message back, and ends the exchange', async () => {
    const { port } = await startBroker({ queue: { backoff: { initial: 1, max: 1 } } })
    const consumer = await consume(port, { protocolVersion, qos: 2 })
    await produce(port, ['work'])
    const [first] = await take(consumer, 1)
    consumer.send({ cmd: 'pubrec', messageId: first!.messageId!, reasonCode: 0x83 })
    const [again] = await take(consumer, 1)
    expect(again).toMatchObject({ qos: 2, dup: false })
    expect(textOf(again!)).toBe('work')
    consumer.send({ cmd: 'pubrec', messageId: again!.messageId!, reasonCode: 0 })
    await consumer.next('pubrel')
    expect(consumer.received).toEqual([])
  })

  it('a late acknowledgement counts when nobody has the message', async () => {
    const broker = await startBroker({ queue: { ackTimeout: 300, backoff: { initial: '1h', max: '1h' } } })
    const log = listenTo(broker, 'queue.acknowledged', 'queue.emptied')
    const slow = await consume(broker.port, { protocolVersion, clientId: 'slow' })
    await produce(broker.port, ['work'])
    const [late] = await take(slow, 1)
    const other = await consume(broker.port, { protocolVersion })
    acknowledge(other, (await take(other, 1))[0]!, 0x80) // it rests for an hour
    await other.settled()
    acknowledge(slow, late!)
    await log.find('queue.acknowledged', { consumer: 'slow' })
    await log.find('queue.emptied')
  })

  it('a QoS 2 consumer whose session expires leaves its message to others', async () => {
    const { port } = await startBroker()
    const properties = { sessionExpiryInterval: 1 }
    const leaving = await consume(port, { protocolVersion, clean: false, properties, qos: 2 })
    await produce(port, ['work'])
    await take(leaving, 1)
    const other = await consume(port, { protocolVersion })
    leaving.socket.destroy()
    expect((await take(other, 1)).map(textOf)).toEqual(['work'])
  })

  it('a message keeps the properties of its producer, and carries the subscription identifier of its consumer', async () => {
    const { port } = await startBroker()
    const consumer = await connectRaw(port, { protocolVersion })
    const subscriptions = [{ topic: 'queue/orders', qos: 1 as const }]
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions, properties: { subscriptionIdentifier: 9 } })
    await consumer.next('suback')
    const producer = await connectClient(port, { protocolVersion })
    const properties = { contentType: 'text/plain', responseTopic: 'answers', correlationData: Buffer.from('c') }
    await producer.mqtt.publishAsync('queue/orders', 'x', { qos: 1, properties })
    const [message] = await take(consumer, 1)
    expect(message!.properties).toMatchObject({ ...properties, subscriptionIdentifier: 9 })
  })

  it('a message whose time was up is not delivered', async () => {
    const broker = await startBroker()
    const log = listenTo(broker, 'queue.expired')
    const producer = await connectClient(broker.port, { protocolVersion })
    const properties = { messageExpiryInterval: 1 }
    const receivedAt = Date.now()
    await producer.mqtt.publishAsync('queue/orders', 'stale', { qos: 1, properties })
    await producer.mqtt.publishAsync('queue/orders', 'fresh', { qos: 1 })
    await until('its second is over', () => Date.now() - receivedAt > 1_500)
    const consumer = await consume(broker.port, { protocolVersion })
    expect(await payloadsInHand(consumer)).toEqual(['fresh'])
    await log.find('queue.expired', { queue: 'orders' })
  })
})
