/** What one client, one address or all of them may take: each limit is reached over real sockets, and answered. */

import { connect } from 'node:net'
import { join } from 'node:path'
import { generate, type IConnectPacket, type IPublishPacket } from 'mqtt-packet'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { packet } from '../helpers/packets.ts'
import { connectRaw, greet, openRaw, RawClient } from '../helpers/raw-client.ts'
import { tlsFiles } from '../helpers/tls.ts'
import { until } from '../helpers/until.ts'
import { openWebSocket } from '../helpers/web-socket.ts'

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

type Limits = NonNullable<NonNullable<Parameters<typeof startBroker>[0]>['limits']>

/** What a CONNECT is answered, a reason code of MQTT 5.0 or a return code before it; then the connection is closed. */
async function refusal(client: RawClient, clientId = 'late'): Promise<number> {
  const { version } = client
  client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId, clean: true, keepalive: 0 })
  const { returnCode, reasonCode } = await client.next('connack')
  await client.end()
  return (version === 5 ? reasonCode : returnCode)!
}

/** Connect as soon as there is room. */
async function connectInTheEnd(port: number, options: Partial<IConnectPacket> = {}): Promise<RawClient> {
  for (;;) {
    const client = await connectRaw(port, options).catch(() => null)
    if (client !== null) return client
  }
}

const publish = (topic: string, messageId: number, fields: Partial<IPublishPacket> = {}): IPublishPacket => ({
  ...{ cmd: 'publish', topic, messageId, payload: 'x', qos: 1, retain: false, dup: false },
  ...fields,
})

async function subscribe(client: RawClient, ...filters: string[]): Promise<unknown[]> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) })
  return (await client.next('suback')).granted
}

describe.each(VERSIONS)('connections, on MQTT $name:', ({ version }) => {
  const quota = version === 5 ? 0x97 : 3
  const rate = version === 5 ? 0x9f : 3

  it.each<[string, Limits, string]>([
    ['in all', { maxConnections: 2 }, 'all 2 connections are taken'],
    ['from one address', { maxConnectionsPerAddress: 2 }, 'all 2 connections of its address are taken'],
  ])('one too many %s is told so, and there is room once another leaves', async (_what, limits, message) => {
    const broker = await startBroker({ limits })
    const events = listenTo(broker, 'client.connecting-refused')
    const first = await connectRaw(broker.port)
    const second = await connectRaw(broker.port)
    expect(await refusal(await openRaw(broker.port, version))).toBe(quota)
    const told = { clientId: 'late', reason: 'limit', message, reasonCode: 0x97 }
    expect(events.of('client.connecting-refused')).toMatchObject([told])
    await second.settled()
    first.socket.destroy()
    await connectInTheEnd(broker.port, { protocolVersion: version })
  })

  it.each<[string, Limits, string]>([
    ['in all', { connectRate: 1 }, 'too many connections a second'],
    ['from one address', { connectRatePerAddress: 1 }, 'too many connections a second from its address'],
  ])('too many a second %s: one is told so, and may come later', async (_what, limits, message) => {
    const broker = await startBroker({ limits })
    const events = listenTo(broker, 'client.connecting-refused', 'client.connected')
    const codes = new Set<number>()
    while (codes.size === 0) {
      const client = await openRaw(broker.port, version)
      const refused = greet(client).then(
        () => null,
        (error: Error) => JSON.parse(error.message.replace('refused: ', '')),
      )
      const connack = await refused
      if (connack !== null) codes.add(version === 5 ? connack.reasonCode : connack.returnCode)
    }
    expect([...codes]).toEqual([rate])
    expect(events.of('client.connecting-refused')[0]).toMatchObject({ reason: 'limit', message, reasonCode: 0x9f })
    expect(events.of('client.connected').length).toBeGreaterThanOrEqual(10) // a burst is welcome
    await connectInTheEnd(broker.port, { protocolVersion: version })
  })
})

