/** A connection's packets, from the byte stream to the kernel and back, over a pair of streams in memory. */

import { type Duplex, duplexPair } from 'node:stream'
import { generate, type Packet, parser } from 'mqtt-packet'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Counters } from '../../../src/core/counters.ts'
import { EventflowError } from '../../../src/core/errors.ts'
import { Kernel } from '../../../src/kernel/kernel.ts'
import type { Decision } from '../../../src/kernel/plugin-contract.ts'
import { Broker } from '../../../src/transport/broker.ts'
import { TopicTable } from '../../../src/wire/topic-table.ts'
import { WriteScheduler } from '../../../src/wire/write-buffer.ts'
import { chronicleOf } from '../../helpers/chronicle.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { turn } from '../../helpers/slow-sink.ts'
import { until } from '../../helpers/until.ts'
import { LIMITS, RecordingNamespace, SILENT } from '../kernel/support.ts'
import { memoryStore, recordedEvents } from '../session/support.ts'

/** The client's end of a connection. */
class Peer {
  readonly stream: Duplex
  readonly received: Packet[] = []
  ended = false

  constructor(stream: Duplex, version: 4 | 5) {
    this.stream = stream
    const reader = parser({ protocolVersion: version })
    reader.on('packet', (packet) => this.received.push(packet))
    stream.on('data', (bytes) => reader.parse(bytes))
    stream.on('end', () => {
      this.ended = true
    })
  }

  get commands(): string[] {
    return this.received.map(({ cmd }) => cmd)
  }

  /** Resolves with the packets once there are so many. */
  async packets(count: number): Promise<Packet[]> {
    await until(`${count} packets were received; there are ${this.commands}`, () => this.received.length >= count)
    return this.received
  }
}

function deferred<T>() {
  let resolve = (_value: T): void => {}
  const promise = new Promise<T>((yes) => {
    resolve = yes
  })
  return { promise, resolve }
}

async function make(durable?: () => Promise<void>) {
  const store = await memoryStore()
  if (durable !== undefined) store.durable = durable
  const clock = new FakeClock()
  const { events, heard, types } = recordedEvents()
  const counters = new Counters()
  const shared = { store, clock, events, log: SILENT }
  const kernel = new Kernel({
    ...{ ...shared, chronicle: chronicleOf(events), counters, node: 'n', version: '0' },
    ...{ maxTopicLevels: 10, limits: LIMITS, maxExpirySeconds: 0xffff_ffff },
  })
  const namespace = new RecordingNamespace()
  kernel.namespaces.claim('', namespace)
  const { clients, intake, subscriptions } = kernel
  const limits = {
    ...{
      maxPacketSize: 10_000,
      maxConnectSize: 10_000,
      maxTopicBytes: 65_535,
      maxTopicLevels: 10,
      connectTimeoutMs: 10_000,
      maxSocketBuffer: 1_000_000,
    },
    ...{ checkPayloadFormat: false, maxKeepAliveSeconds: 0 },
    ...{
      maxHalfOpen: 1_000,
      maxUnfinishedBytes: 10_000_000,
      messageRate: null,
      byteRate: null,
      overRate: 'pause' as const,
    },
    ...{ receiveMaximum: 10, topicAliasMaximum: 2, publishDenied: 'close' as const },
  }
  const scheduler = new WriteScheduler(counters)
  const broker = new Broker({ ...shared, clients, intake, subscriptions, scheduler, topics: new TopicTable(), limits })
  await broker.start()
  onTestFinished(() => broker.stop())
  const connect = (version: 4 | 5 = 5): Peer => {
    const [ours, theirs] = duplexPair({ allowHalfOpen: true })
    broker.attach(ours, { address: 'here', listener: 'tcp', certificate: null })
    onTestFinished(() => void theirs.destroy())
    return new Peer(theirs, version)
  }
  return { broker, kernel, namespace, connect, clock, heard, types, store }
}

