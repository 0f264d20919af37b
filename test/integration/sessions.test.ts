/** Sessions: what the broker keeps for a client that is away, and how it goes on when the client is back. */

import type { IConnectPacket, IPublishPacket, QoS } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { type Credentials, definePlugin } from '../../src/plugin.ts'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

/** CONNECT for a session that outlives its connection. */
function lasting(version: 4 | 5, more: Partial<IConnectPacket> = {}): Partial<IConnectPacket> {
  return {
    protocolVersion: version,
    clientId: 'durable',
    clean: false,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 1000 } } : {}),
    ...more,
  }
}

async function subscribe(client: RawClient, topic: string, qos: QoS): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  await client.next('suback')
}

async function leave(client: RawClient): Promise<void> {
  client.send({ cmd: 'disconnect' })
  await client.end()
}

async function publish(port: number, topic: string, payloads: string[], qos: 0 | 1 | 2): Promise<void> {
  const client = await connectClient(port)
  await Promise.all(payloads.map((payload) => client.mqtt.publishAsync(topic, payload, { qos })))
  await client.mqtt.endAsync()
}

/** A packet on the wire that is PUBLISH, as text: payload, packet identifier, DUP. */
function told({ payload, messageId, dup }: IPublishPacket): string {
  return `${payload} ${messageId}${dup ? ' dup' : ''}`
}

const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => String(from + i))

describeWithMosquitto('mosquitto_sub -c', () => {
  describe.each(VERSIONS)('on MQTT $name', ({ words }) => {
    it.each([1, 2])('gets at QoS %i what it missed while it was away, in order', async (qos) => {
      const { port } = await startBroker()
      const options = [...words, '-c', '-i', 'away', '-q', String(qos), '-t', 'missed/#', '-F', '%q %p']
      await (await sub(port, ...options, '-E')).ended()
      for (const payload of ['one', 'two', 'three']) {
        await pub(port, ...words, '-q', String(qos), '-t', 'missed/t', '-m', payload)
      }
      const back = await sub(port, ...options)
      expect(await back.messages(3)).toEqual([`${qos} one`, `${qos} two`, `${qos} three`])
    })

    it('gets nothing of what it missed without -c', async () => {
      const { port } = await startBroker()
      const options = [...words, '-i', 'forgetful', '-q', '1', '-t', 't', '-F', '%p']
      await (await sub(port, ...options, '-E')).ended()
      await pub(port, ...words, '-q', '1', '-t', 't', '-m', 'missed')
      const back = await sub(port, ...options)
      await pub(port, ...words, '-q', '1', '-t', 't', '-m', 'live')
      expect(await back.messages(1)).toEqual(['live'])
    })

    it('gets it after kill -9 of the broker, too', async () => {
      const folder = await temporaryFolder()
      const first = await startProcess(folder)
      const options = [...words, '-c', '-i', 'away', '-q', '2', '-t', 'missed/#', '-F', '%q %p']
      await (await sub(first.port, ...options, '-E')).ended()
      for (const qos of ['1', '2']) {
        for (const payload of ['one', 'two', 'three']) {
          expect(await pub(first.port, ...words, '-q', qos, '-t', 'missed/t', '-m', payload)).toMatchObject({ code: 0 })
        }
      }
      await first.end('SIGKILL')
      const second = await startProcess(folder)
      const back = await sub(second.port, ...options)
      const received = await back.messages(6)
      // mosquitto_sub shows a QoS 2 message when its exchange is complete, so later than a QoS 1 message after it.
      expect(received.filter((line) => line.startsWith('1'))).toEqual(['1 one', '1 two', '1 three'])
      expect(received.filter((line) => line.startsWith('2'))).toEqual(['2 one', '2 two', '2 three'])
    })
  })
})

