/** Attempts to get around access rules, over real sockets. docs/security.md lists them; see there before you rename one. */

import { join } from 'node:path'
import type { IClientOptions } from 'mqtt'
import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { passwordFile } from '../helpers/passwords.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

type Access = NonNullable<NonNullable<Parameters<typeof startBroker>[0]>['access']>
type Rules = NonNullable<Access['rules']>

const word = (username: string) => ({ username, password: Buffer.from(`${username}'s word`) })
const [ALICE, BOB, MALLORY] = [word('alice'), word('bob'), word('mallory')]

/** Each in a place of their own; bob writes wherever he likes. */
const TENANTS: Rules = [
  { allow: ['publish', 'subscribe'], user: 'bob', topics: ['#', '$x/#'] },
  { allow: ['publish', 'subscribe'], topics: ['tenants/%u/#', 'clients/%c/#'] },
]

const FULL = {
  passwordFile: null,
  certificateUser: 'none',
  scramFile: null,
  rules: [],
  roles: {},
  aclFile: null,
  publishDenied: 'close',
} as const

/** CONNECT of a client whose session outlives its connection. */
const lastingAs = (clientId: string) =>
  ({ protocolVersion: 5, clientId, clean: false, properties: { sessionExpiryInterval: 600 } }) as const

async function start(rules: Rules = TENANTS) {
  const users = Object.fromEntries([ALICE, BOB, MALLORY].map((one) => [one.username, String(one.password)]))
  const file = await passwordFile(users)
  const broker = await startBroker({ access: { passwordFile: file, rules }, sys: { interval: '1h' } })
  const change = (rules: Rules) => broker.access.change({ ...FULL, passwordFile: file, rules })
  return { broker, port: broker.port, change }
}

const client = (port: number, options: IClientOptions & { password: Buffer }) =>
  connectClient(port, { protocolVersion: 5, ...options })

/** SUBSCRIBE, and the code that each filter was answered with. */
async function subscribe(raw: RawClient, ...filters: string[]): Promise<number[]> {
  const subscriptions = filters.map((topic) => ({ topic, qos: 1 as const }))
  raw.send({ cmd: 'subscribe', messageId: 7, subscriptions })
  return (await raw.next('suback')).granted as number[]
}

/** What the client is sent, in answer to what was published before: topics. */
async function received(raw: RawClient): Promise<string[]> {
  await raw.settled()
  return raw.received.flatMap((packet) => (packet.cmd === 'publish' ? [packet.topic] : []))
}

/** PUBLISH at QoS 1, and the reason code that it was answered with. */
async function publish(raw: RawClient, topic: string, properties = {}): Promise<number> {
  const rest = { payload: 'forged', qos: 1, dup: false, retain: false } as const
  raw.send({ cmd: 'publish', topic, messageId: 9, ...rest, properties })
  return (await raw.next('puback')).reasonCode ?? 0
}

