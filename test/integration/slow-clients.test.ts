/** Clients that do not keep up: the broker stays within bounds, tells what it dropped, and everybody else gets theirs. */

import { generate } from 'mqtt-packet'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

const MEGABYTE = 1024 * 1024

/** A client that subscribes and then reads no more. */
async function stuck(port: number, version: 4 | 5, topic: string, qos: 0 | 1 | 2): Promise<RawClient> {
  const client = await connectRaw(port, { protocolVersion: version, clientId: 'stuck' })
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  await client.next('suback')
  client.socket.pause()
  return client
}

const payloadsOf = (client: RawClient): string[] =>
  client.received.map((packet) => (packet.cmd === 'publish' ? packet.payload.toString() : packet.cmd))

describe.each(VERSIONS)('a client on MQTT $name that never reads', ({ version }) => {
  it('has its QoS 0 messages dropped, each told by an event, while others get all of theirs', async () => {
    const broker = await startBroker({ session: { maxSocketBuffer: '64KB' } })
    const events = listenTo(broker, 'message.dropped')
    await stuck(broker.port, version, 'flood', 0)
    const reader = await connectClient(broker.port, { protocolVersion: version })
    await reader.mqtt.subscribeAsync('flood', { qos: 0 })
    const writer = await connectClient(broker.port)
    const payload = Buffer.alloc(64 * 1024)
    let sent = 0
    while (events.all.length < 100) {
      await writer.mqtt.publishAsync('flood', payload, { qos: 1 })
      sent++
      // One that reads is given the time to: this is about the other one.
      await reader.messages(sent)
    }
    expect(reader.packets).toHaveLength(sent)
    const told = events.of('message.dropped')
    expect(told[0]).toEqual({ clientId: 'stuck', topic: 'flood', qos: 0, reason: 'slow' })
    expect(new Set(told.map(({ clientId }) => clientId))).toEqual(new Set(['stuck']))
  })

  it('takes no more memory, however much is published', async () => {
    const broker = await startBroker({ session: { maxSocketBuffer: '64KB' } })
    const events = listenTo(broker, 'message.dropped')
    await stuck(broker.port, version, 'flood', 0)
    const writer = await connectClient(broker.port)
    const payload = Buffer.alloc(MEGABYTE)
    while (events.all.length === 0) await writer.mqtt.publishAsync('flood', payload, { qos: 1 })
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 200; i++) await writer.mqtt.publishAsync('flood', payload, { qos: 1 })
    // 200 MB went by. What garbage is still to be collected is in it.
    await until('what was published is collected', () => process.memoryUsage().arrayBuffers - before < 50 * MEGABYTE)
    expect(events.all.length).toBeGreaterThanOrEqual(200)
  })

  it('gets what is published after it has caught up', async () => {
    const broker = await startBroker({ session: { maxSocketBuffer: '64KB' } })
    const events = listenTo(broker, 'message.dropped')
    const client = await stuck(broker.port, version, 'flood', 0)
    const writer = await connectClient(broker.port)
    while (events.all.length === 0) await writer.mqtt.publishAsync('flood', Buffer.alloc(MEGABYTE), { qos: 1 })
    client.socket.resume()
    await client.settled()
    client.received.length = 0
    await writer.mqtt.publishAsync('flood', 'afterwards', { qos: 1 })
    expect((await client.next('publish')).payload.toString()).toBe('afterwards')
  })

  it('is forgotten when it closes its side and still does not read', async () => {
    const broker = await startBroker({ session: { maxSocketBuffer: '64KB' } })
    const events = listenTo(broker, 'message.dropped', 'client.disconnected')
    const client = await stuck(broker.port, version, 'flood', 0)
    const writer = await connectClient(broker.port)
    while (events.of('message.dropped').length === 0) {
      await writer.mqtt.publishAsync('flood', Buffer.alloc(MEGABYTE), { qos: 1 })
    }
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const before = sockets()
    client.socket.end()
    await events.find('client.disconnected', { clientId: 'stuck' })
    await until('the socket of the broker is closed', () => sockets() < before, 5_000)
  })

  it('has its QoS 1 messages kept up to the limit of its session, and then dropped', async () => {
    const broker = await startBroker({ session: { maxInflight: 10, maxQueued: 20 } })
    const events = listenTo(broker, 'message.dropped')
    const client = await stuck(broker.port, version, 'work', 1)
    const reader = await connectClient(broker.port, { protocolVersion: version })
    await reader.mqtt.subscribeAsync('work', { qos: 1 })
    const writer = await connectClient(broker.port)
    const all = Array.from({ length: 40 }, (_, i) => String(i))
    for (const [i, payload] of all.entries()) {
      await writer.mqtt.publishAsync('work', payload, { qos: 1 })
      await reader.messages(i + 1)
    }
    expect(reader.payloads).toEqual(all)
    const dropped = { clientId: 'stuck', topic: 'work', qos: 1, reason: 'session-full' }
    expect(events.of('message.dropped')).toEqual(Array.from({ length: 10 }, () => dropped))
    client.socket.resume()
    for (let i = 0; i < 30; i++) {
      const { payload, messageId } = await client.next('publish')
      expect(payload.toString()).toBe(String(i))
      client.send({ cmd: 'puback', messageId: messageId! })
    }
  })

  it('is bounded in bytes too', async () => {
    const broker = await startBroker({ session: { maxInflight: 1, maxQueuedBytes: '100KB' } })
    const events = listenTo(broker, 'message.dropped')
    await stuck(broker.port, version, 'work', 1)
    const writer = await connectClient(broker.port)
    for (let i = 0; i < 20; i++) await writer.mqtt.publishAsync('work', Buffer.alloc(10 * 1024), { qos: 1 })
    // One is in flight, and the one that goes over the limit is still taken.
    expect(events.of('message.dropped')).toHaveLength(20 - 1 - 10)
  })
})

