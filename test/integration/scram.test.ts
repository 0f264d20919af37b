/** Enhanced authentication of MQTT 5.0 with SCRAM-SHA-256: coming in, and once more on a connection that stands. */

import type { IAuthPacket, IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import type { AuthenticationMethod } from '../../src/plugin.ts'
import { definePlugin, Refusal } from '../../src/plugin.ts'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { packet } from '../helpers/packets.ts'
import { scramFile } from '../helpers/passwords.ts'
import { openRaw, type RawClient } from '../helpers/raw-client.ts'
import { ScramClient } from '../helpers/scram.ts'
import { until } from '../helpers/until.ts'

const METHOD = 'SCRAM-SHA-256'

async function startWithScram(more: object = {}, listener: object = {}) {
  const users = await scramFile({ alice: 'correct horse' })
  const rules = [{ allow: ['publish' as const, 'subscribe' as const], user: 'alice', topics: ['#'] }]
  return startBroker({ access: { scramFile: users, rules, ...more }, listeners: { tcp: { port: 0, ...listener } } })
}

function properties(data: string | null, authenticationMethod = METHOD) {
  return { authenticationMethod, ...(data !== null && { authenticationData: Buffer.from(data) }) }
}

function connect(client: RawClient, data: string | null, more: Partial<IConnectPacket> = {}): void {
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'c', clean: true } as const
  client.send({ ...connect, keepalive: 0, ...more, properties: { ...properties(data), ...more.properties } })
}

function auth(client: RawClient, reasonCode: number, data: string | null, method = METHOD): void {
  client.send({ cmd: 'auth', reasonCode, properties: properties(data, method) } as IAuthPacket)
}

async function challengeOf(client: RawClient): Promise<string> {
  const { reasonCode, properties: said } = await client.next('auth')
  expect(reasonCode).toBe(0x18)
  expect(said!.authenticationMethod).toBe(METHOD)
  return said!.authenticationData!.toString()
}

async function comeIn(port: number, password = 'correct horse', more: Partial<IConnectPacket> = {}) {
  const client = await openRaw(port, 5)
  const scram = new ScramClient('alice', password)
  connect(client, scram.first, more)
  auth(client, 0x18, scram.final(await challengeOf(client)))
  return { client, scram, connack: await client.next('connack') }
}