describe('reading what another tenant may read', () => {
  it.each([
    '#',
    '+/#',
    'tenants/#',
    'tenants/+',
    'tenants/+/secret',
    '+/alice/secret',
    'tenants/alice/secret',
    '$share/g/tenants/alice/secret',
    '$share/g/#',
    '$share/tenants/mallory/#',
  ])('by the filter %s is refused, and nothing comes', async (filter) => {
    const { broker, port } = await start()
    const log = listenTo(broker, 'access.denied', 'subscription.refused')
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await subscribe(raw, filter)).toEqual([0x87])
    const writer = await client(port, BOB)
    await writer.mqtt.publishAsync('tenants/alice/secret', 'x', { qos: 1 })
    expect(await received(raw)).toEqual([])
    expect(log.of('access.denied')).toMatchObject([{ username: 'mallory', action: 'subscribe', topic: filter }])
    expect(log.of('subscription.refused')).toMatchObject([{ clientId: 'm', filter, reasonCode: 0x87 }])
    expect(JSON.stringify(log.all)).not.toContain("mallory's word")
  })

  it.each(['+', '#', 'x/#', '+/+', 'a/b', '/'])('by the client identifier %s is refused', async (clientId) => {
    const { port } = await start()
    const raw = await connectRaw(port, { protocolVersion: 5, clientId, ...MALLORY })
    for (const filter of ['clients/+/#', 'clients/#', 'clients/other/x', 'clients/a/b/c']) {
      expect(await subscribe(raw, filter)).toEqual([0x87])
    }
    expect(await publish(raw, 'clients/a/b/c')).toBe(0x87)
  })

  it('by a session that goes on after the rules have changed is refused: subscriptions and what waited are gone', async () => {
    const { broker, port, change } = await start()
    const log = listenTo(broker, 'subscription.removed', 'message.dropped')
    const lasting = lastingAs('m')
    const before = await connectRaw(port, { ...lasting, ...MALLORY })
    expect(await subscribe(before, 'tenants/mallory/#', 'clients/m/x')).toEqual([1, 1])
    before.socket.destroy()
    const writer = await client(port, BOB)
    for (const topic of ['tenants/mallory/1', 'clients/m/x']) await writer.mqtt.publishAsync(topic, 'x', { qos: 1 })
    await change([
      { allow: 'publish', user: 'bob', topics: ['#'] },
      { allow: 'subscribe', topics: ['clients/%c/x'] },
    ])
    const back = await connectRaw(port, { ...lasting, ...MALLORY })
    expect(back.connack.sessionPresent).toBe(true)
    await writer.mqtt.publishAsync('tenants/mallory/2', 'x', { qos: 1 })
    expect(await received(back)).toEqual(['clients/m/x'])
    expect(log.of('subscription.removed')).toEqual([
      { clientId: 'm', filter: 'tenants/mallory/#', reason: 'not-authorized' },
    ])
    expect(log.of('message.dropped')).toMatchObject([{ topic: 'tenants/mallory/1', reason: 'not-authorized' }])
  })

  it('by a session that goes on after a restart with other rules is refused', async () => {
    const store = { kind: 'level' as const, path: join(await temporaryFolder(), 'data') }
    const lasting = { clientId: 'm', clean: false, username: 'mallory' } as const
    const open: Rules = [{ allow: ['publish', 'subscribe'], topics: ['#'] }]
    const first = await startBroker({ store, access: { rules: open } })
    const before = await connectRaw(first.port, lasting)
    expect(await subscribe(before, 'secret/#', 'open/#')).toEqual([1, 1])
    before.socket.destroy()
    const writer = await connectClient(first.port)
    for (const topic of ['secret/1', 'open/1']) await writer.mqtt.publishAsync(topic, 'x', { qos: 1 })
    writer.mqtt.end(true)
    await first.stop()
    const second = await startBroker({
      store,
      access: { rules: [{ deny: 'subscribe', topics: ['secret/#'] }, ...open] },
    })
    const log = listenTo(second, 'subscription.removed', 'message.dropped')
    const back = await connectRaw(second.port, lasting)
    expect(await received(back)).toEqual(['open/1'])
    expect(log.all.map(({ data }) => data)).toMatchObject([
      { filter: 'secret/#', reason: 'not-authorized' },
      { topic: 'secret/1', reason: 'not-authorized' },
    ])
  })

  it('by what was sent and not acknowledged before the rules changed is refused: it is not sent again', async () => {
    const { port, change } = await start()
    const lasting = lastingAs('m')
    const before = await connectRaw(port, { ...lasting, ...MALLORY })
    before.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'tenants/mallory/#', qos: 2 }] })
    await before.next('suback')
    const writer = await client(port, BOB)
    await writer.mqtt.publishAsync('tenants/mallory/1', 'x', { qos: 1 })
    await writer.mqtt.publishAsync('tenants/mallory/2', 'x', { qos: 2 })
    await before.next('publish')
    const second = await before.next('publish')
    before.socket.destroy()
    await change([])
    const back = await connectRaw(port, { ...lasting, ...MALLORY })
    // Of the message at QoS 2 it may know the identifier: that is had back, without the message.
    expect(await back.next('pubrel')).toMatchObject({ messageId: second.messageId })
    expect(await received(back)).toEqual([])
  })

  it('by a retained message is refused, whatever the rules were when it was published', async () => {
    const { port, change } = await start()
    const writer = await client(port, BOB)
    await writer.mqtt.publishAsync('tenants/alice/state', 'x', { qos: 1, retain: true })
    await writer.mqtt.publishAsync('tenants/mallory/state', 'x', { qos: 1, retain: true })
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await subscribe(raw, 'tenants/+/state', '+/mallory/state', 'tenants/mallory/+')).toEqual([0x87, 0x87, 1])
    expect(await received(raw)).toEqual(['tenants/mallory/state'])
    await change([{ allow: 'subscribe', topics: ['tenants/%u/other'] }])
    const later = await connectRaw(port, { protocolVersion: 5, clientId: 'n', ...MALLORY })
    expect(await subscribe(later, 'tenants/mallory/+', 'tenants/mallory/state')).toEqual([0x87, 0x87])
    expect(await received(later)).toEqual([])
  })

  it('by a topic alias is refused: the alias stands for the topic that rules are asked about', async () => {
    const { port } = await start()
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await publish(raw, 'tenants/alice/x', { topicAlias: 1 })).toBe(0x87)
    expect(await publish(raw, '', { topicAlias: 1 })).toBe(0x87)
    expect(await publish(raw, 'tenants/mallory/x', { topicAlias: 1 })).toBe(0x10) // allowed, for nobody
    expect(await publish(raw, '', { topicAlias: 1 })).toBe(0x10)
  })
})

