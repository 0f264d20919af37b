/** Why connections end, and why they do not begin: from two closed lists, and true. Real sockets, on both versions of MQTT. */

import { generate } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import type { EventMap } from '../../src/core/events.ts'
import type { Eventflow } from '../../src/eventflow.ts'
import { definePlugin, type PluginContext, ReasonCode, Refusal } from '../../src/plugin.ts'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, sub } from '../helpers/mosquitto.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'

type Ended = Partial<EventMap['client.disconnected']>
type Refused = Partial<EventMap['client.connecting-refused']>

/** Keeps what it is given, for a test to use. */
function spy() {
  const held: { context: PluginContext | null } = { context: null }
  const plugin = definePlugin({
    name: 'spy',
    setup(context) {
      held.context = context
      return undefined
    },
  })
  return { plugin, held }
}

async function arrange(config: Parameters<typeof startBroker>[0] = {}) {
  const { plugin, held } = spy()
  const broker = await startBroker(config, { plugins: [plugin] })
  const events = listenTo(broker, 'client.disconnected', 'client.connecting-refused')
  const ended = () => events.find('client.disconnected', { clientId: 'it' })
  return { broker, port: broker.port, context: held.context!, events, ended }
}

describe.each([
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const)('a client on MQTT $name', ({ version }) => {
  const connect = (port: number, options = {}) =>
    connectRaw(port, { protocolVersion: version, clientId: 'it', ...options })

  it('that says goodbye: client', async () => {
    const { port, ended } = await arrange()
    const client = await connect(port)
    client.send({ cmd: 'disconnect' })
    expect(await ended()).toMatchObject({ reason: 'client', reasonCode: 0, message: '' } satisfies Ended)
  })

  it('that closes without goodbye, as the system does for one that was killed: network', async () => {
    const { port, ended } = await arrange()
    const client = await connect(port)
    client.socket.end()
    const message = 'the client closed it without DISCONNECT'
    expect(await ended()).toMatchObject({ reason: 'network', reasonCode: 0, message } satisfies Ended)
  })

  it('whose connection is reset: network, with what the system says', async () => {
    const { port, ended } = await arrange()
    const client = await connect(port)
    client.socket.resetAndDestroy()
    const message = 'the connection broke: ECONNRESET'
    expect(await ended()).toMatchObject({ reason: 'network', reasonCode: 0, message } satisfies Ended)
  })

  it('that is not heard of, as after a cable was cut: keep-alive', async () => {
    const { port, ended } = await arrange()
    await connect(port, { keepalive: 1 })
    expect(await ended()).toMatchObject({ reason: 'keep-alive', reasonCode: 0x8d } satisfies Ended)
  })

  it('whose identifier another connection takes: takeover', async () => {
    const { port, ended } = await arrange()
    await connect(port)
    await connect(port)
    expect(await ended()).toMatchObject({ reason: 'takeover', reasonCode: 0x8e } satisfies Ended)
  })

  it('that sends what is not MQTT: protocol-error, with its kind', async () => {
    const { port, ended } = await arrange()
    const client = await connect(port)
    client.sendBytes([0x36, 3, 0, 1, 0x61]) // a PUBLISH of QoS 3
    expect(await ended()).toMatchObject({ reason: 'protocol-error', reasonCode: 0x81 } satisfies Ended)
  })

  it('that sends CONNECT twice: protocol-error', async () => {
    const { port, ended } = await arrange()
    const client = await connect(port)
    client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId: 'it', clean: true })
    expect(await ended()).toMatchObject({ reason: 'protocol-error', reasonCode: 0x82 } satisfies Ended)
  })

  it('that an operator or a plugin sends away: kicked', async () => {
    const { port, context, ended } = await arrange()
    await connect(port)
    context.disconnect('it', new Refusal(ReasonCode.AdministrativeAction, 'maintenance'))
    const expected = { reason: 'kicked', reasonCode: 0x98, message: 'maintenance' } satisfies Ended
    expect(await ended()).toMatchObject(expected)
  })

  it('that asks and does not read the answers: slow', async () => {
    const config = { mqtt: { maxPacketSize: '64KB' }, session: { maxSocketBuffer: '64KB' } }
    const { port, ended } = await arrange(config)
    const client = await connect(port)
    client.socket.pause()
    const pings = Buffer.concat(Array.from({ length: 32_768 }, () => generate({ cmd: 'pingreq' })))
    // The kernel keeps some megabytes of answers; then they are ours.
    const ask = (): void => {
      if (!client.socket.destroyed) client.socket.write(pings, () => setImmediate(ask))
    }
    ask()
    expect(await ended()).toMatchObject({ reason: 'slow', reasonCode: 0x97 } satisfies Ended)
    client.socket.destroy()
  })

  it('of a broker that stops: shutdown', async () => {
    const { broker, port, ended } = await arrange()
    await connect(port)
    const stopped = broker.stop()
    expect(await ended()).toMatchObject({ reason: 'shutdown', reasonCode: 0x8b } satisfies Ended)
    await stopped
  })
})