describe('connections', () => {
  it('one too many over TLS or WebSocket is closed before its handshake, and told of', async () => {
    const files = await tlsFiles()
    const listeners = { tcp: { port: 0 }, tls: files.options, ws: { port: 0 } }
    const broker = await startBroker({ listeners, limits: { maxConnections: 1 } })
    const events = listenTo(broker, 'client.connecting-refused')
    await connectRaw(broker.port)
    const [, tls, ws] = broker.listeners
    await (await openRaw(tls!.port)).end()
    await expect(openWebSocket(ws!.url)).rejects.toThrow()
    expect(events.of('client.connecting-refused').map(({ reasonCode }) => reasonCode)).toEqual([0x97, 0x97])
  })

  it('over WebSocket leave room when they are gone', async () => {
    const broker = await startBroker({
      listeners: { tcp: { port: 0 }, ws: { port: 0 } },
      limits: { maxConnections: 1 },
    })
    for (let i = 0; i < 3; i++) {
      const { ws, mqtt, closed } = await openWebSocket(broker.listeners[1]!.url)
      ws.send(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'w', clean: true }))
      await mqtt.next('connack')
      ws.close()
      await closed
    }
  })

  it('behind a proxy are counted by the address that it tells, of IPv6 by network', async () => {
    const tcp = { port: 0, proxyProtocol: ['127.0.0.0/8'] }
    const broker = await startBroker({ listeners: { tcp }, limits: { maxConnectionsPerAddress: 1 } })
    const from = async (family: 4 | 6, address: string, target: string): Promise<RawClient> => {
      const client = await openRaw(broker.port, 5)
      client.sendBytes(Buffer.from(`PROXY TCP${family} ${address} ${target} 50412 1883\r\n`))
      return client
    }
    await greet(await from(4, '192.0.2.7', '192.0.2.1'))
    await greet(await from(4, '192.0.2.8', '192.0.2.1'))
    await greet(await from(6, '2001:db8:0:1::1', '2001:db8::'))
    await greet(await from(6, '2001:db8:0:2::1', '2001:db8::'))
    expect(await refusal(await from(4, '192.0.2.7', '192.0.2.1'))).toBe(0x97)
    expect(await refusal(await from(6, '2001:db8:0:1:ffff::2', '2001:db8::'))).toBe(0x97)
  })

  it('on a Unix socket come from no address', async () => {
    const path = join(await temporaryFolder(), 'mqtt.sock')
    const limits = { maxConnectionsPerAddress: 1, connectRatePerAddress: 1 }
    const broker = await startBroker({ listeners: { tcp: { port: 0 }, unix: { path } }, limits })
    for (let i = 0; i < 15; i++) {
      const socket = connect(path)
      onTestFinished(() => void socket.destroy())
      await greet(new RawClient(socket, 4))
    }
    await connectRaw(broker.port)
  })

  it('that are turned away and say nothing are not kept in any number', async () => {
    const broker = await startBroker({ limits: { maxConnections: 1 } })
    const events = listenTo(broker, 'client.connecting-refused')
    await connectRaw(broker.port)
    const silent = await Promise.all(Array.from({ length: 100 }, () => openRaw(broker.port)))
    await (await openRaw(broker.port)).end()
    expect(events.all).toHaveLength(1)
    expect(silent.filter(({ closed }) => closed)).toEqual([])
  })
})

describe('connections that are not let in yet', () => {
  it('give way, the oldest first, when there are too many', async () => {
    const broker = await startBroker({ limits: { maxHalfOpen: 3 } })
    const events = listenTo(broker, 'client.connecting-refused')
    const silent = [await openRaw(broker.port), await openRaw(broker.port), await openRaw(broker.port)]
    await connectRaw(broker.port)
    await silent[0]!.end()
    expect(events.of('client.connecting-refused')).toMatchObject([{ clientId: '', reason: 'limit', reasonCode: 0x97 }])
    for (const client of silent.slice(1)) await greet(client)
  })

  it('give way on the way through TLS as well', async () => {
    const files = await tlsFiles()
    const broker = await startBroker({
      listeners: { tcp: { port: 0 }, tls: files.options },
      limits: { maxHalfOpen: 2 },
    })
    const events = listenTo(broker, 'client.connecting-refused')
    const { port } = broker.listeners[1]!
    const [first] = [await openRaw(port), await openRaw(port), await openRaw(port)]
    await first.end()
    expect(events.of('client.connecting-refused')).toMatchObject([{ clientId: '', reason: 'limit', reasonCode: 0x97 }])
  })

  it('send no CONNECT larger than it may be', async () => {
    const broker = await startBroker({ mqtt: { maxConnectSize: 2_000 } })
    const events = listenTo(broker, 'client.connecting-refused')
    const will = { topic: 'w', payload: Buffer.alloc(2_000), qos: 0 as const, retain: false }
    await expect(connectRaw(broker.port, { will })).rejects.toThrow()
    expect(events.of('client.connecting-refused')).toMatchObject([{ reasonCode: 0x95 }])
    const client = await connectRaw(broker.port)
    client.send(publish('a', 1, { payload: Buffer.alloc(20_000) })) // who is in may send more
    await client.next('puback')
  })
})