describe('while clients are connected', () => {
  it('rules that change are for their next message, and for what they are subscribed to', async () => {
    const { broker, port, change } = await start()
    const log = listenTo(broker, 'subscription.removed', 'client.disconnected')
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await subscribe(raw, 'tenants/mallory/#', 'clients/m/#', '$share/g/tenants/mallory/a')).toEqual([1, 1, 1])
    expect(await publish(raw, 'tenants/mallory/none')).toBe(0)
    await raw.next('publish')
    await change([
      { allow: ['publish', 'subscribe'], user: 'bob', topics: ['#'] },
      { allow: ['publish', 'subscribe'], topics: ['clients/%c/#'] },
    ])
    expect(await publish(raw, 'tenants/mallory/none')).toBe(0x87)
    const writer = await client(port, BOB)
    for (const topic of ['tenants/mallory/a', 'clients/m/a']) await writer.mqtt.publishAsync(topic, 'x', { qos: 1 })
    expect(await received(raw)).toEqual(['clients/m/a'])
    const gone = log.of('subscription.removed').map(({ filter, reason }) => [filter, reason])
    expect(gone).toEqual([
      ['tenants/mallory/#', 'not-authorized'],
      ['$share/g/tenants/mallory/a', 'not-authorized'],
    ])
    expect(log.of('client.disconnected')).toEqual([])
    // And back again, without a new connection.
    await change(TENANTS)
    expect(await publish(raw, 'tenants/mallory/none')).toBe(0x10)
  })

  it('a consumer that may not read a queue any more gives back what it holds, to others', async () => {
    const all: Rules = [{ allow: ['publish', 'subscribe'], topics: ['#'] }]
    const { port, change } = await start(all)
    const holder = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await subscribe(holder, 'queue/orders')).toEqual([1])
    const writer = await client(port, BOB)
    await writer.mqtt.publishAsync('queue/orders', 'x', { qos: 1 })
    await holder.next('publish')
    await change([{ deny: 'subscribe', user: 'mallory', topics: ['queue/orders'] }, ...all])
    const other = await connectRaw(port, { protocolVersion: 5, clientId: 'o', ...ALICE })
    expect(await subscribe(other, 'queue/orders')).toEqual([1])
    expect((await other.next('publish')).topic).toBe('queue/orders')
    await writer.mqtt.publishAsync('queue/orders', 'y', { qos: 1 })
    await other.next('publish')
    expect(await received(holder)).toEqual([])
  })

  it('rules that are wrong change nothing', async () => {
    const { broker, port } = await start()
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    const wrong = broker.access.change({ ...FULL, aclFile: '/nowhere/acl' })
    await expect(wrong).rejects.toMatchObject({ code: 'ACCESS_FILE_INVALID' })
    expect(await publish(raw, 'tenants/mallory/x')).toBe(0x10)
    expect(await publish(raw, 'tenants/alice/x')).toBe(0x87)
  })
})

