/**
 * The closed lists of reasons, whole: each is made to be told by real clients, and once only. A reason that is not in these tables,
 * or that no event has, fails: the tables have all of them, or they do not compile.
 */

import { generate } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import type { DisconnectReason, EventMap, EventType, RefusalReason } from '../../src/core/events.ts'
import type { Eventflow } from '../../src/eventflow.ts'
import { definePlugin, type PluginContext, Refusal } from '../../src/plugin.ts'
import { openStore } from '../../src/store/open.ts'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'
import { tlsFiles } from '../helpers/tls.ts'

type Config = Parameters<typeof startBroker>[0]
type Options = NonNullable<Parameters<typeof startBroker>[1]>

interface Stage {
  readonly broker: Eventflow
  readonly port: number
  readonly context: PluginContext
  /** A client on MQTT 5.0 that is called `it`. */
  it(more?: object): Promise<RawClient>
  /** A connection that has sent nothing, to this listener. */
  stranger(listener?: string): Promise<RawClient>
}

interface Case {
  readonly config?: () => Config | Promise<Config>
  readonly options?: () => Options
  readonly play: (stage: Stage) => Promise<unknown>
}

/** Ends connections as soon as there are any, refuses by user name, has a fault, and lets in for a moment. */
function doorman() {
  const held: { context: PluginContext | null } = { context: null }
  const answers: Record<string, () => 'allow' | 'deny' | object> = {
    wrong: () => 'deny',
    elsewhere: () => {
      throw new Refusal(0x9c, 'not here', 'other.example')
    },
    nobody: () => {
      throw new Refusal(0x87, 'not you')
    },
    broken: () => {
      throw new TypeError('a fault')
    },
    brief: () => ({ username: 'brief', expiresAt: Date.now() + 50 }),
  }
  const plugin = definePlugin({
    name: 'doorman',
    setup(context) {
      held.context = context
      const authenticate = ({ username }: { username: string | null }) => answers[username ?? '']?.() ?? 'allow'
      context.authenticator({ name: 'doorman', unproved: true, authenticate: authenticate as never })
      const accept = () => {
        throw new TypeError('a fault')
      }
      context.namespace('broken/', { accept, subscribe: () => undefined, unsubscribe() {} })
      return undefined
    },
  })
  return { plugin, held }
}

async function arrange({ config, options }: Case): Promise<Stage> {
  const { plugin, held } = doorman()
  const { plugins = [], ...others } = options?.() ?? {}
  const broker = await startBroker(await config?.(), { plugins: [plugin, ...plugins], ...others })
  return {
    broker,
    port: broker.port,
    context: held.context!,
    it: (more = {}) => connectRaw(broker.port, { protocolVersion: 5, clientId: 'it', ...more }),
    stranger: (name = 'tcp') => openRaw(broker.listeners.find((listener) => listener.name === name)!.port, 5),
  }
}

/** Play it, and see that the event is told with this reason, and with no other. */
async function expectReason(type: EventType, reason: string, scene: Case): Promise<void> {
  const stage = await arrange(scene)
  const events = listenTo(stage.broker, type)
  await scene.play(stage)
  await events.find(type as 'client.disconnected', { reason: reason as DisconnectReason })
  expect(new Set(events.all.map(({ data }) => (data as { reason: string }).reason))).toEqual(new Set([reason]))
}

const publishing = (topic: string, more: object = {}) =>
  ({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId: 1, dup: false, retain: false, ...more }) as const

async function subscribe(client: RawClient, topic: string, qos: 0 | 1 | 2): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  await client.next('suback')
}

/** It has subscribed, and is away. */
async function leave(client: RawClient, topic: string, qos: 0 | 1 | 2): Promise<void> {
  await subscribe(client, topic, qos)
  client.send({ cmd: 'disconnect', reasonCode: 0 })
  await client.end()
}

const LASTING = { clean: false, properties: { sessionExpiryInterval: 60 } }
const ALL = { allow: ['publish' as const, 'subscribe' as const], topics: ['#'] }

const ENDS: Record<DisconnectReason, Case> = {
  client: { play: async ({ it }) => (await it()).send({ cmd: 'disconnect', reasonCode: 0 }) },
  'keep-alive': { play: ({ it }) => it({ keepalive: 1 }) },
  takeover: { play: async ({ it }) => [await it(), await it()] },
  'protocol-error': { play: async ({ it }) => (await it()).sendBytes([0x36, 3, 0, 1, 0x61]) },
  'not-authorized': {
    config: () => ({ access: { rules: [{ allow: 'subscribe', topics: ['a'] }] } }),
    play: async ({ it }) => (await it({ protocolVersion: 4 })).send(publishing('a')),
  },
  quota: {
    config: () => ({ limits: { messageRate: 1, overRate: 'close' } }),
    play: async ({ it }) => (await it()).sendTogether(...[1, 2, 3].map((messageId) => publishing('a', { messageId }))),
  },
  'credentials-expired': { play: ({ it }) => it({ username: 'brief' }) },
  kicked: { play: async ({ it, context }) => [await it(), context.disconnect('it', new Refusal(0x98, 'maintenance'))] },
  slow: {
    config: () => ({ mqtt: { maxPacketSize: '64KB' }, session: { maxSocketBuffer: '64KB' } }),
    async play({ it }) {
      const client = await it()
      client.socket.pause()
      const pings = Buffer.concat(Array.from({ length: 32_768 }, () => generate({ cmd: 'pingreq' })))
      const ask = (): void => {
        if (!client.socket.destroyed) client.socket.write(pings, () => setImmediate(ask))
      }
      ask()
    },
  },
  network: { play: async ({ it }) => (await it()).socket.resetAndDestroy() },
  shutdown: { play: async ({ it, broker }) => [await it(), await broker.stop()] },
  error: { play: async ({ it }) => (await it({ protocolVersion: 4 })).send(publishing('broken/x')) },
}

