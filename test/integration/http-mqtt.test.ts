/** MQTT over WebSocket on the HTTP port: who comes in, who does not, and what is told of it. */

import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import WebSocket from 'ws'
import { formatHash, hashPassword } from '../../plugins/access/password-hash.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { until } from '../helpers/until.ts'
import { openWebSocket } from '../helpers/web-socket.ts'

type Config = NonNullable<Parameters<typeof startBroker>[0]>

const READ = 'reading-0123456789'
const OPERATE = 'operating-0123456789'

async function start(http: object = {}, more: Config = {}) {
  const broker = await startBroker({ http: { port: 0, ...http }, ...more })
  const url = `${broker.httpUrl!.replace('http', 'ws')}/mqtt`
  const port = Number(new URL(url).port)
  const connect = (headers: Record<string, string> = {}, options = {}) =>
    connectClient(port, { protocol: 'ws', path: '/mqtt', wsOptions: { headers }, ...options })
  return { broker, url, port, connect }
}

async function tokens(): Promise<string> {
  const file = join(await temporaryFolder(), 'tokens')
  await writeFile(file, `grafana read ${READ}\nada operate ${OPERATE}\n`)
  return file
}

async function users(): Promise<string> {
  const file = join(await temporaryFolder(), 'passwords')
  await writeFile(file, `ada:${formatHash(await hashPassword(Buffer.from('secret'), 1_000))}\n`)
  return file
}

/** Status, headers and body that a request gets when it asks for an upgrade. */
function askUpgrade(port: number, path: string, headers: Record<string, string>) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sent = { connection: 'upgrade', upgrade: 'websocket', ...headers }
    const asked = request({ host: '127.0.0.1', port, path, headers: sent, agent: false })
    asked.once('upgrade', () => reject(new Error('it was upgraded')))
    asked.once('response', (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.once('end', () => resolve({ status: response.statusCode!, body }))
    })
    asked.once('error', reject)
    asked.end()
  })
}

it('a program publishes and subscribes on the HTTP port, large messages too', async () => {
  const { broker, connect } = await start()
  const events = listenTo(broker, 'client.connected')
  const client = await connect({}, { protocolVersion: 5 })
  await client.mqtt.subscribeAsync('a', { qos: 2 })
  for (let i = 0; i < 20; i++) client.mqtt.publish('a', `${i}`.padEnd(100_000, 'x'), { qos: 2 })
  const got = await client.messages(20)
  expect(got.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(events.of('client.connected')).toMatchObject([{ address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) }])
})

it('a page offers its token as a subprotocol, where the broker knows no users', async () => {
  const { port } = await start({ tokenFile: await tokens() })
  const ask = (token: string) =>
    connectClient(port, {
      ...{ protocol: 'ws', path: '/mqtt' },
      createWebsocket: (url: string, protocols: string[]) => {
        const offered = `eventflow-token.${Buffer.from(token).toString('base64url')}`
        return new WebSocket(url, [...protocols, offered]) as never
      },
    })
  const client = await ask(OPERATE)
  await client.mqtt.publishAsync('a', 'x', { qos: 1 })
  await expect(ask(READ)).rejects.toThrow()
  await expect(ask('unknown-0123456789')).rejects.toThrow()
})

it('it is one of the listeners that are shown, and is told of', async () => {
  const { broker, url, port } = await start()
  const { listeners } = (await (await fetch(`${broker.httpUrl}/api/v1/overview`)).json()) as { listeners: unknown[] }
  expect(listeners).toContainEqual({ name: 'http', url })
  const events = listenTo(broker, 'listener.closed')
  await broker.stop()
  expect(events.of('listener.closed')).toContainEqual({ listener: 'http', host: '127.0.0.1', port })
})

