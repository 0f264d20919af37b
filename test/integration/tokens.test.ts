/** JSON Web Tokens as passwords: coming in, and going when the token ends. */

import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { packet } from '../helpers/packets.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import { fileWith, SECRET, sign } from '../helpers/tokens.ts'

async function startWithTokens(more: { clockTolerance?: number } = {}) {
  const secretFile = await fileWith(SECRET)
  return startBroker({
    jwt: { algorithms: ['HS256'], secretFile, clockTolerance: 0, ...more },
    access: { rules: [{ allow: ['publish', 'subscribe'], topics: ['#'] }] },
  })
}

const FIVE = { protocolVersion: 5, username: 'alice' } as const

/** Ends so many milliseconds from now. */
async function tokenFor(ms: number): Promise<Buffer> {
  return Buffer.from(await sign(SECRET, 'HS256', { exp: (Date.now() + ms) / 1000 }))
}

async function knock(port: number, protocolVersion: 4 | 5, credentials: { username?: string; password?: Buffer }) {
  const client = await openRaw(port, protocolVersion)
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion, clientId: 'knocking', clean: true } as const
  client.send({ ...connect, keepalive: 0, ...credentials })
  const { returnCode, reasonCode } = await client.next('connack')
  return reasonCode ?? returnCode
}

describe('a client with a token', () => {
  it('comes in as the user in it, on MQTT 5.0 without a user name', async () => {
    const broker = await startWithTokens()
    const log = listenTo(broker, 'access.authenticated', 'client.connected')
    const five = await openRaw(broker.port, 5)
    // By hand: mqtt-packet writes no password without a user name.
    const token = await tokenFor(60_000)
    five.sendBytes(
      packet(0x10, 'MQTT', 5, 0x42, 0, 0, 0, 'five', Buffer.from([token.length >> 8, token.length & 255]), token),
    )
    expect(await five.next('connack')).toMatchObject({ reasonCode: 0 })
    await connectRaw(broker.port, { clientId: 'four', username: 'alice', password: await tokenFor(60_000) })
    const by = { by: 'jwt', username: 'alice' }
    expect(log.of('access.authenticated')).toEqual([expect.objectContaining(by), expect.objectContaining(by)])
    expect(log.of('client.connected').map(({ username }) => username)).toEqual(['alice', 'alice'])
  })

  it('that has expired is refused with 0x87, as often as it is shown; one that is wrong with 0x86', async () => {
    const { port } = await startWithTokens()
    const expired = await tokenFor(-1_000)
    for (let i = 0; i < 20; i++) expect(await knock(port, 5, { username: 'alice', password: expired })).toBe(0x87)
    expect(await knock(port, 4, { username: 'alice', password: expired })).toBe(5)
    const forged = Buffer.from(await sign(Buffer.alloc(32, 'x'), 'HS256'))
    expect(await knock(port, 5, { username: 'alice', password: forged })).toBe(0x86)
    expect(await knock(port, 4, { username: 'alice', password: forged })).toBe(4)
    expect(await knock(port, 5, { username: 'mallory', password: await tokenFor(60_000) })).toBe(0x86)
    expect(await knock(port, 5, { username: 'alice', password: Buffer.from('no token') })).toBe(0x86)
    expect(await knock(port, 5, {})).toBe(0x87)
  })
})

it('the rules and roles in a token count, the rules before those of the configuration', async () => {
  const jwt = { algorithms: ['HS256' as const], secretFile: await fileWith(SECRET) }
  const rules = [
    { deny: 'subscribe' as const, topics: ['own/#'] },
    { allow: 'subscribe' as const, role: 'readers', topics: ['news'] },
  ]
  const { port } = await startBroker({ jwt, access: { rules } })
  const filters = ['own/alice', 'own/bob', 'news']
  const granted = async (claims: object) => {
    const password = Buffer.from(await sign(SECRET, 'HS256', { ...claims }))
    const client = await connectRaw(port, { ...FIVE, password })
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 0 })) })
    return (await client.next('suback')).granted
  }
  expect(await granted({})).toEqual([0x87, 0x87, 0x87])
  expect(await granted({ roles: ['readers'] })).toEqual([0x87, 0x87, 0])
  expect(await granted({ rules: [{ allow: 'subscribe', topics: ['own/%u'] }] })).toEqual([0, 0x87, 0x87])
})

describe('when the token of a connected client ends', () => {
  it('so does the connection, with 0x87 on MQTT 5.0 and the will, and the session stays', async () => {
    const broker = await startWithTokens()
    const log = listenTo(broker, 'client.disconnected', 'client.error', 'message.will-published')
    const will = { topic: 'gone', payload: Buffer.from('x'), qos: 0 as const, retain: false }
    const lasting = {
      protocolVersion: 5,
      clientId: 'c',
      username: 'alice',
      clean: false,
      properties: { sessionExpiryInterval: 60 },
      will,
    }
    const client = await connectRaw(broker.port, { ...lasting, password: await tokenFor(1_500) } as object)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] })
    await client.next('suback')
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x87 })
    await client.end()
    expect(log.of('client.disconnected')).toMatchObject([{ reason: 'credentials-expired', reasonCode: 0x87 }])
    expect(log.of('message.will-published')).toHaveLength(1)
    expect(log.of('client.error')).toEqual([])
    await broker.publish('a', 'waited', { qos: 1 })
    const back = await connectRaw(broker.port, { ...lasting, password: await tokenFor(60_000) } as object)
    expect(back.connack.sessionPresent).toBe(true)
    expect((await back.next('publish')).payload.toString()).toBe('waited')
  })

  it('so does the connection on MQTT 3.1.1, without a word', async () => {
    const { port } = await startWithTokens()
    const client = await connectRaw(port, { username: 'alice', password: await tokenFor(1_500) })
    await client.end()
    expect(client.received).toEqual([])
  })

  it('a client that has come back with a newer one stays', async () => {
    const broker = await startWithTokens()
    const log = listenTo(broker, 'client.disconnected')
    await connectRaw(broker.port, { ...FIVE, clientId: 'c', password: await tokenFor(1_000) })
    const other = await connectRaw(broker.port, { ...FIVE, clientId: 'd', password: await tokenFor(1_100) })
    const newer = await connectRaw(broker.port, { ...FIVE, clientId: 'c', password: await tokenFor(60_000) })
    await other.end()
    await newer.settled()
    expect(log.of('client.disconnected').map(({ reason }) => reason)).toEqual(['takeover', 'credentials-expired'])
  })
})