describe.each(VERSIONS)('sessionPresent on MQTT $name', ({ version }) => {
  const back = async (port: number, more: Partial<IConnectPacket> = {}): Promise<boolean> => {
    const client = await connectRaw(port, lasting(version, more))
    await leave(client)
    return client.connack.sessionPresent
  }

  it('is false for a new session, and true whenever it existed, with or without subscriptions', async () => {
    const { port } = await startBroker()
    expect(await back(port)).toBe(false)
    expect(await back(port)).toBe(true)
    const client = await connectRaw(port, lasting(version))
    await subscribe(client, 't', 1)
    await leave(client)
    expect(await back(port)).toBe(true)
  })

  it('is false for a clean start, which ends the session that there was, with what waits in it', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, lasting(version))
    await subscribe(client, 't', 1)
    await leave(client)
    await publish(port, 't', ['missed'], 1)
    expect(await back(port, { clean: true, properties: {} })).toBe(false)
    const again = await connectRaw(port, lasting(version))
    expect(again.connack.sessionPresent).toBe(false)
    await publish(port, 't', ['unsubscribed'], 1)
    await again.settled()
    expect(again.received).toEqual([])
  })

  it('is true after a restart of the broker, with or without subscriptions', async () => {
    const config = { store: { kind: 'level' as const, path: await temporaryFolder() } }
    const before = await startBroker(config)
    await leave(await connectRaw(before.port, lasting(version, { clientId: 'bare' })))
    const client = await connectRaw(before.port, lasting(version))
    await subscribe(client, 't', 1)
    await before.stop()
    const { port } = await startBroker(config)
    expect(await back(port, { clientId: 'bare' })).toBe(true)
    expect(await back(port)).toBe(true)
    expect(await back(port, { clientId: 'unknown' })).toBe(false)
  })

  it('is true after kill -9 while the client was connected, and its subscription is in force', async () => {
    const folder = await temporaryFolder()
    const first = await startProcess(folder)
    await subscribe(await connectRaw(first.port, lasting(version)), 't', 1)
    await first.end('SIGKILL')
    const { port } = await startProcess(folder)
    await publish(port, 't', ['while away'], 1)
    const client = await connectRaw(port, lasting(version))
    expect(client.connack.sessionPresent).toBe(true)
    expect((await client.next('publish')).payload.toString()).toBe('while away')
  })
})

describe.each(VERSIONS)('a session on MQTT $name', ({ version }) => {
  it('keeps hundreds of messages, and delivers them in order before new ones', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, lasting(version))
    await subscribe(client, 't', 2)
    await leave(client)
    await publish(port, 't', numbers(500), 2)
    const back = await connectClient(port, {
      clientId: 'durable',
      clean: false,
      protocolVersion: version,
      properties: version === 5 ? { sessionExpiryInterval: 1000 } : {},
    })
    // At QoS 2 too: the mqtt package shows such a message when it is released, so one at QoS 1 may overtake it there.
    await publish(port, 't', numbers(100, 500), 2)
    expect(await back.messages(600)).toEqual(numbers(600))
  })

  it('does not keep QoS 0 messages for a client that is away', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, lasting(version))
    await subscribe(client, 'at/1', 1)
    await subscribe(client, 'at/0', 0)
    await leave(client)
    await publish(port, 'at/1', ['published at 0'], 0)
    await publish(port, 'at/0', ['subscribed at 0'], 1)
    await publish(port, 'at/1', ['kept'], 1)
    const back = await connectRaw(port, lasting(version))
    expect((await back.next('publish')).payload.toString()).toBe('kept')
    await back.settled()
    expect(back.received).toEqual([])
  })

  it('of a client that was not gone for good loses nothing when the connection breaks', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'client.disconnected')
    const client = await connectRaw(broker.port, lasting(version))
    await subscribe(client, 't', 1)
    await publish(broker.port, 't', ['sent, not acknowledged'], 1)
    await client.next('publish')
    client.socket.resetAndDestroy()
    await events.find('client.disconnected', { clientId: 'durable', reason: 'network' })
    await publish(broker.port, 't', ['missed'], 1)
    const back = await connectRaw(broker.port, lasting(version))
    const received = [await back.next('publish'), await back.next('publish')]
    expect(received.map(({ payload }) => payload.toString())).toEqual(['sent, not acknowledged', 'missed'])
  })

  it('ends with its connection when it is clean', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'session.expired', 'subscription.removed')
    const client = await connectRaw(broker.port, { protocolVersion: version, clientId: 'brief', clean: true })
    await subscribe(client, 't', 1)
    await leave(client)
    await events.find('session.expired', { clientId: 'brief' })
    await events.find('subscription.removed', { clientId: 'brief', filter: 't' })
    const again = await connectRaw(broker.port, { protocolVersion: version, clientId: 'brief', clean: false })
    expect(again.connack.sessionPresent).toBe(false)
  })

  it('forgets a subscription that was given up, across a restart', async () => {
    const config = { store: { kind: 'level' as const, path: await temporaryFolder() } }
    const before = await startBroker(config)
    const client = await connectRaw(before.port, lasting(version))
    await subscribe(client, 'left', 1)
    await subscribe(client, 'kept', 1)
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['left'] })
    await client.next('unsuback')
    await before.stop()
    const { port } = await startBroker(config)
    await publish(port, 'left', ['no'], 1)
    await publish(port, 'kept', ['yes'], 1)
    const back = await connectRaw(port, lasting(version))
    expect((await back.next('publish')).payload.toString()).toBe('yes')
    await back.settled()
    expect(back.received).toEqual([])
  })
})