it('a stop says goodbye to clients that came this way, and ends', async () => {
  const { broker, connect } = await start()
  const client = await connect({}, { protocolVersion: 5 })
  const goodbye = new Promise<number | undefined>((resolve) =>
    client.mqtt.once('disconnect', ({ reasonCode }) => resolve(reasonCode)),
  )
  await broker.stop()
  expect(await goodbye).toBe(0x8b)
})

it('users say who they are as everywhere: by their password, and no token is asked for', async () => {
  const { connect } = await start({ tokenFile: await tokens() }, { access: { passwordFile: await users() } })
  await connect({}, { username: 'ada', password: 'secret' })
  await expect(connect({}, { username: 'ada', password: 'wrong' })).rejects.toThrow()
  await expect(connect()).rejects.toThrow()
})

it('tokens of a broker that has no users keep out whoever has none that may operate', async () => {
  const { broker, url, connect } = await start({ tokenFile: await tokens() })
  const events = listenTo(broker, 'client.connecting-refused', 'client.connected')
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  await expect(openWebSocket(url)).rejects.toThrow('HTTP 401')
  await expect(openWebSocket(url, 'mqtt', bearer('guessing-0123456789'))).rejects.toThrow('HTTP 401')
  await expect(openWebSocket(url, 'mqtt', bearer(READ))).rejects.toThrow('HTTP 403')
  expect(events.of('client.connecting-refused')).toHaveLength(3)
  expect(events.of('client.connected')).toEqual([])
  await connect({ authorization: `Bearer ${OPERATE}` })
})

it.each([
  ['a page of another site', { origin: 'https://theirs.example' }, 403, 'ORIGIN_REFUSED'],
  ['a page in a sandbox', { origin: 'null' }, 403, 'ORIGIN_REFUSED'],
  [
    'a name that was made to point here',
    { host: 'theirs.example', origin: 'http://theirs.example' },
    421,
    'HOST_UNKNOWN',
  ],
  ['a request without the subprotocol mqtt', { 'sec-websocket-protocol': 'chat' }, 400, 'WEBSOCKET_INVALID'],
  ['a key that is none', { 'sec-websocket-key': 'x' }, 400, 'WEBSOCKET_INVALID'],
  ['a version that is unknown', { 'sec-websocket-version': '7' }, 400, 'WEBSOCKET_INVALID'],
])('%s is turned away, and told of', async (_what, headers, status, code) => {
  const { broker, port } = await start()
  const events = listenTo(broker, 'client.connecting-refused')
  const good = {
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'mqtt',
  }
  const answer = await askUpgrade(port, '/mqtt', { ...good, ...headers })
  expect(answer.status).toBe(status)
  expect(JSON.parse(answer.body)).toMatchObject({ status, code })
  expect(events.of('client.connecting-refused')).toMatchObject([{ reason: 'handshake', reasonCode: 0x80 }])
})

it('its own pages come in, and those of sites that are named, which may change while it runs', async () => {
  const { broker, url } = await start()
  await openWebSocket(url, 'mqtt', { origin: broker.httpUrl! })
  const origin = 'https://ours.example'
  await expect(openWebSocket(url, 'mqtt', { origin })).rejects.toThrow('HTTP 403')
  await broker.reload({ ...broker.config, http: { ...broker.config.http, origins: [origin] } })
  await openWebSocket(url, 'mqtt', { origin })
  const api = await fetch(`${broker.httpUrl}/api/v1/overview`, { headers: { origin } })
  expect(api.status).toBe(403)
})

it('other paths are no WebSocket, and what asks for another upgrade there is answered as usual', async () => {
  const { port, url } = await start()
  await expect(openWebSocket(url.replace('/mqtt', '/mqtt/x'))).rejects.toThrow('HTTP 404')
  await expect(openWebSocket(url.replace('/mqtt', '/elsewhere'))).rejects.toThrow('HTTP 404')
  expect(await askUpgrade(port, '/health', { upgrade: 'h2c' })).toEqual({ status: 200, body: '{"status":"ok"}' })
})

