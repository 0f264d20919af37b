/** Publish/subscribe as users see it, with mosquitto's tools and the `mqtt` package, on MQTT 3.1.1 and 5.0. */

import type { Packet, QoS } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

const LEVELS = [0, 1, 2] as const

describeWithMosquitto('mosquitto_pub and mosquitto_sub', () => {
  describe.each(VERSIONS)('on MQTT $name', ({ words }) => {
    it.each(LEVELS)('a subscription at QoS %i gets each message at the lower of both QoS', async (granted) => {
      const { port } = await startBroker()
      const reader = await sub(port, ...words, '-q', String(granted), '-t', 'a/b', '-F', '%q %t %p')
      for (const qos of LEVELS) {
        expect(await pub(port, ...words, '-q', String(qos), '-t', 'a/b', '-m', `sent at ${qos}`)).toMatchObject({
          code: 0,
        })
      }
      const expected = LEVELS.map((qos) => `${Math.min(qos, granted)} a/b sent at ${qos}`)
      expect(await reader.messages(3)).toEqual(expected)
    })

    it.each([
      ['a/b/c', ['a/b/c']],
      ['+/b/c', ['a/b/c', 'x/b/c']],
      ['a/+/c', ['a/b/c', 'a//c']],
      ['a/#', ['a/b/c', 'a//c', 'a/b', 'a', 'a/']],
      ['+', ['a']],
      ['+/+', ['a/b', 'a/', '/a']],
      ['/+', ['/a']],
      ['#', ['a/b/c', 'x/b/c', 'a//c', 'a/b', 'a', 'a/', '/a']],
    ])('the filter %s matches as the specification says', async (filter, expected) => {
      const { port } = await startBroker()
      const reader = await sub(port, ...words, '-t', filter, '-t', 'end/of/test', '-F', '%t')
      const publisher = await connectClient(port)
      for (const topic of ['a/b/c', 'x/b/c', 'a//c', 'a/b', 'a', 'a/', '/a']) publisher.mqtt.publish(topic, 'x')
      publisher.mqtt.publish('end/of/test', 'x')
      expect(await reader.messages(expected.length + 1)).toEqual([...expected, 'end/of/test'])
    })

    it('one message for several subscriptions of a client is delivered once, at the highest QoS', async () => {
      const { port } = await startBroker()
      const filters = ['-t', 'a/#', '-t', 'a/b', '-t', '+/b', '-t', '#']
      const reader = await sub(port, ...words, '-q', '1', ...filters, '-F', '%q %p')
      await pub(port, ...words, '-q', '2', '-t', 'a/b', '-m', 'first')
      await pub(port, ...words, '-q', '2', '-t', 'a/b', '-m', 'second')
      expect(await reader.messages(2)).toEqual(['1 first', '1 second'])
    })

    it('a topic may have as many levels as Mosquitto takes, all of them empty if need be', async () => {
      const { port } = await startBroker()
      const topics = ['/'.repeat(200), `${'abc/'.repeat(199)}d`]
      const reader = await sub(port, ...words, ...topics.flatMap((topic) => ['-t', topic]), '-t', 'end', '-F', '%t')
      const publisher = await connectClient(port)
      for (const topic of [...topics, 'end']) publisher.mqtt.publish(topic, 'x')
      expect(await reader.messages(3)).toEqual([...topics, 'end'])
    })

    it('a large message and an empty one arrive whole', async () => {
      const { port } = await startBroker()
      const reader = await connectClient(port)
      await reader.mqtt.subscribeAsync('size', { qos: 1 })
      const large = 'x'.repeat(100_000)
      await pub(port, ...words, '-q', '1', '-t', 'size', '-m', large)
      await pub(port, ...words, '-q', '1', '-t', 'size', '-n')
      expect(await reader.messages(2)).toEqual([large, ''])
    })
  })

  it('messages pass between MQTT 3.1.1 and 5.0', async () => {
    const { port } = await startBroker()
    const older = await sub(port, '-V', 'mqttv311', '-q', '2', '-t', 't', '-F', '%q %p')
    const newer = await sub(port, '-V', 'mqttv5', '-q', '2', '-t', 't', '-F', '%q %p')
    await pub(port, '-V', 'mqttv31', '-q', '2', '-t', 't', '-m', 'from 3.1')
    await pub(port, '-V', 'mqttv311', '-q', '1', '-t', 't', '-m', 'from 3.1.1')
    await pub(
      port,
      '-V',
      'mqttv5',
      '-q',
      '2',
      '-t',
      't',
      '-m',
      'from 5.0',
      '-D',
      'publish',
      'content-type',
      'text/plain',
    )
    const expected = ['2 from 3.1', '1 from 3.1.1', '2 from 5.0']
    expect(await older.messages(3)).toEqual(expected)
    expect(await newer.messages(3)).toEqual(expected)
  })

  it('mosquitto_sub sees every property that mosquitto_pub sent, user properties in order', async () => {
    const { port } = await startBroker()
    const reader = await sub(port, '-V', 'mqttv5', '-t', 't', '-F', '%C|%R|%D|%F|%P|%p')
    const property = (name: string, ...value: string[]): string[] => ['-D', 'publish', name, ...value]
    await pub(
      port,
      ...['-V', 'mqttv5', '-t', 't', '-m', 'payload'],
      ...property('content-type', 'text/plain'),
      ...property('response-topic', 'answers/1'),
      ...property('correlation-data', 'c-1'),
      ...property('payload-format-indicator', '1'),
      ...property('user-property', 'b', '1'),
      ...property('user-property', 'a', '2'),
      ...property('user-property', 'b', '3'),
    )
    expect(await reader.messages(1)).toEqual(['text/plain|answers/1|c-1|1|b:1 a:2 b:3|payload'])
  })
})