describe.each(VERSIONS)('a publisher on MQTT $name that never reads its answers', ({ version }) => {
  it('is read no further, or closed, so that what is to be answered does not pile up', async () => {
    const broker = await startBroker({ mqtt: { maxPacketSize: '64KB' }, session: { maxSocketBuffer: '64KB' } })
    const client = await connectRaw(broker.port, { protocolVersion: version })
    client.socket.pause()
    let published = 0
    onTestFinished(broker.events.listen(['message.published'], () => void published++))
    // The answers to these have 8 MB. A kernel keeps some of them for a socket that is not read; the rest would be ours.
    const one = generate(
      { cmd: 'publish', topic: 'a', payload: '', qos: 1, messageId: 1, dup: false, retain: false },
      { protocolVersion: version },
    )
    const sent = 2_000_000
    client.socket.write(Buffer.alloc(sent * one.length, one))
    const other = await connectRaw(broker.port, { protocolVersion: version })
    let before = -1
    while (published > before) {
      before = published
      for (let i = 0; i < 20; i++) await other.settled()
    }
    expect(published).toBeLessThan(sent)
  })
})

describe('Receive Maximum of an MQTT 5.0 client', () => {
  const limited = (receiveMaximum: number) =>
    ({
      protocolVersion: 5,
      clientId: 'limited',
      clean: false,
      properties: { receiveMaximum, sessionExpiryInterval: 1000 },
    }) as const

  it.each([1, 2] as const)('is respected at QoS %i: no more than that many are unacknowledged', async (qos) => {
    const { port } = await startBroker()
    const client = await connectRaw(port, limited(3))
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos }] })
    await client.next('suback')
    const writer = await connectClient(port)
    const all = Array.from({ length: 20 }, (_, i) => String(i))
    for (const payload of all) await writer.mqtt.publishAsync('t', payload, { qos })
    await client.settled()
    expect(payloadsOf(client)).toEqual(['0', '1', '2'])

    const received: string[] = []
    while (received.length < all.length) {
      const { payload, messageId } = await client.next('publish')
      received.push(payload.toString())
      if (qos === 1) client.send({ cmd: 'puback', messageId: messageId! })
      else {
        client.send({ cmd: 'pubrec', messageId: messageId! })
        await client.next('pubrel')
        await client.settled()
        // PUBREC alone makes no room: three are in flight, this one included.
        expect(client.received.length).toBe(Math.min(2, all.length - received.length))
        client.send({ cmd: 'pubcomp', messageId: messageId! })
      }
      await client.settled()
      expect(client.received.length).toBe(Math.min(3, all.length - received.length))
    }
    expect(received).toEqual(all)
  })

  it('does not hold back QoS 0', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, limited(1))
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 1 }] })
    await client.next('suback')
    const writer = await connectClient(port)
    await writer.mqtt.publishAsync('one', '1', { qos: 1 })
    await writer.mqtt.publishAsync('one', '2', { qos: 1 })
    for (const payload of ['a', 'b', 'c']) writer.mqtt.publish('zero', payload, { qos: 0 })
    await writer.mqtt.publishAsync('one', '3', { qos: 1 })
    await client.settled()
    expect(payloadsOf(client)).toEqual(['1', 'a', 'b', 'c'])
  })

  it('is respected when a session comes back with a smaller one', async () => {
    const { port } = await startBroker()
    const before = await connectRaw(port, limited(10))
    before.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] })
    await before.next('suback')
    const writer = await connectClient(port)
    for (let i = 0; i < 10; i++) await writer.mqtt.publishAsync('t', String(i), { qos: 1 })
    for (let i = 0; i < 10; i++) await before.next('publish')
    before.send({ cmd: 'disconnect' })
    await before.end()

    const after = await connectRaw(port, limited(2))
    await after.settled()
    expect(payloadsOf(after)).toEqual(['0', '1'])
    for (let i = 0; i < 10; i++) {
      const { payload, messageId } = await after.next('publish')
      expect(payload.toString()).toBe(String(i))
      after.send({ cmd: 'puback', messageId: messageId! })
    }
  })
})