it('a request that asks for HTTP/2 is served with its body, and others after it on the same connection', async () => {
  const { port } = await start()
  const socket = connectTcp(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  let answers = ''
  socket.on('data', (chunk) => {
    answers += chunk
  })
  const head = `POST /api/v1/publish HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n`
  const body = JSON.stringify({ topic: 'a', payload: 'x'.repeat(300_000) })
  for (let i = 1; i <= 12; i++) {
    socket.write(`${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    await until('it is answered', () => answers.split(/HTTP\/1\.1 2\d\d /).length - 1 === i)
  }
})

it('who asks and is gone before the answer disturbs nobody', async () => {
  const { broker, port } = await start()
  const head = `POST /api/v1/publish HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n`
  for (const upgrade of ['h2c', 'websocket']) {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const socket = connectTcp(port, '127.0.0.1').on('error', () => {})
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.resume()
      await new Promise((resolve) => socket.write(`${head}Upgrade: ${upgrade}\r\nContent-Length: 9\r\n\r\n{`, resolve))
      socket[leave]()
      await closed
    }
  }
  expect((await fetch(`${broker.httpUrl}/ready`)).status).toBe(200)
})

it('who asks for no upgrade is told to', async () => {
  const { broker } = await start()
  const answer = await fetch(`${broker.httpUrl}/mqtt`)
  expect(answer.status).toBe(426)
  expect(await answer.json()).toMatchObject({ code: 'UPGRADE_MISSING' })
})

it('it is not there when the configuration says so', async () => {
  const { broker, url } = await start({ mqtt: false })
  await expect(openWebSocket(url)).rejects.toThrow()
  expect((await fetch(`${broker.httpUrl}/mqtt`)).status).toBe(404)
})

it('the limits for connections hold here too, and free a place when a client goes', async () => {
  const { broker, url, connect } = await start({}, { limits: { maxConnections: 1 } })
  const events = listenTo(broker, 'client.connecting-refused', 'client.disconnected')
  const first = await connect()
  await expect(openWebSocket(url)).rejects.toThrow('HTTP 422')
  expect(events.of('client.connecting-refused')).toMatchObject([{ reason: 'limit', reasonCode: 0x97 }])
  await first.mqtt.endAsync()
  await events.find('client.disconnected')
  await connect()
})

it('a request that is refused takes no place', async () => {
  const { url, connect } = await start({}, { limits: { maxConnections: 1 } })
  await expect(openWebSocket(url, 'chat')).rejects.toThrow('HTTP 400')
  await connect()
})

it('a message larger than a packet may be ends the connection', async () => {
  const { broker, url } = await start({}, { mqtt: { maxPacketSize: '64KB' } })
  const attacker = await openWebSocket(url, 'mqtt', { perMessageDeflate: true })
  expect(attacker.ws.extensions).toBe('')
  attacker.ws.send(Buffer.alloc(70_000))
  expect(await attacker.closed).toBe(1009)
  expect((await fetch(`${broker.httpUrl}/ready`)).status).toBe(200)
})

it('larger packets are taken when the limit is raised while the broker runs', async () => {
  const { broker, connect } = await start({}, { mqtt: { maxPacketSize: 1_000 } })
  await broker.reload({ ...broker.config, mqtt: { ...broker.config.mqtt, maxPacketSize: 1_000_000 } })
  const client = await connect()
  await client.mqtt.publishAsync('a', 'x'.repeat(200_000), { qos: 1 })
})

it.each([
  ['a proxy that is named', ['127.0.0.0/8'], '203.0.113.5:0'],
  ['nobody else', ['10.0.0.7'], expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
])('the address that X-Forwarded-For gives a client is believed of %s', async (_who, forwardedFor, address) => {
  const { broker, connect } = await start({ forwardedFor })
  const events = listenTo(broker, 'client.connected')
  await connect({ 'x-forwarded-for': '198.51.100.1, 203.0.113.5' })
  expect(events.of('client.connected')).toMatchObject([{ address }])
})