const WILL = { topic: 'will', payload: Buffer.from('gone'), qos: 0 as const, retain: false }
/** CONNECT of a session that is kept, with a will. */
const LASTING = generate({
  ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'me', clean: false, keepalive: 0, will: WILL },
  properties: { sessionExpiryInterval: 100 },
})
const CONNECT = (version: 4 | 5 = 5, clientId = 'me') =>
  generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId, clean: true, keepalive: 0 })
const PUBLISH = (topic: string, qos: 0 | 1 | 2 = 0, messageId = 1, protocolVersion: 4 | 5 = 5) =>
  generate(
    { cmd: 'publish', topic, payload: 'x', qos, dup: false, retain: false, ...(qos > 0 ? { messageId } : {}) },
    { protocolVersion },
  )
const SUBSCRIBE = (topic: string, messageId = 9) =>
  generate({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 1 }] }, { protocolVersion: 5 })
const PINGREQ = generate({ cmd: 'pingreq' })
const DISCONNECT = generate({ cmd: 'disconnect' }, { protocolVersion: 5 })

describe('packets behind a CONNECT that is being decided', () => {
  it('are held, and served in order after it', async () => {
    const { kernel, namespace, connect } = await make()
    const decision = deferred<Decision>()
    kernel.access.addAuthenticator({ name: 'slow', authenticate: () => decision.promise })
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), PUBLISH('a', 1, 1), PUBLISH('b', 1, 2)]))
    await turn()
    peer.stream.write(PUBLISH('c', 1, 3))
    await turn()
    expect([namespace.calls, peer.commands]).toEqual([[], []])
    decision.resolve('allow')
    await peer.packets(4)
    expect(namespace.calls).toEqual(['accept a', 'accept b', 'accept c'])
    expect(peer.commands).toEqual(['connack', 'puback', 'puback', 'puback'])
    expect(peer.received.slice(1).map(({ messageId }) => messageId)).toEqual([1, 2, 3])
  })

  it('are never served when it is refused', async () => {
    const { kernel, namespace, connect, types } = await make()
    kernel.access.addAuthenticator({ name: 'no', authenticate: async () => 'deny' as const })
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), PUBLISH('a')]))
    await until('the connection is closed', () => peer.ended)
    expect(peer.received).toMatchObject([{ cmd: 'connack', reasonCode: 0x87 }])
    expect(namespace.calls).toEqual([])
    expect(types()).toContain('client.connecting-refused')
  })
})

describe('PUBREL whose identifier cannot be released for good', () => {
  it.each([4, 5] as const)('ends the connection: MQTT %i has no PUBCOMP that says no', async (version) => {
    const { connect, store } = await make()
    const peer = connect(version)
    const expiry = { properties: { sessionExpiryInterval: 100 } }
    const connectPacket = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId: 'me', keepalive: 0 }
    peer.stream.write(generate({ ...connectPacket, clean: version === 5, ...(version === 5 ? expiry : {}) } as Packet))
    const publish = {
      cmd: 'publish',
      topic: 'a',
      payload: 'x',
      qos: 2,
      messageId: 1,
      dup: false,
      retain: false,
    } as const
    peer.stream.write(generate(publish, { protocolVersion: version }))
    await peer.packets(2)
    store.durable = async () => Promise.reject(new EventflowError('STORE_FAILED', 'no'))
    peer.stream.write(generate({ cmd: 'pubrel', messageId: 1 }, { protocolVersion: version }))
    await until('the connection is closed', () => peer.ended)
    expect(peer.commands).toEqual(['connack', 'pubrec', ...(version === 5 ? ['disconnect'] : [])])
  })
})

