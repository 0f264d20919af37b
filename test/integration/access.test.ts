/** Access: who may come in, and what they may do; with the password file of mosquitto_passwd, on MQTT 3.1.1 and 5.0. */

import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { passwordFile } from '../helpers/passwords.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

const ALICE = { username: 'alice', password: Buffer.from('correct horse') }
const BOB = { username: 'bob', password: Buffer.from('battery staple') }

type Rules = NonNullable<NonNullable<Parameters<typeof startBroker>[0]>['access']>['rules']

const USERS = { alice: 'correct horse', bob: 'battery staple' }

/** A broker with users alice and bob, who may do what the rules say. */
async function startGuarded(rules: Rules = [], more: { publishDenied?: 'close' | 'ignore' } = {}) {
  return startBroker({ access: { passwordFile: await passwordFile(USERS), rules, ...more } })
}

const EVERYTHING: Rules = [{ allow: ['publish', 'subscribe'], topics: ['#', '$eventflow/#'] }]

/** The CONNACK of a connection, whatever it says. */
async function knock(port: number, protocolVersion: 4 | 5, credentials: { username?: string; password?: Buffer }) {
  const client = await openRaw(port, protocolVersion)
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion, clientId: 'knocking', clean: true } as const
  client.send({ ...connect, keepalive: 0, ...credentials })
  const connack = await client.next('connack')
  if ((connack.returnCode ?? connack.reasonCode) !== 0) await client.end()
  return connack
}

