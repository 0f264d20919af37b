/** Roles and rules that a client brings along from whoever lets it in: here a plugin that reads them from the password. */

import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Eventflow } from '../../src/index.ts'
import { type Credentials, definePlugin, type Identity } from '../../src/plugin.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'

type Grants = Pick<Identity, 'roles' | 'rules'>

/** Whoever gives roles and rules as the password, in JSON, has them. */
const trusting = definePlugin({
  name: 'trusting',
  setup(context) {
    const authenticate = ({ username, password }: Credentials): Identity => ({
      username: username!,
      ...(JSON.parse(String(password)) as Grants),
    })
    context.authenticator({ name: 'trusting', authenticate })
    return undefined
  },
})

const RULES = [
  { allow: ['publish' as const, 'subscribe' as const], role: 'operators', topics: ['ops/#'] },
  { allow: 'subscribe' as const, role: 'readers', topics: ['ops/#', 'news'] },
]

type Where = { kind: 'level'; path: string } | { kind: 'memory' }

const configOf = (store: Where) => ({
  listeners: { tcp: { port: 0 } },
  store,
  access: { rules: RULES, roles: { readers: ['bob'] } },
})

const start = (store: Where = { kind: 'memory' }) => startBroker(configOf(store), { plugins: [trusting] })

const as = (username: string, grants: Grants) => ({ username, password: Buffer.from(JSON.stringify(grants)) })

const LASTING = { protocolVersion: 5, clientId: 'c', clean: false, properties: { sessionExpiryInterval: 600 } } as const

async function codes(raw: RawClient, topic: string): Promise<{ publish: number; subscribe: number }> {
  raw.send({ cmd: 'publish', topic, messageId: 1, payload: 'x', qos: 1, dup: false, retain: false })
  const publish = (await raw.next('puback')).reasonCode ?? 0
  raw.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic, qos: 1 }] })
  return { publish, subscribe: (await raw.next('suback')).granted![0] as number }
}

describe('what a client brings along', () => {
  it('are roles, beside those that the configuration gives', async () => {
    const { port } = await start()
    const ada = await connectRaw(port, { protocolVersion: 5, ...as('ada', { roles: ['operators'] }) })
    expect(await codes(ada, 'ops/a')).toEqual({ publish: 0x10, subscribe: 1 })
    expect(await codes(ada, 'news')).toEqual({ publish: 0x87, subscribe: 0x87 })
    const bob = await connectRaw(port, { protocolVersion: 5, ...as('bob', {}) })
    expect(await codes(bob, 'news')).toEqual({ publish: 0x87, subscribe: 1 })
  })

  it('are rules, which come before those of the configuration', async () => {
    const { port } = await start()
    const rules = [
      { deny: 'subscribe' as const, topics: ['ops/secret'] },
      { allow: 'publish' as const, topics: ['own/%u/#'] },
    ]
    const ada = await connectRaw(port, { protocolVersion: 5, ...as('ada', { roles: ['operators'], rules }) })
    expect(await codes(ada, 'own/ada/x')).toEqual({ publish: 0x10, subscribe: 0x87 })
    expect((await codes(ada, 'ops/secret')).subscribe).toBe(0x87)
    expect((await codes(ada, 'ops/open')).subscribe).toBe(1)
  })

  it('is what it brought along the last time: coming back with less, it has less', async () => {
    const broker = await start()
    const log = listenTo(broker, 'subscription.removed')
    const first = await connectRaw(broker.port, { ...LASTING, ...as('ada', { roles: ['operators'] }) })
    expect(await codes(first, 'ops/a')).toEqual({ publish: 0x10, subscribe: 1 })
    // The second connection takes the session over from the first.
    const second = await connectRaw(broker.port, { ...LASTING, ...as('ada', { roles: [] }) })
    expect([second.connack.sessionPresent, log.of('subscription.removed')]).toEqual([
      true,
      [{ clientId: 'c', filter: 'ops/a', reason: 'not-authorized' }],
    ])
    expect(await codes(second, 'ops/a')).toEqual({ publish: 0x87, subscribe: 0x87 })
  })

  it.each([
    { roles: ['operators'], event: 'message.will-published' as const },
    { roles: ['readers'], event: 'message.refused' as const },
  ])('is kept with its session: a will is judged by it after a restart ($roles: $event)', async ({ roles, event }) => {
    const store = { kind: 'level' as const, path: join(await temporaryFolder(), 'data') }
    const will = { topic: 'ops/will', payload: Buffer.from('x'), qos: 1 as const, retain: false }
    const delayed = { ...will, properties: { willDelayInterval: 1 } }
    const first = await start(store)
    const log = listenTo(first, 'client.disconnected')
    const client = await connectRaw(first.port, { ...LASTING, will: delayed, ...as('ada', { roles }) })
    client.socket.destroy()
    await log.find('client.disconnected', { clientId: 'c' })
    await first.stop()
    const second = new Eventflow({ config: configOf(store), plugins: [trusting] })
    const after = listenTo(second, event) // before it starts: the will may be due by then
    onTestFinished(() => second.stop())
    await second.start()
    await after.find(event, { clientId: 'c', topic: 'ops/will' })
  })
})