describe('Aedes', () => {
  it('has a few clients, however many connections there are, and each has its subscriptions decided', async () => {
    const { broker, namespace, connect } = await make()
    const peers = Array.from({ length: 100 }, () => connect())
    for (const [i, peer] of peers.entries()) peer.stream.write(Buffer.concat([CONNECT(5, `c${i}`), SUBSCRIBE(`t${i}`)]))
    for (const peer of peers) await peer.packets(2)
    expect(new Set(namespace.calls)).toEqual(new Set(peers.map((_, i) => `subscribe c${i} t${i}`)))
    await until('there are few', () => broker.openDesks <= 32)
    expect(broker.connections).toBe(100)
    for (const [i, peer] of peers.entries()) peer.stream.write(SUBSCRIBE(`u${i}`, 10))
    for (const peer of peers) expect((await peer.packets(3))[2]).toMatchObject({ cmd: 'suback', messageId: 10 })
  })

  it('goes on when a connection breaks while it has a subscription decided', async () => {
    const { namespace, connect } = await make()
    const [first, second] = [connect(), connect()]
    const granted = deferred<undefined>()
    namespace.onSubscribe = () => granted.promise
    first.stream.write(Buffer.concat([CONNECT(5, 'first'), SUBSCRIBE('a')]))
    await until('SUBSCRIBE is being decided', () => namespace.calls.length > 0)
    first.stream.destroy()
    namespace.onSubscribe = () => undefined
    second.stream.write(Buffer.concat([CONNECT(5, 'second'), SUBSCRIBE('b')]))
    await second.packets(2)
    granted.resolve(undefined)
    second.stream.write(SUBSCRIBE('c', 10))
    expect((await second.packets(3)).map(({ cmd }) => cmd)).toEqual(['connack', 'suback', 'suback'])
  })
})

describe('packets behind a SUBSCRIBE that is being decided', () => {
  it('are held until it is answered, so that a PUBLISH never overtakes it', async () => {
    const { namespace, connect } = await make()
    const granted = deferred<undefined>()
    namespace.onSubscribe = () => granted.promise
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), SUBSCRIBE('a'), PUBLISH('a', 1), SUBSCRIBE('b', 10)]))
    await until('SUBSCRIBE is being decided', () => namespace.calls.length > 0)
    peer.stream.write(PINGREQ)
    await turn()
    expect([namespace.calls, peer.commands]).toEqual([['subscribe me a'], ['connack']])
    granted.resolve(undefined)
    await peer.packets(5)
    expect(namespace.calls).toEqual(['subscribe me a', 'accept a', 'subscribe me b'])
    expect(peer.commands).toEqual(['connack', 'suback', 'puback', 'suback', 'pingresp'])
  })

  it('come after what the namespace does once the client was told', async () => {
    const { namespace, connect } = await make()
    namespace.onSubscribe = () => () => void namespace.calls.push('after')
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), SUBSCRIBE('a'), PUBLISH('a', 1)]))
    await peer.packets(3)
    expect(namespace.calls).toEqual(['subscribe me a', 'after', 'accept a'])
  })
})

describe('a packet in many pieces', () => {
  it('is served when its last byte has come', async () => {
    const { namespace, connect } = await make()
    const peer = connect()
    for (const byte of Buffer.concat([CONNECT(), PUBLISH('a', 1), PUBLISH('b', 1, 2)])) {
      peer.stream.write(Buffer.from([byte]))
      await turn()
    }
    await peer.packets(3)
    expect(namespace.calls).toEqual(['accept a', 'accept b'])
  })
})