describe.each(VERSIONS)('a client on MQTT $name', ({ version }) => {
  const protocolVersion = version
  const answered = (reasonCode: number, returnCode: number) => (version === 5 ? { reasonCode } : { returnCode })

  it('comes in with the right password', async () => {
    const { port } = await startGuarded()
    expect(await knock(port, version, ALICE)).toMatchObject(answered(0, 0))
  })

  it.each([
    { what: 'a wrong password', credentials: { ...ALICE, password: Buffer.from('wrong') } },
    { what: "another user's password", credentials: { ...ALICE, password: BOB.password } },
    { what: 'an unknown name', credentials: { ...ALICE, username: 'mallory' } },
    { what: 'an empty password', credentials: { ...ALICE, password: Buffer.alloc(0) } },
  ])('is turned away with $what', async ({ credentials }) => {
    const broker = await startGuarded(EVERYTHING)
    const log = listenTo(broker, 'access.denied', 'client.connecting-refused')
    expect(await knock(broker.port, version, credentials)).toMatchObject(answered(0x86, 4))
    expect(log.of('access.denied')).toEqual([expect.objectContaining({ action: 'connect', clientId: 'knocking' })])
    expect(log.of('client.connecting-refused')).toHaveLength(1)
  })

  it('is turned away without a name and a password', async () => {
    const { port } = await startGuarded(EVERYTHING)
    expect(await knock(port, version, {})).toMatchObject(answered(0x87, 5))
  })

  it('may do nothing that no rule allows', async () => {
    const { port } = await startGuarded()
    const client = await connectRaw(port, { protocolVersion, ...ALICE })
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] })
    expect((await client.next('suback')).granted).toEqual([version === 5 ? 0x87 : 0x80])
  })

  it('may do what a rule allows it, by its name and its identifier, and nothing else', async () => {
    const { port } = await startGuarded([
      { allow: ['publish', 'subscribe'], topics: ['users/%u/#'] },
      { deny: 'subscribe', topics: ['devices/%c/secret'] },
      { allow: 'subscribe', topics: ['devices/%c/+'] },
      { allow: 'subscribe', user: 'bob', topics: ['for/bob'] },
    ])
    const client = await connectRaw(port, { protocolVersion, clientId: 'c1', ...ALICE })
    const wanted: Array<[string, boolean]> = [
      ['users/alice/#', true],
      ['users/alice', true],
      ['users/bob/#', false],
      ['users/+/a', false],
      ['devices/c1/state', true],
      ['devices/c1/+', false], // some of it is denied
      ['devices/c2/state', false],
      ['for/bob', false],
      ['#', false],
      ['$eventflow/status', false],
    ]
    const subscriptions = wanted.map(([topic]) => ({ topic, qos: 1 as const }))
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    const denied = version === 5 ? 0x87 : 0x80
    expect((await client.next('suback')).granted).toEqual(wanted.map(([, allowed]) => (allowed ? 1 : denied)))
  })

  it('with wildcards in its identifier is given nothing by a rule with %c', async () => {
    const { port } = await startGuarded([{ allow: ['subscribe', 'publish'], topics: ['devices/%c/#'] }])
    for (const clientId of ['+', '#', 'a/b']) {
      const client = await connectRaw(port, { protocolVersion, clientId, ...ALICE })
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `devices/${clientId}/#`, qos: 0 }] })
      if (clientId !== '#') expect((await client.next('suback')).granted![0]).toBeGreaterThanOrEqual(0x80)
      client.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'devices/a/b/c', qos: 0 }] })
      expect((await client.next('suback')).granted![0]).toBeGreaterThanOrEqual(0x80)
    }
  })

  it('that may read a/# only is refused #, and gets nothing else through it', async () => {
    const { port } = await startGuarded([
      { allow: 'subscribe', user: 'alice', topics: ['a/#'] },
      { allow: 'publish', user: 'bob', topics: ['#'] },
    ])
    const reader = await connectRaw(port, { protocolVersion, ...ALICE })
    const filters = ['#', 'a/#', '+/b', 'a/+/c']
    const subscriptions = filters.map((topic) => ({ topic, qos: 0 as const }))
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    const denied = version === 5 ? 0x87 : 0x80
    expect((await reader.next('suback')).granted).toEqual([denied, 0, denied, 0])
    const writer = await connectClient(port, { ...BOB })
    await writer.mqtt.publishAsync('b/b', 'no', { qos: 1 })
    await writer.mqtt.publishAsync('a/b', 'yes', { qos: 1 })
    expect((await reader.next('publish')).topic).toBe('a/b')
  })

  it('that was denied a subscription has not got it when its session goes on', async () => {
    const { port } = await startGuarded([
      { allow: 'subscribe', user: 'alice', topics: ['a/#'] },
      { allow: 'publish', user: 'bob', topics: ['#'] },
    ])
    const properties = version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}
    const lasting = { protocolVersion, clientId: 'lasting', clean: false, ...properties, ...ALICE }
    const before = await connectRaw(port, lasting)
    const subscriptions = ['a/1', 'b/1', 'a/2'].map((topic) => ({ topic, qos: 1 as const }))
    before.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    expect((await before.next('suback')).granted).toEqual([1, version === 5 ? 0x87 : 0x80, 1])
    before.socket.destroy()
    const writer = await connectClient(port, { ...BOB })
    for (const topic of ['b/1', 'a/1', 'a/2']) await writer.mqtt.publishAsync(topic, 'x', { qos: 1 })
    const back = await connectRaw(port, lasting)
    expect([(await back.next('publish')).topic, (await back.next('publish')).topic]).toEqual(['a/1', 'a/2'])
    await back.settled()
    expect(back.received).toEqual([])
  })

  it('fills and empties a queue only if rules on queue/ let it', async () => {
    const { port } = await startGuarded([
      { allow: 'publish', user: 'alice', topics: ['queue/orders'] },
      { allow: 'subscribe', user: 'bob', topics: ['queue/orders', '$queue/orders'] },
    ])
    const consumer = await connectRaw(port, { protocolVersion, ...BOB })
    const subscriptions = ['queue/#', 'queue/bills', 'queue/orders'].map((topic) => ({ topic, qos: 1 as const }))
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    const denied = version === 5 ? 0x87 : 0x80
    expect((await consumer.next('suback')).granted).toEqual([denied, denied, 1])
    const producer = await connectClient(port, { protocolVersion, ...ALICE })
    await producer.mqtt.publishAsync('queue/orders', 'x', { qos: 1 })
    expect((await consumer.next('publish')).payload.toString()).toBe('x')
    const intruder = await connectRaw(port, { protocolVersion, ...BOB })
    const message = { cmd: 'publish', topic: 'queue/orders', payload: 'forged', dup: false, retain: false } as const
    intruder.send({ ...message, qos: 1, messageId: 1 })
    if (version === 5) expect(await intruder.next('puback')).toMatchObject({ reasonCode: 0x87 })
    else await intruder.end()
    await consumer.settled()
    expect(consumer.received).toEqual([])
  })
})