describe.each(VERSIONS)('the mqtt package on MQTT $name', ({ version }) => {
  it.each(LEVELS)('[3.1.1: MQTT-7.0.0-2] publishes and receives at QoS %i', async (qos) => {
    const { port } = await startBroker()
    const reader = await connectClient(port, { protocolVersion: version })
    const writer = await connectClient(port, { protocolVersion: version })
    await reader.mqtt.subscribeAsync('t/#', { qos })
    await writer.mqtt.publishAsync('t/1', 'hello', { qos })
    expect(await reader.messages(1)).toEqual(['hello'])
    expect(reader.packets[0]).toMatchObject({ qos, topic: 't/1', retain: false, dup: false })
  })

  it('receives nothing more after UNSUBSCRIBE, and still what its other filters match', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port, { protocolVersion: version })
    await reader.mqtt.subscribeAsync(['left', 'kept'])
    await reader.mqtt.unsubscribeAsync('left')
    const writer = await connectClient(port)
    await writer.mqtt.publishAsync('left', 'no', { qos: 1 })
    await writer.mqtt.publishAsync('kept', 'yes', { qos: 1 })
    expect(await reader.messages(1)).toEqual(['yes'])
  })

  it('gets its own messages when it subscribes to what it publishes', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port, { protocolVersion: version })
    await client.mqtt.subscribeAsync('own', { qos: 2 })
    await client.mqtt.publishAsync('own', 'echo', { qos: 2 })
    expect(await client.messages(1)).toEqual(['echo'])
  })

  it('subscribing again on the same filter replaces the QoS, and does not double', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port, { protocolVersion: version })
    await client.mqtt.subscribeAsync('t', { qos: 2 })
    await client.mqtt.subscribeAsync('t', { qos: 0 })
    await client.mqtt.publishAsync('t', 'one', { qos: 2 })
    await client.mqtt.publishAsync('t', 'two', { qos: 2 })
    expect(await client.messages(2)).toEqual(['one', 'two'])
    expect(client.packets.map((packet) => packet.qos)).toEqual([0, 0])
  })
})

describe.each(VERSIONS)('overlapping subscriptions on MQTT $name', ({ version }) => {
  it.each([
    [0, 1],
    [1, 2],
    [2, 0],
  ] as Array<[QoS, QoS]>)('of QoS %i and %i deliver once, at the higher one', async (first, second) => {
    const { port } = await startBroker()
    const reader = await connectRaw(port, { protocolVersion: version })
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/#', qos: first }] })
    reader.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'a/+', qos: second }] })
    await reader.next('suback')
    await reader.next('suback')
    const writer = await connectRaw(port, { protocolVersion: version })
    writer.send({ cmd: 'publish', topic: 'a/b', payload: 'x', qos: 2, messageId: 9, dup: false, retain: false })
    await writer.next('pubrec')
    expect(await reader.next('publish')).toMatchObject({ qos: Math.max(first, second) })
    await reader.settled()
    expect(reader.received).toEqual([])
  })
})