describe('subscriptions of a session on MQTT 5.0', () => {
  it('are as they were after a restart: no local, retain as published, identifier; nothing retained is sent again', async () => {
    const config = { store: { kind: 'level' as const, path: await temporaryFolder() } }
    const before = await startBroker(config)
    const client = await connectRaw(before.port, lasting(5))
    const subscriptions = [{ topic: 't', qos: 1 as const, nl: true, rap: true, rh: 0 }]
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions, properties: { subscriptionIdentifier: 42 } })
    client.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'plain', qos: 1, nl: false, rap: false }] })
    await client.next('suback')
    await client.next('suback')
    await before.stop()

    const { port } = await startBroker(config)
    const message = { cmd: 'publish', qos: 1, dup: false, retain: true } as const
    const other = await connectRaw(port)
    other.send({ ...message, topic: 't', payload: 'kept', messageId: 1 })
    await other.next('puback')
    const back = await connectRaw(port, lasting(5))
    back.send({ ...message, topic: 't', payload: 'own', messageId: 1 })
    back.send({ ...message, topic: 'plain', payload: 'own', messageId: 2 })
    await back.next('puback')
    await back.next('puback')
    await back.settled()
    expect(back.received).toMatchObject([
      { topic: 't', payload: Buffer.from('kept'), retain: true, properties: { subscriptionIdentifier: 42 } },
      { topic: 'plain', payload: Buffer.from('own'), retain: false },
    ])
    expect(back.received.at(-1)).not.toHaveProperty('properties.subscriptionIdentifier')
  })
})

describe.each(VERSIONS)('resumption on MQTT $name', ({ version }) => {
  it('sends what was not acknowledged again: DUP, the same packet identifiers, the same order, before the rest', async () => {
    const { port } = await startBroker({ session: { maxInflight: 3 } })
    const client = await connectRaw(port, lasting(version))
    await subscribe(client, 't', 2)
    await publish(port, 't', numbers(6), 1)
    const first = [await client.next('publish'), await client.next('publish'), await client.next('publish')]
    expect(first.map(told)).toEqual(['0 1', '1 2', '2 3'])
    client.send({ cmd: 'puback', messageId: first[1]!.messageId! })
    expect(told(await client.next('publish'))).toBe('3 4')
    client.socket.destroy()

    const back = await connectRaw(port, lasting(version))
    const again = [await back.next('publish'), await back.next('publish'), await back.next('publish')]
    expect(again.map(told)).toEqual(['0 1 dup', '2 3 dup', '3 4 dup'])
    for (const { messageId } of again) back.send({ cmd: 'puback', messageId: messageId! })
    const rest = [await back.next('publish'), await back.next('publish')]
    expect(rest.map(told)).toEqual(['4 5', '5 6'])
  })

  it('sends PUBREL again where it was the turn of PUBREL', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, lasting(version))
    await subscribe(client, 't', 2)
    await publish(port, 't', ['to be received', 'received'], 2)
    await client.next('publish')
    const { messageId } = await client.next('publish')
    client.send({ cmd: 'pubrec', messageId: messageId! })
    await client.next('pubrel')
    client.socket.destroy()

    const back = await connectRaw(port, lasting(version))
    await back.settled()
    expect(back.received.map(({ cmd }) => cmd)).toEqual(['publish', 'pubrel'])
    expect(told(await back.next('publish'))).toBe('to be received 1 dup')
    expect(await back.next('pubrel')).toMatchObject({ messageId })
    back.send({ cmd: 'pubcomp', messageId: messageId! })
    await back.settled()
    await leave(back)
    const once = await connectRaw(port, lasting(version))
    await once.settled()
    expect(once.received.map(({ cmd }) => cmd)).toEqual(['publish'])
  })

  it('does so after kill -9 of the broker as well', async () => {
    const folder = await temporaryFolder()
    const first = await startProcess(folder)
    const client = await connectRaw(first.port, lasting(version))
    await subscribe(client, 't', 2)
    await publish(first.port, 't', ['a', 'b', 'c'], 2)
    for (let i = 0; i < 3; i++) await client.next('publish')
    client.send({ cmd: 'pubrec', messageId: 2 })
    await client.next('pubrel')
    // What came after is on disk, so what came before is.
    await publish(first.port, 't', ['d'], 1)
    await first.end('SIGKILL')

    const { port } = await startProcess(folder)
    const back = await connectRaw(port, lasting(version))
    await back.settled()
    expect(back.received.map((packet) => (packet.cmd === 'publish' ? told(packet) : packet.cmd))).toEqual([
      'a 1 dup',
      'pubrel',
      'c 3 dup',
      'd 4 dup',
    ])
  })

  it('never gives out a packet identifier that is in use', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, lasting(version))
    await subscribe(client, 't', 1)
    await publish(port, 't', ['kept back'], 1)
    const { messageId: inUse } = await client.next('publish')
    const inFlight = new Set([inUse])
    const writer = await connectClient(port)
    for (let i = 0; i < 300; i++) {
      await writer.mqtt.publishAsync('t', 'x', { qos: 1 })
      const { messageId } = await client.next('publish')
      expect(inFlight.has(messageId)).toBe(false)
      inFlight.add(messageId)
      if (i % 50 === 0) continue
      client.send({ cmd: 'puback', messageId: messageId! })
      inFlight.delete(messageId)
    }
  })
})