describe('Maximum Packet Size of an MQTT 5.0 client', () => {
  it.each([0, 1, 2] as const)(
    'is respected at QoS %i: what is larger is dropped for it, told by an event',
    async (qos) => {
      const broker = await startBroker()
      const events = listenTo(broker, 'message.dropped')
      const small = await connectRaw(broker.port, {
        protocolVersion: 5,
        clientId: 'small',
        properties: { maximumPacketSize: 100, receiveMaximum: 1 },
      })
      small.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos }] })
      await small.next('suback')
      const large = await connectClient(broker.port, { protocolVersion: 5 })
      await large.mqtt.subscribeAsync('t', { qos })
      const writer = await connectClient(broker.port)
      await writer.mqtt.publishAsync('t', 'x'.repeat(100), { qos: 2 })
      await writer.mqtt.publishAsync('t', 'fits', { qos: 2 })
      expect((await small.next('publish')).payload.toString()).toBe('fits')
      expect(await large.messages(2)).toEqual(['x'.repeat(100), 'fits'])
      expect(events.of('message.dropped')).toEqual([{ clientId: 'small', topic: 't', qos, reason: 'packet-too-large' }])
    },
  )

  it('counts the whole packet: one that is just as large is delivered', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5, properties: { maximumPacketSize: 50 } })
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] })
    await client.next('suback')
    const writer = await connectClient(port)
    // Header 2, topic 3, properties 1: six bytes beside the payload.
    await writer.mqtt.publishAsync('t', 'x'.repeat(45), { qos: 1 })
    await writer.mqtt.publishAsync('t', 'y'.repeat(44), { qos: 1 })
    await client.settled()
    expect(payloadsOf(client)).toEqual(['y'.repeat(44)])
  })
})