describe('a publish that is denied', () => {
  const message = { cmd: 'publish', topic: 'no', payload: 'x', dup: false, retain: false } as const

  it('is answered with 0x87 on MQTT 5.0 at QoS 1 and 2, and the connection goes on', async () => {
    const broker = await startGuarded([{ allow: 'publish', topics: ['yes'] }])
    const log = listenTo(broker, 'access.denied', 'message.refused', 'message.published')
    const client = await connectRaw(broker.port, { protocolVersion: 5, ...ALICE })
    client.send({ ...message, qos: 1, messageId: 1 })
    expect(await client.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x87 })
    client.send({ ...message, qos: 2, messageId: 2 })
    expect(await client.next('pubrec')).toMatchObject({ messageId: 2, reasonCode: 0x87 })
    client.send({ ...message, topic: 'yes', qos: 2, messageId: 2 }) // the identifier is free again
    expect(await client.next('pubrec')).toMatchObject({ messageId: 2 })
    expect(log.of('access.denied')).toHaveLength(2)
    expect(log.of('message.refused')).toHaveLength(2)
    expect(log.of('message.published').map(({ topic }) => topic)).toEqual(['yes'])
  })

  it('ends the connection with 0x87 on MQTT 5.0 at QoS 0', async () => {
    const { port } = await startGuarded()
    const client = await connectRaw(port, { protocolVersion: 5, ...ALICE })
    client.send({ ...message, qos: 0 })
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x87 })
    await client.end()
  })

  it('is told all the same where it is passed over: on MQTT 5.0 too, where QoS 1 and 2 still have an answer', async () => {
    const broker = await startGuarded([], { publishDenied: 'ignore' })
    const log = listenTo(broker, 'access.denied')
    const client = await connectRaw(broker.port, { protocolVersion: 5, ...ALICE })
    client.send({ ...message, qos: 0 })
    client.send({ ...message, qos: 1, messageId: 1 })
    expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87 })
    await client.settled()
    expect(log.all).toHaveLength(2)
  })

  it.each([0, 1, 2] as const)('ends the connection on MQTT 3.1 at QoS %i', async (qos) => {
    const { port } = await startGuarded()
    const client = await connectRaw(port, { protocolVersion: 3, protocolId: 'MQIsdp', ...ALICE })
    client.send({ ...message, qos, ...(qos > 0 ? { messageId: 1 } : {}) })
    await client.end()
    expect(client.received).toEqual([])
  })

  it.each([0, 1, 2] as const)(
    'ends the connection on MQTT 3.1.1 at QoS %i, without an acknowledgement',
    async (qos) => {
      const { port } = await startGuarded()
      const client = await connectRaw(port, ALICE)
      client.send({ ...message, qos, ...(qos > 0 ? { messageId: 1 } : {}) })
      await client.end()
      expect(client.received).toEqual([])
    },
  )

  it.each([0, 1, 2] as const)('is passed over on MQTT 3.1.1 at QoS %i where the operator wants it so', async (qos) => {
    const rules: Rules = [{ allow: 'subscribe', topics: ['no'] }]
    const { port } = await startGuarded(rules, { publishDenied: 'ignore' })
    const reader = await connectRaw(port, BOB)
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'no', qos: 0 }] })
    await reader.next('suback')
    const client = await connectClient(port, { ...ALICE })
    await client.mqtt.publishAsync('no', 'x', { qos })
    const raw = await connectRaw(port, ALICE)
    raw.send({ ...message, qos, ...(qos > 0 ? { messageId: 1 } : {}) })
    await raw.settled()
    expect(client.mqtt.connected).toBe(true)
    await reader.settled()
    expect(reader.received).toEqual([])
  })

  it('as a will is not published', async () => {
    const broker = await startGuarded([{ allow: 'subscribe', topics: ['no', 'yes'] }])
    const log = listenTo(broker, 'access.denied', 'client.disconnected')
    const reader = await connectRaw(broker.port, BOB)
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'no', qos: 0 }] })
    await reader.next('suback')
    const will = { topic: 'no', payload: Buffer.from('will'), qos: 0 as const, retain: false }
    const dying = await connectRaw(broker.port, { ...ALICE, will, clientId: 'dying' }).catch(() => null)
    dying?.socket.destroy()
    if (dying !== null) await log.find('client.disconnected', { clientId: 'dying' })
    await reader.settled()
    expect(reader.received).toEqual([])
  })
})