describe.each(VERSIONS)('QoS 2 from a client on MQTT $name', ({ version }) => {
  const message = (messageId: number, payload: string, dup = false) =>
    ({ cmd: 'publish', topic: 't', payload, qos: 2, messageId, dup, retain: false }) as const

  it('a PUBLISH that is repeated before PUBREL is delivered once', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('t', { qos: 2 })
    const client = await connectRaw(port, { protocolVersion: version })
    for (const dup of [false, true, true]) {
      client.send(message(7, 'once', dup))
      expect(await client.next('pubrec')).toMatchObject({ messageId: 7 })
    }
    client.send({ cmd: 'pubrel', messageId: 7 })
    expect(await client.next('pubcomp')).toMatchObject({ messageId: 7 })
    client.send(message(7, 'a new message under a free identifier'))
    expect(await reader.messages(2)).toEqual(['once', 'a new message under a free identifier'])
  })

  it('a PUBREL that is repeated is answered each time', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: version })
    client.send(message(3, 'x'))
    await client.next('pubrec')
    for (let i = 0; i < 2; i++) {
      client.send({ cmd: 'pubrel', messageId: 3 })
      expect(await client.next('pubcomp')).toMatchObject({ messageId: 3 })
    }
  })

  it('one that is repeated after a new connection is delivered once', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('t', { qos: 2 })
    const client = await connectRaw(port, lasting(version))
    client.send(message(7, 'once'))
    await client.next('pubrec')
    client.socket.destroy()
    const back = await connectRaw(port, lasting(version))
    back.send(message(7, 'once', true))
    await back.next('pubrec')
    back.send({ cmd: 'pubrel', messageId: 7 })
    await back.next('pubcomp')
    back.send(message(7, 'next'))
    expect(await reader.messages(2)).toEqual(['once', 'next'])
  })

  it('one that is repeated after kill -9 of the broker is delivered once', async () => {
    const folder = await temporaryFolder()
    const first = await startProcess(folder)
    const reader = await connectRaw(first.port, lasting(version, { clientId: 'reader' }))
    await subscribe(reader, 't', 1)
    const client = await connectRaw(first.port, lasting(version))
    client.send(message(7, 'once'))
    await client.next('pubrec')
    await first.end('SIGKILL')

    const { port } = await startProcess(folder)
    const back = await connectRaw(port, lasting(version))
    back.send(message(7, 'once', true))
    await back.next('pubrec')
    back.send({ cmd: 'pubrel', messageId: 7 })
    await back.next('pubcomp')
    const readerBack = await connectRaw(port, lasting(version, { clientId: 'reader' }))
    await readerBack.settled()
    expect(readerBack.received).toMatchObject([{ cmd: 'publish', payload: Buffer.from('once') }])
  })

  it('in a new session the identifier is free', async () => {
    const { port } = await startBroker()
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('t', { qos: 1 })
    for (const payload of ['first', 'second']) {
      const client = await connectRaw(port, { protocolVersion: version, clientId: 'clean', clean: true })
      client.send(message(7, payload))
      await client.next('pubrec')
      client.socket.destroy()
    }
    expect(await reader.messages(2)).toEqual(['first', 'second'])
  })
})