describe('MQTT 5.0', () => {
  it('a message carries every subscription identifier that matches', async () => {
    const { port } = await startBroker()
    const reader = await connectRaw(port, { protocolVersion: 5 })
    const subscribe = (messageId: number, topic: string, identifier: number | null) =>
      reader.send({
        cmd: 'subscribe',
        messageId,
        subscriptions: [{ topic, qos: 1 }],
        ...(identifier === null ? {} : { properties: { subscriptionIdentifier: identifier } }),
      })
    subscribe(1, 'a/#', 7)
    subscribe(2, 'a/b', 268_435_455)
    subscribe(3, '+/b', null)
    subscribe(4, 'other', 8)
    for (let i = 0; i < 4; i++) await reader.next('suback')
    await (await connectClient(port)).mqtt.publishAsync('a/b', 'x', { qos: 1 })
    const { properties } = await reader.next('publish')
    expect([properties?.subscriptionIdentifier].flat().sort()).toEqual([268_435_455, 7])
  })

  it('no-local keeps a message from the client that sent it, and from no other', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port, { protocolVersion: 5 })
    const other = await connectClient(port, { protocolVersion: 5 })
    await client.mqtt.subscribeAsync('chat', { qos: 1, nl: true })
    await other.mqtt.subscribeAsync('chat', { qos: 1, nl: true })
    await client.mqtt.publishAsync('chat', 'from client', { qos: 1 })
    await other.mqtt.publishAsync('chat', 'from other', { qos: 1 })
    expect(await client.messages(1)).toEqual(['from other'])
    expect(await other.messages(1)).toEqual(['from client'])
  })

  it('a second subscription without no-local gets what the first one does not', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port, { protocolVersion: 5 })
    await client.mqtt.subscribeAsync('chat', { qos: 2, nl: true })
    await client.mqtt.subscribeAsync('#', { qos: 0 })
    await client.mqtt.publishAsync('chat', 'mine', { qos: 2 })
    expect(await client.messages(1)).toEqual(['mine'])
    expect(client.packets[0]!.qos).toBe(0)
  })

  it('a client without an identifier is given one in CONNACK', async () => {
    const { port } = await startBroker()
    const first = await connectRaw(port, { protocolVersion: 5, clientId: '' })
    const second = await connectRaw(port, { protocolVersion: 5, clientId: '' })
    const ids = [first, second].map(({ connack }) => connack.properties?.assignedClientIdentifier)
    expect(ids[0]).toMatch(/.+/)
    expect(ids[1]).toMatch(/.+/)
    expect(ids[0]).not.toBe(ids[1])
  })

  it('UNSUBACK says which filters there were', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] })
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a', 'b'] })
    expect(await client.next('unsuback')).toMatchObject({ messageId: 2, granted: [0, 0x11] })
  })
})

describe.each(VERSIONS)('filters that start with a wildcard, on MQTT $name', ({ version }) => {
  it.each(['#', '+/x', '+/+/x'])('%s never sees $… and queue/… messages, live or retained', async (filter) => {
    const broker = await startBroker()
    const hidden = ['$other/x', '$other/y/x', 'queue/x', 'queue/y/x', '$queue/x', '$q/y/x']
    const writer = await connectClient(broker.port)
    const publishAll = async () => {
      for (const topic of hidden) await writer.mqtt.publishAsync(topic, 'hidden', { qos: 1, retain: true })
      await writer.mqtt.publishAsync('seen/x', 'seen', { qos: 1, retain: true })
      await writer.mqtt.publishAsync('seen/y/x', 'seen', { qos: 1, retain: true })
    }
    await publishAll()
    const reader = await connectRaw(broker.port, { protocolVersion: version })
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 0 }] })
    await reader.next('suback')
    await publishAll()
    await reader.settled()
    const topics = reader.received.map((packet) => (packet.cmd === 'publish' ? packet.topic : packet.cmd))
    const seen = filter === '#' ? ['seen/x', 'seen/y/x'] : filter === '+/x' ? ['seen/x'] : ['seen/y/x']
    expect(topics).toEqual([...seen, ...seen])
  })

  it('an ordinary $… topic reaches who asks for it by its first level', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port, { protocolVersion: version })
    await reader.mqtt.subscribeAsync('$other/#')
    await reader.mqtt.publishAsync('$other/x', 'found')
    expect(await reader.messages(1)).toEqual(['found'])
  })
})