describe('a connection that is closed', () => {
  it('serves no packet that comes after DISCONNECT', async () => {
    const { namespace, connect, heard } = await make()
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), PUBLISH('a'), DISCONNECT, PUBLISH('b')]))
    await until('the connection is closed', () => peer.ended)
    peer.stream.write(PUBLISH('c'))
    await turn()
    expect(namespace.calls).toEqual(['accept a'])
    expect(heard.find(({ type }) => type === 'client.disconnected')).toMatchObject({ reason: 'client', reasonCode: 0 })
  })

  it('serves no packet behind one that is malformed, and says why to MQTT 5.0', async () => {
    const { namespace, connect, heard } = await make()
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), PUBLISH('a'), Buffer.from([0x36, 0]), PUBLISH('b')]))
    await until('the connection is closed', () => peer.ended)
    expect(namespace.calls).toEqual(['accept a'])
    expect(peer.received.at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: 0x81 })
    expect(heard.find(({ type }) => type === 'client.error')).toMatchObject({ clientId: 'me', reasonCode: 0x81 })
    expect(heard.filter(({ type }) => type === 'client.disconnected')).toMatchObject([{ reason: 'protocol-error' }])
  })

  it('says nothing to MQTT 3.1.1 [MQTT 3.1.1, 4.8]', async () => {
    const { connect } = await make()
    const peer = connect(4)
    peer.stream.write(Buffer.concat([CONNECT(4), Buffer.from([0x36, 0])]))
    await until('the connection is closed', () => peer.ended)
    expect(peer.commands).toEqual(['connack'])
  })

  it('for a packet that is too large is told 0x95', async () => {
    const { connect } = await make()
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), Buffer.from([0x30, 0xff, 0x7f])]))
    await until('the connection is closed', () => peer.ended)
    expect(peer.received.at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: 0x95 })
  })

  it('without CONNECT first is closed without a word [MQTT-3.1.0-1]', async () => {
    const { broker, namespace, connect, types } = await make()
    const peer = connect()
    peer.stream.write(Buffer.concat([PUBLISH('a'), CONNECT()]))
    await until('the connection is closed', () => peer.ended)
    expect([peer.commands, namespace.calls, broker.connections]).toEqual([[], [], 0])
    expect(types()).not.toContain('client.connected')
  })

  it('by a second CONNECT is a protocol error [MQTT-3.1.0-2]', async () => {
    const { connect } = await make()
    const peer = connect()
    peer.stream.write(Buffer.concat([CONNECT(), CONNECT()]))
    await until('the connection is closed', () => peer.ended)
    expect(peer.received.at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: 0x82 })
  })

  it('by its network is gone once, with its session', async () => {
    const { broker, kernel, connect, heard } = await make()
    const peer = connect()
    peer.stream.write(CONNECT())
    await peer.packets(1)
    peer.stream.end()
    await until('the client is gone', () => broker.connections === 0)
    await turn()
    expect(heard.filter(({ type }) => type === 'client.disconnected')).toMatchObject([{ reason: 'network' }])
    expect(kernel.sessions.size).toBe(0)
  })

  it('by another with the same client identifier is told 0x8e [MQTT-3.1.4-3]', async () => {
    const { broker, kernel, connect, heard } = await make()
    const first = connect()
    first.stream.write(CONNECT())
    await first.packets(1)
    const second = connect()
    second.stream.write(Buffer.concat([CONNECT(), PINGREQ]))
    await second.packets(2)
    await until('the first is closed', () => first.ended)
    expect(first.received.at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: 0x8e })
    expect(second.commands).toEqual(['connack', 'pingresp'])
    expect([broker.connections, kernel.sessions.get('me')!.connected]).toEqual([1, true])
    expect(heard.filter(({ type }) => type === 'client.disconnected')).toMatchObject([{ reason: 'takeover' }])
  })
})

describe('clients with one identifier that are let in in the same turn', () => {
  it.each([2, 3, 10])(
    '%i of them: the last to be let in is left, the others are gone with their sessions',
    async (count) => {
      const { broker, kernel, namespace, connect, types } = await make()
      const decision = deferred<Decision>()
      kernel.access.addAuthenticator({ name: 'slow', authenticate: () => decision.promise })
      const peers = Array.from({ length: count }, () => connect())
      const packet = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'me', clean: false } as const
      for (const peer of peers) peer.stream.write(generate({ ...packet, keepalive: 0, will: WILL }))
      await turn()
      decision.resolve('allow')
      const left = peers.at(-1)!
      await left.packets(1)
      await until('the others are closed', () => broker.connections === 1)
      expect(left.received).toMatchObject([{ cmd: 'connack', sessionPresent: false }])
      const counted = (type: string): number => types().filter((other) => other === type).length
      expect([counted('session.created'), counted('session.expired')]).toEqual([count, count - 1])
      expect([counted('client.connected'), counted('client.disconnected')]).toEqual([1, 0])
      left.stream.end()
      await until('it is gone', () => broker.connections === 0)
      expect([kernel.sessions.size, namespace.calls]).toEqual([0, Array(count).fill('accept will')])
    },
  )
})