describe.each(VERSIONS)('takeover on MQTT $name', ({ version }) => {
  it('closes the older connection, and tells it why where the protocol can', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'client.disconnected', 'session.taken-over')
    const older = await connectRaw(broker.port, lasting(version))
    const newer = await connectRaw(broker.port, lasting(version))
    expect(newer.connack.sessionPresent).toBe(true)
    if (version === 5) expect(await older.next('disconnect')).toMatchObject({ reasonCode: 0x8e })
    await older.end()
    await newer.settled()
    expect(events.of('client.disconnected')).toMatchObject([{ clientId: 'durable', reason: 'takeover' }])
    expect(events.of('session.taken-over')).toEqual([{ clientId: 'durable' }])
  })

  it('loses nothing: what the older one had not acknowledged goes to the newer one', async () => {
    const { port } = await startBroker()
    const older = await connectRaw(port, lasting(version))
    await subscribe(older, 't', 1)
    await publish(port, 't', numbers(10), 1)
    for (let i = 0; i < 10; i++) await older.next('publish')
    older.send({ cmd: 'puback', messageId: 1 })
    await older.settled()
    const newer = await connectRaw(port, lasting(version))
    await publish(port, 't', ['10'], 1)
    await newer.settled()
    const payloads = newer.received.map((packet) => (packet.cmd === 'publish' ? packet.payload.toString() : packet.cmd))
    expect(payloads).toEqual(numbers(10, 1))
  })

  it('while the older one waits for an answer leaves the newer one with the session', async () => {
    let decide = (): void => {}
    const decided = new Promise<void>((resolve) => {
      decide = resolve
    })
    const slow = definePlugin({
      name: 'slow',
      setup: ({ namespace }) => {
        namespace('slow/', { accept() {}, subscribe: () => decided.then(() => undefined), unsubscribe() {} })
        return undefined
      },
    })
    const broker = await startBroker({}, { plugins: [slow] })
    const older = await connectRaw(broker.port, lasting(version))
    await subscribe(older, 't', 1)
    older.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'slow/x', qos: 1 }] })
    older.send({ cmd: 'publish', topic: 't', payload: 'held', qos: 0, dup: false, retain: false })
    const newer = await connectRaw(broker.port, lasting(version))
    expect(newer.connack.sessionPresent).toBe(true)
    await older.end()
    decide()
    await publish(broker.port, 't', ['x'], 1)
    await newer.settled()
    expect(newer.received.map((packet) => (packet.cmd === 'publish' ? told(packet) : packet.cmd))).toEqual(['x 1'])
  })

  it('of a clean session begins a new one', async () => {
    const { port } = await startBroker()
    const older = await connectRaw(port, { protocolVersion: version, clientId: 'same', clean: true })
    await subscribe(older, 't', 1)
    const newer = await connectRaw(port, { protocolVersion: version, clientId: 'same', clean: true })
    await older.end()
    await publish(port, 't', ['x'], 1)
    await newer.settled()
    expect(newer.received).toEqual([])
  })

  it('while a publisher is publishing loses no message and keeps the order', async () => {
    const { port } = await startBroker()
    const options = lasting(version)
    const first = await connectRaw(port, options)
    await subscribe(first, 't', 1)
    const writer = await connectClient(port)
    const published = Promise.all(numbers(1000).map((payload) => writer.mqtt.publishAsync('t', payload, { qos: 1 })))
    const clients = [first]
    for (let i = 0; i < 10; i++) clients.push(await connectRaw(port, options))
    const last = await connectClient(port, {
      clientId: 'durable',
      clean: false,
      protocolVersion: version,
      properties: version === 5 ? { sessionExpiryInterval: 1000 } : {},
    })
    await published
    await until('the last message is there', () => last.payloads.includes('999'))
    expect([...new Set(last.payloads)]).toEqual(numbers(1000))
  })

  it('is not for a connection that was given up before it was let in', async () => {
    let letIn = (): void => {}
    const slow = new Promise<void>((resolve) => {
      letIn = resolve
    })
    const decided: Array<Promise<void>> = []
    const doorkeeper = definePlugin({
      name: 'doorkeeper',
      setup: ({ authenticator }) => {
        const authenticate = async ({ username }: Credentials): Promise<'allow'> => {
          if (username !== 'slow') return 'allow'
          decided.push(slow)
          await slow
          return 'allow'
        }
        authenticator({ name: 'doorkeeper', authenticate })
        return undefined
      },
    })
    const broker = await startBroker({ mqtt: { connectTimeout: 300 } }, { plugins: [doorkeeper] })
    const client = await connectRaw(broker.port, lasting(version))
    const late = await openRaw(broker.port, version)
    late.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId: 'durable',
      clean: true,
      keepalive: 0,
      username: 'slow',
    })
    await late.end()
    expect(decided).toHaveLength(1)
    letIn()
    await client.settled()
    await subscribe(client, 't', 1)
    await publish(broker.port, 't', ['still here'], 1)
    expect((await client.next('publish')).payload.toString()).toBe('still here')
  })

  it.each(['at once', 'in a crowd of twenty'])('racing connections, %s, leave exactly one connected', async (how) => {
    const broker = await startBroker()
    const events = listenTo(broker, 'client.connected', 'client.disconnected')
    const count = how === 'at once' ? 2 : 20
    const clients = await Promise.all(Array.from({ length: count }, () => openRaw(broker.port, version)))
    for (const client of clients) {
      client.send({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: version,
        clientId: 'racer',
        clean: true,
        keepalive: 0,
      })
    }
    await until('all but one are closed', () => clients.filter(({ closed }) => !closed).length === 1)
    const left = clients.find(({ closed }) => !closed)!
    await left.next('connack')
    await left.settled()
    expect(events.of('client.connected').length - events.of('client.disconnected').length).toBe(1)
    const writer = await connectClient(broker.port)
    await subscribe(left, 't', 1)
    await writer.mqtt.publishAsync('t', 'x', { qos: 1 })
    await left.next('publish')
  })
})