describe.each(VERSIONS)('packets in one TCP segment, on MQTT $name', ({ version }) => {
  const connect = (clientId: string) =>
    ({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId,
      clean: true,
      keepalive: 0,
    }) as const
  const publish = (topic: string, payload: string, qos: QoS = 0, messageId = 1) =>
    ({ cmd: 'publish', topic, payload, qos, messageId, dup: false, retain: false }) as const

  it('a PUBLISH behind SUBSCRIBE is matched by it, and is answered after SUBACK', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: version })
    client.sendTogether(
      publish('t', 'too early'),
      { cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: 't', qos: 1 }] },
      publish('t', 'in time', 1, 6),
      { cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['t'] },
      publish('t', 'too late'),
      { cmd: 'pingreq' },
    )
    await client.next('pingresp')
    expect(client.received.map(({ cmd }) => cmd).filter((cmd) => cmd !== 'puback')).toEqual([
      'suback',
      'publish',
      'unsuback',
    ])
    expect((await client.next('publish')).payload.toString()).toBe('in time')
  })

  it('what follows CONNECT is served in order', async () => {
    const { port } = await startBroker()
    const client = await openRaw(port, version)
    client.sendTogether(
      connect('in-a-hurry'),
      { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] },
      publish('t', 'one'),
      publish('t', 'two'),
      { cmd: 'pingreq' },
    )
    await client.next('pingresp')
    expect(client.received.map(({ cmd }) => cmd)).toEqual(['connack', 'suback', 'publish', 'publish'])
  })

  it.each(LEVELS)('PUBLISH at QoS %i, DISCONNECT and FIN behind CONNECT are all served', async (qos) => {
    const { port } = await startBroker()
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('t', { qos: 0 })
    const client = await openRaw(port, version)
    client.sendTogether(connect('brief'), publish('t', 'hello and goodbye', qos), { cmd: 'disconnect' })
    client.socket.end()
    expect(await reader.messages(1)).toEqual(['hello and goodbye'])
    await client.end()
  })

  it('a PUBLISH is served when FIN follows without DISCONNECT', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('t', { qos: 0 })
    const client = await openRaw(port, version)
    client.sendTogether(connect('briefer'), publish('t', 'hello'))
    client.socket.end()
    expect(await reader.messages(1)).toEqual(['hello'])
  })
})

describe.each(VERSIONS)('a SUBSCRIBE of 20,000 filters on MQTT $name', ({ version }) => {
  const FILTERS = Array.from({ length: 20_000 }, (_, i) => (i % 1_500 === 7 ? `bad#${i}` : `good/${i}/#`))
  const isBad = (i: number) => FILTERS[i]!.startsWith('bad')

  it.each([true, false])('is answered filter by filter, and holds up nobody (clean session: %s)', async (clean) => {
    const { port } = await startBroker()
    const properties = version === 5 && !clean ? { sessionExpiryInterval: 100 } : {}
    const greedy = await connectRaw(port, { protocolVersion: version, clientId: 'greedy', clean, properties })
    const other = await connectRaw(port)
    greedy.send({ cmd: 'subscribe', messageId: 1, subscriptions: FILTERS.map((topic) => ({ topic, qos: 1 })) })
    // Others are served while it is decided: in as many turns as it takes.
    await other.settled()
    await other.settled()
    expect(greedy.received).toEqual([])
    const { granted } = await greedy.next('suback')
    expect(granted).toHaveLength(FILTERS.length)
    expect(granted.every((code, i) => (code === 1) !== isBad(i))).toBe(true)
    for (const i of [0, 999, 1_000, 19_999]) publishTo(other, `good/${i}/x`)
    for (let i = 0; i < 4; i++) await greedy.next('publish')

    greedy.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: FILTERS })
    await greedy.next('unsuback')
    publishTo(other, 'good/1000/x')
    await other.settled()
    await greedy.settled()
    expect(greedy.received).toEqual([])
  })

  function publishTo(client: { send: (packet: Packet) => void }, topic: string): void {
    client.send({ cmd: 'publish', topic, payload: 'x', qos: 0, dup: false, retain: false })
  }
})