describe('a client that proves who it is by SCRAM', () => {
  it('[MQTT-4.12.0-2, MQTT-4.12.0-5] comes in, and knows that the broker knows it', async () => {
    const broker = await startWithScram()
    const log = listenTo(broker, 'access.authenticated', 'client.connected')
    const { client, scram, connack } = await comeIn(broker.port)
    expect(connack).toMatchObject({ reasonCode: 0, properties: { authenticationMethod: METHOD } })
    expect(scram.trusts(connack.properties!.authenticationData!.toString())).toBe(true)
    expect(log.of('access.authenticated')).toMatchObject([{ by: 'scram', username: 'alice' }])
    expect(log.of('client.connected')).toMatchObject([{ username: 'alice' }])
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] })
    expect((await client.next('suback')).granted).toEqual([1])
  })

  it('may send its first message when it is asked for it', async () => {
    const { port } = await startWithScram()
    const client = await openRaw(port, 5)
    connect(client, null)
    expect(await client.next('auth')).toMatchObject({ reasonCode: 0x18 })
    const scram = new ScramClient('alice', 'correct horse')
    auth(client, 0x18, scram.first)
    auth(client, 0x18, scram.final(await challengeOf(client)))
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0 })
  })

  it('[MQTT-4.12.0-4] does not come in with a wrong password, and that is a guess', async () => {
    const broker = await startWithScram({ slowDown: { after: 1, initial: '1h', max: '1h' } })
    const log = listenTo(broker, 'access.denied', 'client.connecting-refused')
    for (let i = 0; i < 2; i++) {
      const { client, connack } = await comeIn(broker.port, 'wrong')
      expect(connack).toMatchObject({ reasonCode: 0x86 })
      await client.end()
    }
    const client = await openRaw(broker.port, 5)
    connect(client, new ScramClient('alice', 'x').first)
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x9f })
    expect(log.of('access.denied')).toHaveLength(2)
    expect(log.of('client.connecting-refused')).toHaveLength(3)
  })

  it('guesses no faster on many connections at once', async () => {
    const { port } = await startWithScram({ slowDown: { after: 3, initial: '1h', max: '1h' } })
    const clients = await Promise.all(Array.from({ length: 30 }, () => openRaw(port, 5)))
    const guesses = clients.map(() => new ScramClient('alice', 'wrong'))
    for (const [i, client] of clients.entries()) connect(client, guesses[i]!.first, { clientId: `c${i}` })
    const finals = []
    for (const [i, client] of clients.entries()) finals.push(guesses[i]!.final(await challengeOf(client)))
    for (const [i, client] of clients.entries()) auth(client, 0x18, finals[i]!)
    const codes = []
    for (const client of clients) codes.push((await client.next('connack')).reasonCode)
    expect(codes.filter((code) => code === 0x86)).toHaveLength(4)
    expect(codes.filter((code) => code === 0x9f)).toHaveLength(26)
  })

  it('[MQTT-4.12.0-1] is refused with another method, and where the listener does not name this one', async () => {
    const { port } = await startWithScram({}, { authenticators: ['anonymous'] })
    const client = await openRaw(port, 5)
    connect(client, 'n,,n=alice,r=x')
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x8c })
    const other = await startWithScram()
    const stranger = await openRaw(other.port, 5)
    connect(stranger, 'x', { properties: { authenticationMethod: 'SCRAM-SHA-1' } })
    expect(await stranger.next('connack')).toMatchObject({ reasonCode: 0x8c })
  })

  it('[MQTT-3.15.2-1] sends AUTH of its method, or nothing but DISCONNECT, until CONNACK', async () => {
    const { port } = await startWithScram()
    const wrong: Array<(client: RawClient) => void> = [
      (client) => client.send({ cmd: 'pingreq' }),
      (client) => auth(client, 0x18, 'x', 'PLAIN'),
      (client) => auth(client, 0x19, 'x'),
      (client) => auth(client, 0, 'x'),
      (client) => client.sendBytes(packet(0xf0)),
    ]
    for (const send of wrong) {
      const client = await openRaw(port, 5)
      connect(client, new ScramClient('alice', 'x').first)
      await challengeOf(client)
      send(client)
      expect(await client.next('connack')).toMatchObject({ reasonCode: 0x82 })
      await client.end()
    }
    const leaving = await openRaw(port, 5)
    connect(leaving, new ScramClient('alice', 'x').first)
    await challengeOf(leaving)
    leaving.send({ cmd: 'disconnect', reasonCode: 0 })
    await leaving.end()
    expect(leaving.received).toEqual([])
  })

  it('is not sent more than it takes', async () => {
    const { port } = await startWithScram()
    const client = await openRaw(port, 5)
    connect(client, new ScramClient('alice', 'x').first, { properties: { maximumPacketSize: 60 } })
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x95 })
    for (const { length } of client.frames) expect(length).toBeLessThanOrEqual(60)
  })

  it('is the only one who comes in, where there is nothing but SCRAM', async () => {
    const { port } = await startWithScram()
    for (const credentials of [{}, { username: 'alice', password: Buffer.from('correct horse') }]) {
      const client = await openRaw(port, 5)
      const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'c', clean: true } as const
      client.send({ ...connect, keepalive: 0, ...credentials })
      expect((await client.next('connack')).reasonCode).toBeGreaterThanOrEqual(0x86)
    }
  })
})

