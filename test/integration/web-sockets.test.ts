/** MQTT over WebSocket: what a browser or a program does, and what it should not. */

import { connect as connectTcp } from 'node:net'
import { generate, type Packet } from 'mqtt-packet'
import { expect, it, onTestFinished } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { tlsFiles } from '../helpers/tls.ts'
import { openWebSocket } from '../helpers/web-socket.ts'

async function start(ws = {}, more = {}) {
  const broker = await startBroker({ listeners: { tcp: { port: 0 }, ws: { port: 0, ...ws } }, ...more })
  const { port, url } = broker.listeners[1]!
  return { broker, wsPort: port, url, connect: () => connectClient(port, { protocol: 'ws', path: '/mqtt' }) }
}

it('a program publishes and subscribes over ws://, large messages too', async () => {
  const { connect } = await start()
  const client = await connect()
  await client.mqtt.subscribeAsync('a', { qos: 2 })
  for (let i = 0; i < 20; i++) client.mqtt.publish('a', `${i}`.padEnd(100_000, 'x'), { qos: 2 })
  const got = await client.messages(20)
  expect(got.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

it('a client that was told no path is served', async () => {
  const { wsPort } = await start()
  const client = await connectClient(wsPort, { protocol: 'ws', path: '/' })
  await client.mqtt.publishAsync('a', 'x', { qos: 1 })
})

it('and over wss://', async () => {
  const files = await tlsFiles()
  const broker = await startBroker({ listeners: { tcp: { port: 0 }, wss: files.options } })
  const { port } = broker.listeners[1]!
  const client = await connectClient(port, { protocol: 'wss', path: '/mqtt', ca: files.authority.cert })
  await client.mqtt.publishAsync('a', 'x', { qos: 2 })
})

it.each([
  ['another path', {}, '/other', {}, 'HTTP 404'],
  [
    'a page of another site',
    { origins: ['https://ours.example'] },
    '/mqtt',
    { origin: 'https://theirs.example' },
    'HTTP 403',
  ],
])('%s is turned away, and told of', async (_what, options, path, client, answer) => {
  const { broker, url } = await start(options)
  const events = listenTo(broker, 'client.connecting-refused')
  await expect(openWebSocket(url.replace('/mqtt', path), 'mqtt', client)).rejects.toThrow(answer)
  expect(events.all).toHaveLength(1)
})

it('a page of a site that is named is let in', async () => {
  const { url } = await start({ origins: ['https://ours.example'] })
  await openWebSocket(url, 'mqtt', { origin: 'https://ours.example' })
})

it.each([
  ['a proxy that is named', ['127.0.0.0/8'], '203.0.113.5:0'],
  ['nobody else', ['10.0.0.7'], expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
])('the address that X-Forwarded-For gives a client is believed of %s', async (_who, forwardedFor, address) => {
  const { broker, wsPort } = await start({ forwardedFor })
  const events = listenTo(broker, 'client.connected')
  const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.5' }
  await connectClient(wsPort, { protocol: 'ws', path: '/mqtt', wsOptions: { headers } })
  expect(events.of('client.connected')).toMatchObject([{ address }])
})

it('who is believed, and who may connect, change while the broker runs', async () => {
  const { broker, url, wsPort } = await start()
  const config = broker.config
  const ws = { ...config.listeners.ws!, forwardedFor: ['127.0.0.1'], origins: ['https://ours.example'] }
  const { changed } = await broker.reload({ ...config, listeners: { ...config.listeners, ws } })
  expect(changed).toEqual(['listeners.ws.origins', 'listeners.ws.forwardedFor'])
  const events = listenTo(broker, 'client.connected')
  const wsOptions = { headers: { 'x-forwarded-for': '203.0.113.5' } }
  await connectClient(wsPort, { protocol: 'ws', path: '/mqtt', wsOptions })
  expect(events.of('client.connected')).toMatchObject([{ address: '203.0.113.5:0' }])
  await expect(openWebSocket(url, 'mqtt', { origin: 'https://theirs.example' })).rejects.toThrow('HTTP 403')
})

it('larger messages are taken when the limit is raised while the broker runs', async () => {
  const { broker, connect } = await start({}, { mqtt: { maxPacketSize: 1_000 } })
  const small = await connect()
  small.mqtt.publish('a', 'x'.repeat(200_000), { qos: 1 })
  await new Promise<void>((resolve) => small.mqtt.once('close', () => resolve()))
  await broker.reload({ ...broker.config, mqtt: { ...broker.config.mqtt, maxPacketSize: 1_000_000 } })
  const large = await connect()
  await large.mqtt.publishAsync('a', 'x'.repeat(200_000), { qos: 1 })
})

it('who sends no whole request is closed when the time is up', async () => {
  const { broker, wsPort } = await start({}, { mqtt: { connectTimeout: '200ms' } })
  const events = listenTo(broker, 'client.connecting-refused')
  const socket = connectTcp(wsPort, '127.0.0.1').on('error', () => {})
  onTestFinished(() => void socket.destroy())
  socket.write('GET /mqtt HTTP/1.1\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  await events.find('client.connecting-refused', { reason: 'timeout', message: 'the handshake took too long' })
})

it('a text frame is a protocol error of its client, and hurts nobody else', async () => {
  const { broker, url, connect } = await start()
  const events = listenTo(broker, 'client.connecting-refused')
  const other = await connect()
  const { ws, closed } = await openWebSocket(url)
  ws.send('text')
  await closed
  expect(events.of('client.connecting-refused')).toMatchObject([{ reasonCode: 0x82 }])
  await other.mqtt.publishAsync('a', 'x', { qos: 1 })
})

it('a message that is larger than any packet may be is cut off', async () => {
  const { url } = await start({}, { mqtt: { maxPacketSize: '64KB' } })
  const { ws, closed } = await openWebSocket(url)
  ws.send(Buffer.alloc(65_537))
  expect(await closed).toBe(1009)
})

it('a reader that never reads has its QoS 0 messages dropped, while another gets all of them', async () => {
  const { broker, url, connect } = await start({}, { session: { maxSocketBuffer: '64KB' } })
  const events = listenTo(broker, 'message.dropped')
  const { ws, mqtt } = await openWebSocket(url)
  const send = (packet: Packet) => ws.send(generate(packet))
  send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'stuck', clean: true, keepalive: 0 })
  send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'flood', qos: 0 }] })
  await mqtt.next('suback')
  ws.pause()
  const reader = await connect()
  await reader.mqtt.subscribeAsync('flood')
  const writer = await connect()
  let sent = 0
  while (events.all.length < 20) {
    await writer.mqtt.publishAsync('flood', Buffer.alloc(65_536), { qos: 1 })
    await reader.messages(++sent)
  }
  expect(new Set(events.of('message.dropped').map(({ clientId }) => clientId))).toEqual(new Set(['stuck']))
})
