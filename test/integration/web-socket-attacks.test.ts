/** Tricks with frames of WebSocket: none takes more memory than a packet may, and others are served meanwhile. */

import { connect, type Socket } from 'node:net'
import { generate } from 'mqtt-packet'
import { expect, it, onTestFinished } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { heldBytesWithBuffers as held } from '../helpers/heap.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'
import { openWebSocket } from '../helpers/web-socket.ts'

const MEGABYTE = 1024 * 1024
const BINARY = 2
const CONTINUATION = 0
const PING = 9
const FIN = 0x80
const COMPRESSED = 0x40

/** A frame of a client, masked with zeros; its length is written in eight bytes, and may be a lie. */
function frame(first: number, payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(14)
  head[0] = first
  head[1] = 0x80 | 127
  head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, payload])
}

/** A control frame: its length is in one byte. */
const control = (first: number, payload: Uint8Array) =>
  Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload])

async function start() {
  const broker = await startBroker({ listeners: { tcp: { port: 0 }, ws: { port: 0 } }, mqtt: { maxPacketSize: '1MB' } })
  const other = await connectRaw(broker.port)
  const { url } = broker.listeners[1]!
  const attacker = await openWebSocket(url, 'mqtt', { perMessageDeflate: true })
  /** The connection below, on which frames can be made by hand. */
  const raw = (attacker.ws as unknown as { _socket: Socket })._socket
  const served = () => other.settled()
  return { broker, attacker, raw, served, url }
}

async function connectHttp(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  onTestFinished(() => void socket.destroy())
  socket.resume()
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

it('compression is not agreed on, and a compressed frame is refused', async () => {
  const { attacker, raw, served } = await start()
  expect(attacker.ws.extensions).toBe('')
  raw.write(frame(FIN | COMPRESSED | BINARY, Buffer.from('x')))
  expect(await attacker.closed).toBe(1002)
  await served()
})

it.each([
  ['a frame that is said to have a terabyte', frame(FIN | BINARY, Buffer.alloc(100), 2 ** 40), 1009],
  ['a frame that is larger than a packet may be', frame(FIN | BINARY, Buffer.alloc(100), MEGABYTE + 1), 1009],
  [
    'fragments of one byte without end',
    Buffer.concat(Array.from({ length: 20_000 }, (_, i) => frame(i === 0 ? BINARY : CONTINUATION, Buffer.from('x')))),
    1008,
  ],
  [
    'empty fragments without end',
    Buffer.concat(Array.from({ length: 20_000 }, (_, i) => frame(i === 0 ? BINARY : CONTINUATION, Buffer.alloc(0)))),
    1008,
  ],
  [
    'fragments that are together larger than a packet may be',
    Buffer.concat([frame(BINARY, Buffer.alloc(MEGABYTE)), frame(CONTINUATION, Buffer.alloc(1))]),
    1009,
  ],
])('%s: the connection ends', async (_what, bytes, code) => {
  const { broker, attacker, raw, served } = await start()
  const events = listenTo(broker, 'client.connecting-refused')
  raw.write(bytes)
  expect(await attacker.closed).toBe(code)
  await served()
  await events.find('client.connecting-refused', { reasonCode: 0x81 })
})

it('packets in fragments of one byte are served all the same', async () => {
  const { attacker, raw } = await start()
  const bytes = generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c', clean: true })
  for (const [i, byte] of bytes.entries()) {
    const last = i === bytes.length - 1 ? FIN : 0
    raw.write(frame(last | (i === 0 ? BINARY : CONTINUATION), Buffer.from([byte])))
  }
  await attacker.mqtt.next('connack')
})

it('a frame that drips in byte by byte takes no more than a multiple of its bytes', async () => {
  const { attacker, raw, served } = await start()
  const send = (bytes: Uint8Array) => new Promise((resolve) => raw.write(bytes, resolve))
  const greeting = generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c', clean: true })
  await send(frame(FIN | BINARY, greeting))
  await attacker.mqtt.next('connack')
  const before = held()
  await send(frame(FIN | BINARY, Buffer.alloc(0), MEGABYTE))
  let gone = false
  void attacker.closed.then(() => {
    gone = true
  })
  for (let i = 0; i < 10_000 && !gone; i++) {
    await send(Buffer.from('x'))
    if (i % 100 === 0) await served()
  }
  expect(held() - before).toBeLessThan(8 * MEGABYTE)
  await served()
})

it('pings without end whose answers nobody reads', async () => {
  const { attacker, raw, served } = await start()
  const greeting = generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c', clean: true })
  raw.write(frame(FIN | BINARY, greeting))
  await attacker.mqtt.next('connack')
  attacker.ws.pause()
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => control(FIN | PING, Buffer.alloc(125))))
  const before = held()
  for (let i = 0; i < 200; i++) {
    await new Promise((resolve) => raw.write(pings, resolve))
    await served()
  }
  await until('no more is held than a few answers', () => held() - before < 8 * MEGABYTE)
  attacker.ws.resume()
})

it('requests that never become a WebSocket end when their time is up, or their header is too large', async () => {
  const listeners = { tcp: { port: 0 }, ws: { port: 0 } }
  const broker = await startBroker({ listeners, mqtt: { connectTimeout: '300ms' } })
  const events = listenTo(broker, 'client.connecting-refused')
  const { port } = broker.listeners[1]!
  const slow = await connectHttp(port)
  slow.write('GET /mqtt HTTP/1.1\r\n')
  const large = await connectHttp(port)
  large.write(`GET /mqtt HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n`)
  await Promise.all([slow, large].map((socket) => new Promise((resolve) => socket.once('close', resolve))))
  await until('both are told of', () => events.all.length === 2)
})

it('large frames that are not finished count before CONNECT, too: the oldest give way', async () => {
  const broker = await startBroker({ listeners: { tcp: { port: 0 }, ws: { port: 0 } } })
  const events = listenTo(broker, 'client.connecting-refused')
  const { url } = broker.listeners[1]!
  const before = held()
  const part = Buffer.alloc(5 * MEGABYTE, 0x10)
  for (let i = 0; i < 20; i++) (await openWebSocket(url)).ws.send(part, { fin: false })
  await until('some have given way', () => events.all.length >= 5)
  expect(events.all[0]).toMatchObject({ data: { reason: 'limit', reasonCode: 0x97 } })
  expect(held() - before).toBeLessThan(200 * MEGABYTE) // the senders are in this process, too
  await (await connectRaw(broker.port)).settled()
})