describe('a client that changes its version of MQTT', () => {
  it('goes on with its session: each version has of it what it knows', async () => {
    const { port } = await startBroker()
    const newer = await connectRaw(port, lasting(5))
    const properties = { subscriptionIdentifier: 7 }
    newer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }], properties })
    await newer.next('suback')
    await leave(newer)
    await publish(port, 't', ['a', 'b'], 1)
    const older = await connectRaw(port, lasting(4))
    expect(older.connack.sessionPresent).toBe(true)
    const first = await older.next('publish')
    const second = await older.next('publish')
    expect([told(first), told(second)]).toEqual([`a ${first.messageId}`, `b ${second.messageId}`])
    older.send({ cmd: 'puback', messageId: first.messageId! })
    await older.settled()
    older.socket.destroy()
    const { clientId } = lasting(5)
    const back = await connectRaw(port, { protocolVersion: 5, clientId: clientId!, clean: false })
    expect(back.connack.sessionPresent).toBe(true)
    const again = await back.next('publish')
    expect(told(again)).toBe(`b ${second.messageId} dup`)
    expect(again.properties).toMatchObject({ subscriptionIdentifier: 7 })
    // On 5.0 without an expiry interval it ends with this connection.
    await leave(back)
    expect((await connectRaw(port, lasting(4))).connack.sessionPresent).toBe(false)
  })
})