describe('a client that has said DISCONNECT', () => {
  it('has no will, whatever else closes its connection in the same moment [MQTT-3.14.4-3]', async () => {
    const { broker, kernel, namespace, connect, heard } = await make()
    const { clients } = kernel
    const change = clients.changeExpiry.bind(clients)
    clients.changeExpiry = (session, seconds) => {
      change(session, seconds)
      queueMicrotask(() => void broker.stop())
    }
    const peer = connect()
    peer.stream.write(LASTING)
    await peer.packets(1)
    const properties = { sessionExpiryInterval: 50 }
    peer.stream.write(generate({ cmd: 'disconnect', reasonCode: 0, properties }, { protocolVersion: 5 }))
    await until('it is gone', () => heard.some(({ type }) => type === 'client.disconnected'))
    expect(namespace.calls).toEqual([])
    expect(heard.find(({ type }) => type === 'client.disconnected')).toMatchObject({ reason: 'client', reasonCode: 0 })
    expect(peer.commands).toEqual(['connack'])
  })
})

describe('a client whose session is being written', () => {
  it('has its CONNACK when it is on disk, not before; what it sent meanwhile is served after', async () => {
    const disk = deferred<void>()
    const { namespace, connect, kernel } = await make(() => disk.promise)
    const peer = connect()
    peer.stream.write(Buffer.concat([LASTING, PUBLISH('a')]))
    await until('the session is open', () => kernel.sessions.size === 1)
    await turn()
    expect([peer.commands, namespace.calls]).toEqual([[], []])
    disk.resolve()
    await peer.packets(1)
    await until('its message is served', () => namespace.calls.length === 1)
    expect(peer.commands).toEqual(['connack'])
  })

  it('waits for nothing when nothing of it is kept', async () => {
    const { connect } = await make(() => new Promise(() => {}))
    const peer = connect()
    peer.stream.write(CONNECT())
    await peer.packets(1)
    expect(peer.commands).toEqual(['connack'])
  })

  it('is refused with 0x88 when it cannot be written, and is not told of', async () => {
    const { namespace, connect, kernel, types } = await make(() => Promise.reject(new Error('the disk is full')))
    const peer = connect()
    peer.stream.write(LASTING)
    await until('the connection is closed', () => peer.ended)
    expect(peer.received).toMatchObject([{ cmd: 'connack', reasonCode: 0x88 }])
    expect(namespace.calls).toEqual([])
    expect(types()).not.toContain('client.disconnected')
    expect(kernel.sessions.get('me')).toMatchObject({ connected: false, will: null })
  })

  it('and who is taken over meanwhile leaves its session, and its will, and is not told of', async () => {
    const first = deferred<void>()
    let asked = 0
    const { namespace, connect, kernel, types } = await make(() => (asked++ === 0 ? first.promise : Promise.resolve()))
    const [older, newer] = [connect(), connect()]
    older.stream.write(LASTING)
    await until('the session is open', () => asked === 1)
    newer.stream.write(LASTING)
    await newer.packets(1)
    expect(newer.received).toMatchObject([{ cmd: 'connack', sessionPresent: true }])
    first.resolve()
    await until('the older one is closed', () => older.ended)
    await turn()
    expect([older.commands, namespace.calls]).toEqual([[], ['accept will']])
    expect(types()).not.toContain('client.disconnected')
    expect(kernel.sessions.get('me')!.connected).toBe(true)
  })

  it('and who is given up meanwhile leaves its session, without a will', async () => {
    const { broker, namespace, connect, kernel, clock } = await make(() => new Promise(() => {}))
    const peer = connect()
    peer.stream.write(LASTING)
    await until('the session is open', () => kernel.sessions.size === 1)
    clock.advance(10_001)
    await until('nobody is left', () => broker.connections === 0)
    expect(peer.received).toMatchObject([{ cmd: 'connack', reasonCode: 0x89 }])
    expect(namespace.calls).toEqual([])
    expect(kernel.sessions.get('me')).toMatchObject({ connected: false, will: null, disconnectedAt: clock.now() })
  })
})

