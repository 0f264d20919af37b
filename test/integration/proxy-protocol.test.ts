/** Proxies that tell the address of the client, and clients that only say so. */

import { connect as connectTls } from 'node:tls'
import { generate } from 'mqtt-packet'
import { expect, it, onTestFinished } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { greet, openRaw, RawClient } from '../helpers/raw-client.ts'
import { tlsFiles } from '../helpers/tls.ts'
import { openWebSocket } from '../helpers/web-socket.ts'

const HEADER = 'PROXY TCP4 192.0.2.7 192.0.2.1 50412 1883\r\n'
const LOOPBACK = ['127.0.0.0/8']
const CONNECT = generate({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clientId: 'c',
  clean: true,
  keepalive: 0,
})

async function start(proxyProtocol: string[]) {
  const files = await tlsFiles()
  const broker = await startBroker({
    listeners: {
      tcp: { port: 0, proxyProtocol },
      tls: { ...files.options, proxyProtocol },
      ws: { port: 0, proxyProtocol },
    },
  })
  const events = listenTo(broker, 'client.connected', 'client.connecting-refused')
  return { broker, events, files }
}

it('the client has the address that a named proxy tells, in whatever pieces it comes', async () => {
  const { broker, events } = await start(LOOPBACK)
  const client = await openRaw(broker.port)
  for (const byte of Buffer.from(HEADER)) client.sendBytes([byte])
  await greet(client)
  const together = await openRaw(broker.port)
  together.sendBytes(Buffer.concat([Buffer.from(HEADER), CONNECT]))
  await together.next('connack')
  expect(events.of('client.connected').map(({ address }) => address)).toEqual(['192.0.2.7:50412', '192.0.2.7:50412'])
})

it('the header comes before TLS', async () => {
  const { broker, events, files } = await start(LOOPBACK)
  const { socket } = await openRaw(broker.listeners[1]!.port)
  socket.removeAllListeners('data')
  socket.write(HEADER)
  const secure = connectTls({ socket, ca: files.authority.cert, host: 'localhost' })
  onTestFinished(() => void secure.destroy())
  await new Promise<void>((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject))
  await greet(new RawClient(secure, 4))
  expect(events.of('client.connected')[0]!.address).toBe('192.0.2.7:50412')
})

it('and before HTTP', async () => {
  const { broker, events } = await start(LOOPBACK)
  const { url, port } = broker.listeners[2]!
  const { socket } = await openRaw(port)
  socket.removeAllListeners('data')
  socket.write(HEADER)
  const { ws, mqtt } = await openWebSocket(url, 'mqtt', { createConnection: () => socket })
  ws.send(CONNECT)
  await mqtt.next('connack')
  expect(events.of('client.connected')[0]!.address).toBe('192.0.2.7:50412')
})

it('a named proxy that tells none is closed, and told of', async () => {
  const { broker, events } = await start(LOOPBACK)
  const client = await openRaw(broker.port)
  client.sendBytes(CONNECT)
  await client.end()
  expect(client.received).toEqual([])
  expect(events.of('client.connecting-refused')).toMatchObject([
    { reason: 'handshake', message: expect.stringMatching(/PROXY header/) },
  ])
})

it('who is not named is not believed: a header is no MQTT', async () => {
  const { broker, events } = await start(['192.0.2.0/24'])
  const client = await openRaw(broker.port)
  client.sendBytes(Buffer.from(HEADER))
  await client.end()
  expect(events.of('client.connecting-refused')[0]!.address).toMatch(/^127\.0\.0\.1:/)
  await greet(await openRaw(broker.port))
})