describe('on a connection that stands', () => {
  it('the client may authenticate again, and its messages pass meanwhile', async () => {
    const broker = await startWithScram()
    const log = listenTo(broker, 'access.authenticated')
    const { client } = await comeIn(broker.port)
    for (let i = 0; i < 2; i++) {
      const scram = new ScramClient('alice', 'correct horse')
      auth(client, 0x19, scram.first)
      const challenge = await challengeOf(client)
      await client.settled()
      auth(client, 0x18, scram.final(challenge))
      const last = await client.next('auth')
      expect(last).toMatchObject({ reasonCode: 0, properties: { authenticationMethod: METHOD } })
      expect(scram.trusts(last.properties!.authenticationData!.toString())).toBe(true)
    }
    await client.settled()
    expect(log.of('access.authenticated')).toHaveLength(3)
  })

  it('[MQTT-4.12.1-2] one that fails ends it with 0x87', async () => {
    const { port } = await startWithScram()
    const { client } = await comeIn(port)
    const scram = new ScramClient('alice', 'wrong')
    auth(client, 0x19, scram.first)
    auth(client, 0x18, scram.final(await challengeOf(client)))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x87 })
    await client.end()
  })

  it.each<[string, (client: RawClient) => void]>([
    ['goes on with what was not begun', (client) => auth(client, 0x18, 'x')],
    ['begins with another method', (client) => auth(client, 0x19, 'x', 'PLAIN')],
  ])('who %s is cut off with 0x82', async (_what, send) => {
    const { port } = await startWithScram()
    const { client } = await comeIn(port)
    send(client)
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
  })

  it('who has less rights than before keeps no subscription that these do not allow, nor what it was to get by it', async () => {
    const reader = { username: 'ada', roles: ['reader'] }
    const answers = [reader, reader, { username: 'ada', roles: [] }]
    const method: AuthenticationMethod = {
      name: 'once',
      method: 'ONCE',
      begin: () => ({ next: () => ({ data: null, identity: answers.shift()! }) }),
    }
    const plugin = definePlugin({ name: 'once', setup: (context) => void context.authenticationMethod(method) })
    const rules = [
      { allow: ['publish' as const, 'subscribe' as const], topics: ['public'] },
      { allow: 'subscribe' as const, role: 'reader', topics: ['secret'] },
    ]
    const broker = await startBroker({ access: { rules }, session: { maxInflight: 1 } }, { plugins: [plugin as never] })
    const log = listenTo(broker, 'subscription.removed', 'message.dropped')
    const client = await openRaw(broker.port, 5)
    connect(client, null, { properties: { authenticationMethod: 'ONCE', sessionExpiryInterval: 60 } })
    await client.next('connack')
    const subscriptions = ['secret', 'public'].map((topic) => ({ topic, qos: 1 as const }))
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    expect((await client.next('suback')).granted).toEqual([1, 1])
    const renew = async () => {
      auth(client, 0x19, null, 'ONCE')
      expect(await client.next('auth')).toMatchObject({ reasonCode: 0 })
    }
    await renew()
    expect(log.all).toEqual([])

    // The first fills the window, so the second waits.
    for (const topic of ['public', 'secret']) await broker.publish(topic, 'x', { qos: 1 })
    await renew()
    expect(log.of('subscription.removed')).toEqual([{ clientId: 'c', filter: 'secret', reason: 'not-authorized' }])
    expect(log.of('message.dropped')).toMatchObject([{ topic: 'secret', reason: 'not-authorized' }])
    await broker.publish('secret', 'x', { qos: 1 })
    const { messageId } = await client.next('publish')
    client.send({ cmd: 'puback', messageId: messageId! })
    await client.settled()
    expect(client.received).toEqual([])
    client.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'secret', qos: 1 }] })
    expect((await client.next('suback')).granted).toEqual([0x87])
  })

  it('a method of a plugin may give a longer time, and not another name', async () => {
    const firstEnd = Date.now() + 1_000
    const answers = [
      { username: 'ada', expiresAt: firstEnd },
      { username: 'ada', expiresAt: Date.now() + 3_600_000 },
      { username: 'eve' },
    ]
    const method: AuthenticationMethod = {
      name: 'once',
      method: 'ONCE',
      begin: () => ({
        next: (data) => {
          if (data?.toString() !== 'please') throw new Refusal(0x86, 'the magic word')
          return { data: null, identity: answers.shift()! }
        },
      }),
    }
    const plugin = definePlugin({ name: 'once', setup: (context) => void context.authenticationMethod(method) })
    const broker = await startBroker({}, { plugins: [plugin as never] })
    const client = await openRaw(broker.port, 5)
    connect(client, 'please', { properties: { authenticationMethod: 'ONCE' } })
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0 })
    auth(client, 0x19, 'please', 'ONCE')
    expect(await client.next('auth')).toMatchObject({ reasonCode: 0 })
    await until('the first time is up', () => Date.now() > firstEnd + 100)
    await client.settled() // the second is not
    auth(client, 0x19, 'please', 'ONCE')
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x87 })
  })
})