describe('a client that does not read', () => {
  it('is sent away when it asks for too many answers, and its will is published', async () => {
    const { namespace, connect, heard } = await make()
    const peer = connect()
    const connect5 = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'me', clean: true } as const
    peer.stream.write(generate({ ...connect5, keepalive: 0, will: WILL }))
    await peer.packets(1)
    peer.stream.pause()
    const release = generate({ cmd: 'pubrel', messageId: 1 }, { protocolVersion: 5 })
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => release))
    const gone = (): boolean => heard.some(({ type }) => type === 'client.disconnected')
    for (let i = 0; i < 100 && !gone(); i++) {
      peer.stream.write(many)
      await turn()
    }
    await until('it is sent away', gone)
    expect(heard.find(({ type }) => type === 'client.disconnected')).toMatchObject({ reason: 'slow', reasonCode: 0x97 })
    expect(namespace.calls).toEqual(['accept will'])
  })
})

describe('a client that has closed its side', () => {
  it('is served first what it sent before, also what was held', async () => {
    const { kernel, namespace, connect, heard } = await make()
    const decision = deferred<Decision>()
    kernel.access.addAuthenticator({ name: 'slow', authenticate: () => decision.promise })
    const peer = connect()
    peer.stream.end(Buffer.concat([CONNECT(), PUBLISH('a'), SUBSCRIBE('s'), PUBLISH('b'), DISCONNECT]))
    await turn()
    expect(peer.ended).toBe(false)
    decision.resolve('allow')
    await until('the connection is closed', () => peer.ended)
    expect(namespace.calls.slice(0, 3)).toEqual(['accept a', 'subscribe me s', 'accept b'])
    expect(peer.commands).toEqual(['connack', 'suback'])
    expect(heard.find(({ type }) => type === 'client.disconnected')).toMatchObject({ reason: 'client' })
  })

  it('without DISCONNECT is gone by network once it is served', async () => {
    const { namespace, connect, heard } = await make()
    const peer = connect()
    peer.stream.end(Buffer.concat([CONNECT(), PUBLISH('a')]))
    await until('the connection is closed', () => peer.ended)
    expect(namespace.calls[0]).toBe('accept a')
    expect(heard.find(({ type }) => type === 'client.disconnected')).toMatchObject({ reason: 'network' })
  })
})

describe('a client whose messages wait to be safe', () => {
  const flood = async (version: 4 | 5, count: number, accepted: number) => {
    const { namespace, connect } = await make()
    const safe = deferred<void>()
    namespace.onAccept = () => safe.promise
    const peer = connect(version)
    peer.stream.write(CONNECT(version))
    await peer.packets(1)
    const all = Array.from({ length: count }, (_, i) => PUBLISH('a', 1, i + 1, version))
    peer.stream.write(Buffer.concat(all))
    await until('messages are accepted', () => namespace.calls.length >= accepted)
    await turn()
    expect([namespace.calls.length, peer.commands]).toEqual([accepted, ['connack']])
    namespace.onAccept = () => {}
    safe.resolve()
    await peer.packets(count + 1)
    expect(peer.received.slice(1).map(({ messageId }) => messageId)).toEqual(all.map((_, i) => i + 1))
  }

  it('is read no further when there are too many, and served on when they are', () => flood(4, 5_000, 4_096))

  it('is on MQTT 5.0 read no further than its Receive Maximum', () => flood(5, 500, 10))
})