describe('a will', () => {
  const will = { topic: 'tenants/mallory/will', payload: Buffer.from('gone'), qos: 1 as const, retain: false }

  it('for the topic of another tenant is not published', async () => {
    const { broker, port } = await start()
    const log = listenTo(broker, 'message.refused', 'access.denied')
    const reader = await connectRaw(port, { protocolVersion: 5, ...ALICE })
    expect(await subscribe(reader, 'tenants/alice/#')).toEqual([1])
    const stolen = { ...will, topic: 'tenants/alice/will' }
    const dying = await connectRaw(port, { protocolVersion: 5, clientId: 'm', will: stolen, ...MALLORY })
    dying.socket.destroy()
    await log.find('message.refused', { clientId: 'm', topic: 'tenants/alice/will', reasonCode: 0x87 })
    expect(log.of('access.denied')).toMatchObject([{ username: 'mallory', action: 'publish' }])
    expect(await received(reader)).toEqual([])
  })

  /** The will of a client that ends when other rules are in force than when it came: the event that tells of it. */
  async function willUnder(before: Rules, after: Rules) {
    const { broker, port, change } = await start(before)
    const log = listenTo(broker, 'message.refused', 'message.will-published', 'client.disconnected')
    const dying = await connectRaw(port, { protocolVersion: 5, clientId: 'm', will, ...MALLORY })
    await change(after)
    dying.socket.destroy()
    await log.find('client.disconnected', { clientId: 'm' })
    await until('there is word of the will', () => log.all.length > 1)
    return log.all.slice(1)
  }

  const open: Rules = [{ allow: ['publish', 'subscribe'], topics: ['tenants/#'] }]
  const closed: Rules = [{ deny: 'publish', user: 'mallory', topics: ['#'] }, ...open]

  it('is published when that is allowed by the time that it is sent', async () => {
    expect(await willUnder(closed, open)).toMatchObject([{ type: 'message.will-published', data: { clientId: 'm' } }])
  })

  it('is not published when that is allowed no more by the time that it is sent', async () => {
    const refused = { clientId: 'm', topic: will.topic, reasonCode: 0x87 }
    expect(await willUnder(open, closed)).toMatchObject([{ type: 'message.refused', data: refused }])
  })
})

describe('a rule on queue/', () => {
  const rules: Rules = [
    { deny: ['publish', 'subscribe'], user: 'mallory', topics: ['queue/secret'] },
    { allow: ['publish', 'subscribe'], topics: ['#', '$x/#'] },
  ]
  const DETOURS = [
    'queue/secret',
    '$queue/secret',
    '$q/secret',
    '$delayed/0/queue/secret',
    '$delayed/9/$queue/secret',
    '$delayed/1/$q/secret',
  ]

  it.each(DETOURS)('holds for who publishes on %s', async (topic) => {
    const { broker, port } = await start(rules)
    const log = listenTo(broker, 'message.published')
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await publish(raw, topic)).toBe(0x87)
    expect(await publish(raw, topic.replace('secret', 'open'))).toBe(0)
    expect(log.of('message.published').map(({ topic }) => topic)).not.toContain('queue/secret')
  })

  it.each([
    'queue/secret',
    'queue/+',
    'queue/#',
    '$queue/secret',
    '$q/#',
    '$share/g/queue/secret',
    '$share/g/$q/+',
    '+/secret',
    '#',
  ])('holds for who subscribes to %s', async (filter) => {
    const { port } = await start(rules)
    const writer = await client(port, BOB)
    await writer.mqtt.publishAsync('queue/secret', 'x', { qos: 1 })
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await subscribe(raw, filter)).toEqual([0x87])
    expect(await received(raw)).toEqual([])
  })

  it.each(DETOURS)('holds for a will on %s', async (topic) => {
    const { broker, port } = await start(rules)
    const log = listenTo(broker, 'message.refused', 'queue.enqueued', 'queue.delayed')
    const will = { topic, payload: Buffer.from('x'), qos: 1 as const, retain: false }
    const dying = await connectRaw(port, { protocolVersion: 5, clientId: 'm', will, ...MALLORY })
    dying.socket.destroy()
    await log.find('message.refused', { clientId: 'm', reasonCode: 0x87 })
    expect(log.all).toHaveLength(1)
  })

  it.each(['$queue/secret', '$q/secret'])('may be written as one on %s', async (written) => {
    const { port } = await start([{ deny: ['publish', 'subscribe'], topics: [written] }, ...rules.slice(1)])
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await publish(raw, 'queue/secret')).toBe(0x87)
    expect(await subscribe(raw, 'queue/secret', 'queue/open')).toEqual([0x87, 1])
  })
})