const connecting = (more: object = {}) =>
  ({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'it', clean: true, ...more }) as const

const as = (username: string): Case => ({
  play: async ({ stranger }) => (await stranger()).send(connecting({ username, password: Buffer.from('x') })),
})

const withTls = async (): Promise<Config> => ({ listeners: { tcp: { port: 0 }, tls: (await tlsFiles()).options } })

const REFUSALS: Record<RefusalReason, Case> = {
  handshake: { config: withTls, play: async ({ stranger }) => (await stranger('tls')).send(connecting()) },
  timeout: { config: () => ({ mqtt: { connectTimeout: '100ms' } }), play: ({ stranger }) => stranger() },
  'protocol-error': {
    play: async ({ stranger }) => (await stranger()).sendBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n')),
  },
  'unsupported-version': {
    play: async ({ stranger }) => (await stranger()).sendBytes([0x10, 13, 0, 4, 77, 81, 84, 84, 6, 2, 0, 0, 0, 1, 97]),
  },
  'client-identifier': {
    play: async ({ stranger }) => (await stranger()).sendBytes([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 0, 0, 0, 0, 0]),
  },
  credentials: as('wrong'),
  'not-authorized': as('nobody'),
  limit: {
    config: () => ({ limits: { maxHalfOpen: 1 } }),
    play: async ({ stranger }) => [await stranger(), await stranger()],
  },
  redirected: as('elsewhere'),
  shutdown: {
    config: withTls,
    async play({ it, stranger, broker }) {
      const arriving = await stranger('tls')
      arriving.sendBytes([0x16, 3, 1]) // the beginning of a handshake
      await it() // so much later the other has been accepted, too
      await broker.stop()
    },
  },
  unavailable: as('broken'),
}

const DROPS: Record<EventMap['message.dropped']['reason'], Case> = {
  slow: {
    config: () => ({ session: { maxSocketBuffer: 1 } }),
    async play({ it, broker }) {
      const client = await it()
      await subscribe(client, 'a', 0)
      client.socket.pause()
      for (let i = 0; i < 200; i++) await broker.publish('a', Buffer.alloc(100_000))
      client.socket.destroy()
    },
  },
  'session-full': {
    config: () => ({ session: { maxQueued: 1 } }),
    async play({ it, broker }) {
      await leave(await it(LASTING), 'a', 1)
      for (let i = 0; i < 2; i++) await broker.publish('a', 'x', { qos: 1 })
    },
  },
  'no-room': {
    config: () => ({ limits: { maxMemory: '1MB' } }),
    async play({ it, broker }) {
      await leave(await it(LASTING), 'a', 1)
      for (let i = 0; i < 2; i++) await broker.publish('a', Buffer.alloc(200_000), { qos: 1 })
    },
  },
  'packet-too-large': {
    async play({ it, broker }) {
      await subscribe(await it({ properties: { maximumPacketSize: 50 } }), 'a', 1)
      await broker.publish('a', Buffer.alloc(100), { qos: 1 })
    },
  },
  'session-ended': {
    async play({ it, broker }) {
      const client = await it()
      await subscribe(client, '$share/g/a', 2)
      await broker.publish('a', 'x', { qos: 2 })
      await client.next('publish')
      client.send({ cmd: 'disconnect', reasonCode: 0 })
    },
  },
  'not-authorized': {
    config: () => ({ access: { rules: [ALL] } }),
    async play({ it, broker }) {
      await leave(await it(LASTING), 'a', 1)
      await broker.publish('a', 'x', { qos: 1 })
      await broker.access.change({ ...broker.config.access, rules: [{ allow: 'publish', topics: ['a'] }] })
    },
  },
}

/** Subscribes, and then something happens. */
const afterwards = (happens: (stage: Stage, client: RawClient) => unknown, config?: Case['config']): Case => ({
  ...(config && { config }),
  async play(stage) {
    const client = await stage.it()
    await subscribe(client, 'a', 1)
    await happens(stage, client)
  },
})

const REMOVALS: Record<EventMap['subscription.removed']['reason'], Case> = {
  unsubscribed: afterwards((_stage, client) =>
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a'] }),
  ),
  'session-ended': afterwards((_stage, client) => client.send({ cmd: 'disconnect', reasonCode: 0 })),
  'not-authorized': afterwards(
    ({ broker }) => broker.access.change({ ...broker.config.access, rules: [{ allow: 'publish', topics: ['a'] }] }),
    () => ({ access: { rules: [ALL] } }),
  ),
  'not-stored': {
    options: () => ({
      async openStore(options) {
        const store = await openStore(options)
        const durable = store.durable.bind(store)
        let written = 0
        // The first is that of CONNECT.
        return Object.assign(store, {
          durable: () => (++written === 2 ? Promise.reject(new Error('no disk')) : durable()),
        })
      },
    }),
    async play({ it }) {
      const client = await it(LASTING)
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] })
      expect((await client.next('suback')).granted).toEqual([0x80])
    },
  },
}

const LISTS: ReadonlyArray<readonly [EventType, Readonly<Record<string, Case>>]> = [
  ['client.disconnected', ENDS],
  ['client.connecting-refused', REFUSALS],
  ['message.dropped', DROPS],
  ['subscription.removed', REMOVALS],
]

describe.each(LISTS)('%s is told with the reason', (type, cases) => {
  it.each(Object.entries(cases))('%s', (reason, scene) => expectReason(type, reason, scene))
})