describe('without users', () => {
  it('everyone may do everything but speak for the broker', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port, { username: 'anyone', password: 'anything' })
    await client.mqtt.subscribeAsync('#')
    await client.mqtt.publishAsync('any/topic', 'x', { qos: 1 })
    expect(await client.messages(1)).toEqual(['x'])
  })

  it('the broker says so when it starts', async () => {
    const broker = await startProcess(await temporaryFolder())
    const line = broker
      .output()
      .split('\n')
      .find((line) => line.includes('nobody needs a password'))
    expect(JSON.parse(line!)).toMatchObject({ level: 'warn' })
  })

  it('the broker listens on loopback only: another address is a wrong configuration', async () => {
    const started = startProcess(await temporaryFolder(), { listeners: { tcp: { host: '0.0.0.0' } } })
    await expect(started).rejects.toThrow(/ended with 2: .*listeners\.tcp\.host: .*loopback/)
  })
})

describe('with users', () => {
  it('the broker may listen on every address', async () => {
    const access = { passwordFile: await passwordFile(USERS) }
    const broker = await startProcess(await temporaryFolder(), { listeners: { tcp: { host: '0.0.0.0' } }, access })
    expect(await knock(broker.port, 4, ALICE)).toMatchObject({ returnCode: 0 })
    expect(await knock(broker.port, 4, {})).toMatchObject({ returnCode: 5 })
  })

  it('a file that is broken, or missing, is refused with its line', async () => {
    const folder = await temporaryFolder()
    const passwordFile = join(folder, 'passwords')
    await expect(startBroker({ access: { passwordFile } })).rejects.toThrow(/passwords does not exist/)
    await writeFile(passwordFile, '# users\nalice:plain text\n')
    const refused = startBroker({ access: { passwordFile } })
    await expect(refused).rejects.toThrow(/passwords: line 2/)
    await expect(refused).rejects.not.toThrow(/plain text/)
  })

  it('no password is in the log, or in an event', async () => {
    const folder = await temporaryFolder()
    const access = { passwordFile: await passwordFile(USERS), rules: EVERYTHING }
    const broker = await startProcess(folder, { access, log: { level: 'trace' } })
    const reader = await connectClient(broker.port, { ...BOB })
    await reader.mqtt.subscribeAsync('$eventflow/#')
    const wrong = Buffer.from('wrong horse')
    expect(await knock(broker.port, 5, { ...ALICE, password: wrong })).toMatchObject({ reasonCode: 0x86 })
    await connectClient(broker.port, { ...ALICE, clientId: 'last' })
    await reader.messages(8)
    await broker.end('SIGTERM')
    const told = broker.output() + reader.payloads.join()
    expect(told).toContain('alice')
    expect(told).not.toMatch(/horse|staple|\$7\$/)
  })
})

describeWithMosquitto('mosquitto', () => {
  const made = spawnSync('mosquitto_passwd', ['--help']).error === undefined

  it.skipIf(!made).each([[], ['-H', 'sha512']])('a file of mosquitto_passwd %s is read', async (...words) => {
    const passwordFile = join(await temporaryFolder(), 'passwords')
    await writeFile(passwordFile, '')
    const { status } = spawnSync('mosquitto_passwd', [...words, '-b', passwordFile, 'alice', 'correct horse'])
    expect(status).toBe(0)
    const { port } = await startBroker({ access: { passwordFile, rules: EVERYTHING } })
    expect(await knock(port, 4, ALICE)).toMatchObject({ returnCode: 0 })
    expect(await knock(port, 4, { ...ALICE, password: BOB.password })).toMatchObject({ returnCode: 4 })
  })

  it.each(VERSIONS)(
    'mosquitto_pub and mosquitto_sub log in, and are told why not, on MQTT $name',
    async ({ words }) => {
      const { port } = await startGuarded([{ allow: ['publish', 'subscribe'], topics: ['users/%u'] }])
      const alice = ['-u', 'alice', '-P', 'correct horse']
      const reader = await sub(port, ...words, ...alice, '-t', 'users/alice')
      expect(await pub(port, ...words, ...alice, '-q', '1', '-t', 'users/alice', '-m', 'x')).toMatchObject({ code: 0 })
      expect(await reader.messages(1)).toEqual(['x'])
      const stranger = await pub(
        port,
        ...words,
        '-u',
        'alice',
        '-P',
        'wrong',
        '-q',
        '1',
        '-t',
        'users/alice',
        '-m',
        'x',
      )
      expect(stranger.code).not.toBe(0)
      expect(stranger.stderr).toMatch(/not authori[sz]ed|bad user name or password/i)
      expect((await pub(port, ...words, '-q', '1', '-t', 'users/alice', '-m', 'x')).code).not.toBe(0)
    },
  )
})