describe.each(VERSIONS)('a client on MQTT $name that sends faster than it may', ({ version }) => {
  const qos1 = Array.from({ length: 40 }, (_, i) => publish('fast', i + 1, { payload: String(i) }))

  it.each<[string, Limits, 'messageRate' | 'byteRate']>([
    ['messages', { messageRate: 20 }, 'messageRate'],
    ['bytes', { byteRate: '1KB' }, 'byteRate'],
  ])('is read more slowly, and loses none: %s', async (_what, limits, limit) => {
    const broker = await startBroker({ limits })
    const events = listenTo(broker, 'client.throttled', 'client.disconnected')
    const reader = await connectRaw(broker.port)
    await subscribe(reader, 'fast')
    const client = await connectRaw(broker.port, { protocolVersion: version, clientId: 'fast', keepalive: 1 })
    const begun = Date.now()
    client.sendTogether(...qos1.map((packet) => ({ ...packet, payload: `${packet.payload} `.padEnd(50) })))
    const other = await connectRaw(broker.port)
    other.send(publish('other', 1))
    await other.next('puback')
    for (let i = 0; i < 40; i++) {
      expect(Number((await reader.next('publish')).payload)).toBe(i)
      await client.next('puback')
    }
    expect(Date.now() - begun).toBeGreaterThanOrEqual(900) // a second's worth goes at once, and that took two
    expect(events.of('client.throttled')).toMatchObject([{ clientId: 'fast', limit }])
    await client.settled()
    expect(events.of('client.disconnected')).toEqual([])
  })

  it('is sent away where the configuration wants it so', async () => {
    const broker = await startBroker({ limits: { messageRate: 20, overRate: 'close' } })
    const events = listenTo(broker, 'client.disconnected')
    const client = await connectRaw(broker.port, { protocolVersion: version, clientId: 'fast' })
    client.sendTogether(...qos1)
    if (version === 5) expect((await client.next('disconnect')).reasonCode).toBe(0x96)
    await client.end()
    expect(events.of('client.disconnected')).toMatchObject([{ clientId: 'fast', reason: 'quota', reasonCode: 0x96 }])
  })
})

it('a listener may have limits of its own, and its clients are told', async () => {
  const path = join(await temporaryFolder(), 'mqtt.sock')
  const own = { maxPacketSize: 1_000, messageRate: 5 }
  const listeners = { tcp: { port: 0, ...own }, ws: { port: 0, maxPacketSize: 70_000 }, unix: { path } }
  const broker = await startBroker({ listeners, mqtt: { maxPacketSize: 2_000 } })
  const events = listenTo(broker, 'client.throttled', 'client.disconnected')
  const socket = connect(path)
  onTestFinished(() => void socket.destroy())
  const local = new RawClient(socket, 5)
  expect((await greet(local, { clientId: 'local' })).properties?.maximumPacketSize).toBe(2_000)
  const remote = await connectRaw(broker.port, { protocolVersion: 5, clientId: 'remote' })
  expect(remote.connack.properties?.maximumPacketSize).toBe(1_000)
  for (const client of [local, remote]) {
    client.sendTogether(...Array.from({ length: 10 }, (_, i) => publish('a', i + 1)))
    for (let i = 0; i < 10; i++) await client.next('puback')
    client.send(publish('a', 11, { payload: Buffer.alloc(1_500) }))
  }
  expect(events.of('client.throttled')).toMatchObject([{ clientId: 'remote' }])
  await local.next('puback')
  expect((await remote.next('disconnect')).reasonCode).toBe(0x95)
  const { ws, closed } = await openWebSocket(broker.listeners[1]!.url)
  ws.send(Buffer.alloc(70_001)) // larger than any packet that this listener takes
  expect(await closed).toBe(1009)
})

it('a client that is read slowly is not taken for one that is silent', async () => {
  const broker = await startBroker({ limits: { byteRate: '1KB' } })
  const events = listenTo(broker, 'client.disconnected')
  const client = await connectRaw(broker.port, { keepalive: 1 })
  client.send(publish('large', 1, { payload: Buffer.alloc(4_000) })) // three seconds' worth on credit
  await client.next('puback')
  await client.settled()
  expect(events.all).toEqual([])
})