describe('session expiry on MQTT 5.0', () => {
  it('ends the session when its time is up', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'session.expired', 'subscription.removed')
    const options = lasting(5, { properties: { sessionExpiryInterval: 1 } })
    const client = await connectRaw(broker.port, options)
    await subscribe(client, 't', 1)
    const before = Date.now()
    await leave(client)
    await events.find('session.expired', { clientId: 'durable' })
    expect(Date.now() - before).toBeGreaterThanOrEqual(990)
    expect(events.of('subscription.removed')).toEqual([{ clientId: 'durable', filter: 't', reason: 'session-ended' }])
    expect((await connectRaw(broker.port, options)).connack.sessionPresent).toBe(false)
  })

  it('ends it at once when it is 0 or absent, clean start or not', async () => {
    const { port } = await startBroker()
    for (const properties of [{ sessionExpiryInterval: 0 }, {}]) {
      const client = await connectRaw(port, lasting(5, { properties }))
      expect(client.connack.sessionPresent).toBe(false)
      await leave(client)
    }
  })

  it('keeps a session that was begun with a clean start', async () => {
    const { port } = await startBroker()
    await leave(await connectRaw(port, lasting(5, { clean: true })))
    expect((await connectRaw(port, lasting(5))).connack.sessionPresent).toBe(true)
  })

  it('of 0 in a connection that resumes a session ends it with that connection', async () => {
    const { port } = await startBroker()
    const first = await connectRaw(port, lasting(5))
    await subscribe(first, 't', 1)
    await leave(first)
    await publish(port, 't', ['missed'], 1)
    const last = await connectRaw(port, lasting(5, { properties: {} }))
    expect(last.connack.sessionPresent).toBe(true)
    expect((await last.next('publish')).payload.toString()).toBe('missed')
    await leave(last)
    expect((await connectRaw(port, lasting(5))).connack.sessionPresent).toBe(false)
  })

  it('can be changed with DISCONNECT: to nothing', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, lasting(5))
    client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await client.end()
    expect((await connectRaw(port, lasting(5))).connack.sessionPresent).toBe(false)
  })

  it('can be changed with DISCONNECT: to longer', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'session.expired')
    const brief = { sessionExpiryInterval: 1 }
    const client = await connectRaw(broker.port, lasting(5, { properties: brief }))
    const witness = await connectRaw(broker.port, lasting(5, { clientId: 'witness', properties: brief }))
    client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 1000 } })
    await client.end()
    await leave(witness)
    await events.find('session.expired', { clientId: 'witness' })
    expect((await connectRaw(broker.port, lasting(5))).connack.sessionPresent).toBe(true)
  })

  it('cannot be given with DISCONNECT to a session that has none: that is a protocol error', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5, clientId: 'brief', clean: true })
    client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 10 } })
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
    await client.end()
  })

  it('is told in CONNACK when the broker allows less than was asked for', async () => {
    const { port } = await startBroker({ session: { maxExpiry: '60s' } })
    const client = await connectRaw(port, lasting(5))
    expect(client.connack.properties).toMatchObject({ sessionExpiryInterval: 60 })
    const modest = await connectRaw(port, lasting(5, { clientId: 'modest', properties: { sessionExpiryInterval: 30 } }))
    expect(modest.connack.properties?.sessionExpiryInterval).toBeUndefined()
  })

  it('goes on over a restart of the broker', async () => {
    const config = { store: { kind: 'level' as const, path: await temporaryFolder() } }
    const before = await startBroker(config)
    const brief = lasting(5, { properties: { sessionExpiryInterval: 1 } })
    await leave(await connectRaw(before.port, brief))
    await leave(await connectRaw(before.port, lasting(5, { clientId: 'long' })))
    await before.stop()
    const due = Date.now() + 1000
    await until('its second is over', () => Date.now() > due)
    const after = await startBroker(config)
    expect((await connectRaw(after.port, lasting(5, { clientId: 'long' }))).connack.sessionPresent).toBe(true)
    expect((await connectRaw(after.port, brief)).connack.sessionPresent).toBe(false)
  })
})

describe('message expiry on MQTT 5.0', () => {
  it('a message whose time is up while it waits is not delivered; the rest of the time is told with one that is', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'message.expired')
    const client = await connectRaw(broker.port, lasting(5))
    await subscribe(client, 't', 1)
    await leave(client)
    const writer = await connectClient(broker.port, { protocolVersion: 5 })
    const send = (payload: string, seconds: number) =>
      writer.mqtt.publishAsync('t', payload, { qos: 1, properties: { messageExpiryInterval: seconds } })
    await send('brief', 1)
    await send('long', 100)
    await send('brief too', 1)
    const due = Date.now() + 1100
    await until('their second is over', () => Date.now() > due)
    const back = await connectRaw(broker.port, lasting(5))
    await back.settled()
    const { payload, properties } = await back.next('publish')
    expect(payload.toString()).toBe('long')
    expect(properties?.messageExpiryInterval).toBeLessThanOrEqual(99)
    expect(properties?.messageExpiryInterval).toBeGreaterThan(80)
    expect(back.received).toEqual([])
    expect(events.of('message.expired')).toHaveLength(2)
  })
})