describe("writing in the broker's place", () => {
  const everything: Rules = [{ allow: ['publish', 'subscribe'], topics: ['#', '$SYS/#', '$eventflow/#'] }]

  it.each([
    '$SYS/broker/version',
    '$eventflow/status',
    '$eventflow/events/client/connected',
    '$eventflow/receipts/alice',
    '$share/g/a',
    '$delayed/0/$SYS/broker/version',
    '$delayed/1/$eventflow/receipts/alice',
    '$delayed/0/$share/g/a',
  ])('on %s is refused, even where rules allow everything', async (topic) => {
    const { port } = await start(everything)
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
    expect(await publish(raw, topic)).toBe(0x87)
    const old = await connectRaw(port, { clientId: 'old', ...MALLORY })
    old.send({ cmd: 'publish', topic, messageId: 1, payload: 'x', qos: 1, dup: false, retain: true })
    await old.end()
    expect(old.received).toEqual([])
  })

  it.each(['alice', '+', '#', 'm/#', '+/#'])(
    "and reading another client's receipts, of %s, is refused",
    async (whose) => {
      const { port } = await start(everything)
      const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
      expect((await subscribe(raw, `$eventflow/receipts/${whose}`))[0]).toBeGreaterThanOrEqual(0x80)
      expect(await subscribe(raw, '$eventflow/receipts/m')).toEqual([1])
    },
  )

  it.each(['$eventflow/status', '$eventflow/#', '$eventflow/events/+/+', '$SYS/#'])(
    'and reading %s is for those whom a rule names',
    async (filter) => {
      const { port } = await start([{ allow: ['publish', 'subscribe'], topics: ['#'] }])
      const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'm', ...MALLORY })
      expect(await subscribe(raw, filter)).toEqual([0x87])
    },
  )
})

describe("another user's client identifier", () => {
  it.each([
    { what: 'goes on', clean: false },
    { what: 'begins anew', clean: true },
  ])('is refused to who $what with it: the session and its client stay', async ({ clean }) => {
    const { broker, port } = await start()
    const log = listenTo(broker, 'access.denied', 'client.connecting-refused', 'client.disconnected', 'session.expired')
    const lasting = lastingAs('shared')
    const owner = await connectRaw(port, { ...lasting, ...ALICE })
    expect(await subscribe(owner, 'tenants/alice/#')).toEqual([1])
    const thief = await openRaw(port, 5)
    const connect = {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId: 'shared',
      keepalive: 0,
    } as const
    thief.send({ ...connect, clean, ...MALLORY })
    expect(await thief.next('connack')).toMatchObject({ reasonCode: 0x87, sessionPresent: false })
    await thief.end()
    await owner.settled()
    expect(log.of('access.denied')).toMatchObject([{ clientId: 'shared', username: 'mallory', action: 'connect' }])
    expect(log.of('client.connecting-refused')).toMatchObject([{ clientId: 'shared', reasonCode: 0x87 }])
    expect([log.of('client.disconnected'), log.of('session.expired')]).toEqual([[], []])
  })

  it('is refused while its session waits, and what waits in it comes to its user', async () => {
    const { port } = await start()
    const lasting = lastingAs('shared')
    const owner = await connectRaw(port, { ...lasting, ...ALICE })
    await subscribe(owner, 'tenants/alice/#')
    owner.socket.destroy()
    const writer = await client(port, BOB)
    await writer.mqtt.publishAsync('tenants/alice/1', 'x', { qos: 1 })
    await expect(connectRaw(port, { ...lasting, ...MALLORY })).rejects.toThrow(/refused/)
    await expect(connectRaw(port, { clientId: 'shared', ...MALLORY })).rejects.toThrow(/"returnCode":5/)
    const back = await connectRaw(port, { ...lasting, ...ALICE })
    expect(back.connack.sessionPresent).toBe(true)
    expect((await back.next('publish')).topic).toBe('tenants/alice/1')
  })

  it('is free again when its session is over', async () => {
    const { broker, port } = await start()
    const log = listenTo(broker, 'session.expired')
    const owner = await connectRaw(port, { protocolVersion: 5, clientId: 'shared', ...ALICE })
    owner.socket.destroy()
    await log.find('session.expired', { clientId: 'shared' })
    expect((await connectRaw(port, { clientId: 'shared', ...MALLORY })).connack.returnCode).toBe(0)
  })

  it('means nothing where names are not proved', async () => {
    const { port } = await startBroker()
    const first = await connectRaw(port, { clientId: 'shared', username: 'a', password: Buffer.from('x') })
    await connectRaw(port, { clientId: 'shared', username: 'b', password: Buffer.from('x') })
    await first.end()
  })
})