it.each([
  [0x04, 'and asks for its will'],
  [0x80, 'and does not say why'],
  [0x81, 'because of what it was sent'],
  [0x93, 'because it was sent too much at once'],
  [0x98, 'by order of somebody'],
])('a client on MQTT 5.0 that says goodbye with %i, %s, is told of with that', async (reasonCode) => {
  const { port, ended } = await arrange()
  const client = await connectRaw(port, { protocolVersion: 5, clientId: 'it' })
  client.send({ cmd: 'disconnect', reasonCode })
  expect(await ended()).toMatchObject({ reason: 'client', reasonCode } satisfies Ended)
})

it('a client on MQTT 3.1.1 that publishes what it may not: not-authorized', async () => {
  const { port, ended } = await arrange()
  const client = await connectRaw(port, { clientId: 'it' })
  client.send({ cmd: 'publish', topic: '$SYS/x', payload: '', qos: 0, dup: false, retain: false })
  expect(await ended()).toMatchObject({ reason: 'not-authorized', reasonCode: 0x87 } satisfies Ended)
})

it('a client whose packet the broker fails over: error, and what failed is told apart', async () => {
  const broken = definePlugin({
    name: 'broken',
    setup: ({ namespace }) => {
      const accept = () => {
        throw new TypeError('a fault')
      }
      namespace('broken/', { accept, subscribe: () => undefined, unsubscribe() {} })
      return undefined
    },
  })
  const broker = await startBroker({}, { plugins: [broken] })
  const events = listenTo(broker, 'client.disconnected', 'broker.error')
  const client = await connectRaw(broker.port, { clientId: 'it' })
  client.send({ cmd: 'publish', topic: 'broken/x', payload: '', qos: 1, messageId: 1, dup: false, retain: false })
  expect(await events.find('client.disconnected')).toMatchObject({ reason: 'error', reasonCode: 0x80 })
  expect(events.of('broker.error')).toMatchObject([{ code: 'UNEXPECTED' }])
})

describeWithMosquitto('mosquitto_sub', () => {
  it.each(['mqttv311', 'mqttv5'])(
    'over %s that is killed is network, and one that is asked to end is client',
    async (v) => {
      const { port, events } = await arrange()
      const killed = await sub(port, '-V', v, '-i', 'killed', '-t', 'a')
      const asked = await sub(port, '-V', v, '-i', 'asked', '-t', 'a')
      await killed.end('SIGKILL')
      await asked.end('SIGTERM')
      expect(await events.find('client.disconnected', { clientId: 'killed' })).toMatchObject({ reason: 'network' })
      expect(await events.find('client.disconnected', { clientId: 'asked' })).toMatchObject({ reason: 'client' })
    },
  )
})

describe('a connection that is refused', () => {
  const CONNECT = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'it', clean: true } as const

  /** Who refuses clients, by their user name. */
  const doorman = definePlugin({
    name: 'doorman',
    setup({ authenticator }) {
      const codes: Record<string, number> = { later: 0x9f, elsewhere: 0x9c, nobody: 0x87, broken: 0 }
      authenticator({
        name: 'doorman',
        authenticate({ username }) {
          const code = codes[username ?? '']
          if (code === 0) throw new TypeError('a fault')
          if (code !== undefined) throw new Refusal(code, 'not you')
          return username === 'wrong' ? 'deny' : 'allow'
        },
      })
      return undefined
    },
  })

  const as = (username: string) => (client: RawClient) =>
    client.send({ ...CONNECT, username, password: Buffer.alloc(1) })

  it.each<[what: string, tried: (client: RawClient) => void, told: Refused]>([
    [
      'speaks HTTP',
      (client) => client.sendBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n')),
      { reason: 'protocol-error', reasonCode: 0x82 },
    ],
    [
      'asks for MQTT 6',
      (client) => client.sendBytes([0x10, 13, 0, 4, 77, 81, 84, 84, 6, 2, 0, 0, 0, 1, 97]),
      { reason: 'unsupported-version', reasonCode: 0x84 },
    ],
    [
      'has no identifier, and a session to keep',
      (client) => client.sendBytes([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 0, 0, 0, 0, 0]),
      { reason: 'client-identifier', reasonCode: 0x85 },
    ],
    ['has the wrong password', as('wrong'), { reason: 'credentials', reasonCode: 0x86 }],
    ['may not connect', as('nobody'), { reason: 'not-authorized', reasonCode: 0x87, message: 'not you' }],
    ['is one too many', as('later'), { reason: 'limit', reasonCode: 0x9f }],
    ['belongs elsewhere', as('elsewhere'), { reason: 'redirected', reasonCode: 0x9c }],
    ['meets a fault', as('broken'), { reason: 'unavailable', reasonCode: 0x88, message: 'the broker failed' }],
    ['never sends CONNECT', () => {}, { reason: 'timeout', reasonCode: 0x89 }],
  ])('because it %s', async (_what, tried, told) => {
    const broker: Eventflow = await startBroker({ mqtt: { connectTimeout: '1s' } }, { plugins: [doorman] })
    const events = listenTo(broker, 'client.connecting-refused', 'client.connected')
    const client = await openRaw(broker.address.port)
    tried(client)
    await client.end()
    expect(events.all).toMatchObject([{ type: 'client.connecting-refused', data: told }])
    expect(events.of('client.connecting-refused')[0]!.address).toMatch(/^127\.0\.0\.1:\d+$/)
  })
})