describe.each(VERSIONS)('topics and filters on MQTT $name that are longer than they may be', ({ version }) => {
  const mqtt = { maxTopicLength: 20 }
  const long = 'ü'.repeat(11)

  it('are refused where they stand', async () => {
    const broker = await startBroker({ mqtt })
    const events = listenTo(broker, 'client.disconnected', 'subscription.refused', 'client.connecting-refused')
    const client = await connectRaw(broker.port, { protocolVersion: version })
    expect(await subscribe(client, long, 'ü'.repeat(10))).toEqual([version === 5 ? 0x8f : 0x80, 1])
    expect(events.of('subscription.refused')).toMatchObject([{ filter: long, reasonCode: 0x8f }])
    client.send(publish('ü'.repeat(10), 1))
    await client.next('puback')
    client.send(publish(long, 2))
    if (version === 5) expect((await client.next('disconnect')).reasonCode).toBe(0x90)
    await client.end()
    expect(events.of('client.disconnected')).toMatchObject([{ reason: 'protocol-error', reasonCode: 0x90 }])
    const will = { topic: long, payload: Buffer.from('x'), qos: 0 as const, retain: false }
    await expect(connectRaw(broker.port, { protocolVersion: version, will })).rejects.toThrow()
    expect(events.of('client.connecting-refused')).toMatchObject([{ reasonCode: 0x90 }])
  })
})

describe.each(VERSIONS)('large packets of which only a part comes, on MQTT $name', ({ version }) => {
  it('take a bounded memory together: the largest give way, the others are served once they are whole', async () => {
    const broker = await startBroker({ limits: { maxUnfinishedBytes: '300KB' }, mqtt: { maxPacketSize: '200KB' } })
    const events = listenTo(broker, 'client.disconnected', 'message.published')
    const payload = Buffer.alloc(150 * 1024)
    const whole = packet(0x30, 'a', ...(version === 5 ? [0] : []), payload)
    const part = 99 * 1024
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => connectRaw(broker.port, { protocolVersion: version })),
    )
    for (const client of clients) client.sendBytes(whole.subarray(0, part))
    await until('two have given way', () => events.of('client.disconnected').length === 2)
    expect(events.of('client.disconnected').map(({ reason, reasonCode }) => [reason, reasonCode])).toEqual([
      ['quota', 0x97],
      ['quota', 0x97],
    ])
    for (const client of clients) if (!client.closed) client.sendBytes(whole.subarray(part))
    await until('three are served', () => events.of('message.published').length === 3)
    const told = clients.flatMap((client) => client.received.filter(({ cmd }) => cmd === 'disconnect'))
    expect(told).toHaveLength(version === 5 ? 2 : 0)
  })
})

describe.each(VERSIONS)('subscriptions of a client on MQTT $name', ({ version }) => {
  const refused = version === 5 ? 0x97 : 0x80

  it('are as many as it may have, in one packet or several; others of the packet are granted', async () => {
    const broker = await startBroker({ limits: { maxSubscriptions: 3 } })
    const events = listenTo(broker, 'subscription.refused')
    const client = await connectRaw(broker.port, { protocolVersion: version, clientId: 'greedy' })
    const all = await subscribe(client, 'a', 'b/#', 'c', 'd', 'e')
    expect(all.toSorted()).toEqual([1, 1, 1, refused, refused].toSorted())
    expect(events.of('subscription.refused')).toMatchObject([
      { clientId: 'greedy', reasonCode: 0x97 },
      { clientId: 'greedy', reasonCode: 0x97 },
    ])
    expect(await subscribe(client, 'f', 'a')).toEqual([refused, 1]) // one that it has may be renewed
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a'] })
    await client.next('unsuback')
    expect(await subscribe(client, 'f', 'g')).toEqual([1, refused])
  })

  it('count for several when their filters are long', async () => {
    const broker = await startBroker({ limits: { maxSubscriptions: 3 } })
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const long = 'x'.repeat(257)
    expect(await subscribe(client, 'a', long, 'b')).toEqual([1, 1, refused])
    expect(await subscribe(client, long)).toEqual([1])
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [long] })
    await client.next('unsuback')
    expect(await subscribe(client, 'b', long, 'c')).toEqual([1, refused, 1])
  })

  it('one too many of a queue leaves the one that there is, under its other name', async () => {
    const broker = await startBroker({ limits: { maxSubscriptions: 1 } })
    const client = await connectRaw(broker.port, { protocolVersion: version })
    expect(await subscribe(client, 'queue/a', '$queue/a')).toEqual([1, refused])
    client.send(publish('queue/a', 1))
    expect((await client.next('publish')).topic).toBe('queue/a')
  })
})

describe.each(VERSIONS)('sessions, on MQTT $name', ({ version }) => {
  const options = (clientId: string): Partial<IConnectPacket> => ({
    ...{ protocolVersion: version, clientId, clean: false },
    ...(version === 5 ? { properties: { sessionExpiryInterval: 1_000 } } : {}),
  })

  it('are as many as may be kept: a new one is refused, also after a restart, and those that there are go on', async () => {
    const store = { kind: 'level' as const, path: await temporaryFolder() }
    const config = { store, limits: { maxSessions: 2 } }
    const before = await startBroker(config)
    for (const name of ['one', 'two']) (await connectRaw(before.port, options(name))).socket.destroy()
    await before.stop()
    const broker = await startBroker(config)
    const events = listenTo(broker, 'client.connecting-refused')
    expect(await refusal(await openRaw(broker.port, version), 'three')).toBe(version === 5 ? 0x97 : 3)
    expect(events.of('client.connecting-refused')).toMatchObject([{ clientId: 'three', reasonCode: 0x97 }])
    const one = await connectRaw(broker.port, options('one'))
    expect(one.connack.sessionPresent).toBe(true)
    const clean = await connectRaw(broker.port, { protocolVersion: version, clientId: 'two', clean: true })
    clean.send({ cmd: 'disconnect' })
    await connectInTheEnd(broker.port, options('three'))
  })
})

describe.each(VERSIONS)('retained messages, on MQTT $name', ({ version }) => {
  it.each<[string, Limits, number]>([
    ['as many', { maxRetained: 2 }, 1],
    ['as much', { maxRetainedBytes: 3_500 }, 1_000],
  ])(
    'are %s as may be: one more is refused and reaches nobody; others may be replaced, and deleted',
    async (_what, limits, size) => {
      const broker = await startBroker({ limits })
      const events = listenTo(broker, 'message.refused', 'client.disconnected')
      const payload = Buffer.alloc(size, 'x')
      const retained = (topic: string, messageId: number, more = {}) =>
        publish(topic, messageId, { payload, retain: true, ...more })
      const reader = await connectRaw(broker.port, { clientId: 'reader' })
      await subscribe(reader, '#')
      const client = await connectRaw(broker.port, { protocolVersion: version, clientId: 'writer' })
      client.sendTogether(retained('a', 1), retained('b', 2), retained('a', 3))
      for (let i = 0; i < 3; i++) expect((await client.next('puback')).reasonCode ?? 0).toBe(0)
      client.send(retained('c', 4))
      if (version === 5) expect((await client.next('puback')).reasonCode).toBe(0x97)
      else await client.end()
      expect(events.of('message.refused')).toMatchObject([{ clientId: 'writer', topic: 'c', reasonCode: 0x97 }])
      const ended = events.of('client.disconnected').map(({ reason }) => reason)
      expect(ended).toEqual(version === 5 ? [] : ['quota'])
      const writer = await connectRaw(broker.port, { protocolVersion: version })
      writer.sendTogether(retained('c', 1, { retain: false }), retained('a', 2, { payload: '' }), retained('c', 3))
      for (let i = 0; i < 3; i++) expect((await writer.next('puback')).reasonCode ?? 0).toBe(0)
      const topics = []
      for (let i = 0; i < 6; i++) topics.push((await reader.next('publish')).topic)
      expect(topics).toEqual(['a', 'b', 'a', 'c', 'a', 'c'])
      // At QoS 0 there is no answer: it is dropped, and told of.
      writer.sendTogether(retained('d', 0, { qos: 0 }), publish('e', 4))
      expect((await writer.next('puback')).reasonCode ?? 0).toBe(0)
      expect((await reader.next('publish')).topic).toBe('e')
      expect(events.of('message.refused').at(-1)).toMatchObject({ topic: 'd', reasonCode: 0x97 })
    },
  )
})
