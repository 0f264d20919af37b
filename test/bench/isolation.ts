/**
 * How long a message takes to 50 subscribers, alone and beside one that never reads: `npx tsx test/bench/isolation.ts`.
 * The two columns should be the same but for noise.
 */

import { connect, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'
import { Eventflow } from '../../src/eventflow.ts'

const READERS = 50
const MESSAGES = 2_000
const PAYLOAD = Buffer.alloc(4_096)

const broker = new Eventflow({ config: { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' } } })
await broker.start()

async function subscriber(clientId: string, onPublish: () => void): Promise<Socket> {
  const socket = connect({ port: broker.address.port, host: '127.0.0.1', noDelay: true })
  const reader = parser({ protocolVersion: 4 })
  const send = (packet: Packet): boolean => socket.write(generate(packet))
  send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean: true, keepalive: 0 })
  send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] })
  socket.on('data', (chunk) => reader.parse(chunk))
  await new Promise<void>((resolve) => {
    reader.on('packet', ({ cmd }) => {
      if (cmd === 'suback') resolve()
      if (cmd === 'publish') onPublish()
    })
  })
  return socket
}

/** Milliseconds from publishing a message until the last of all has it, sorted. */
async function measure(received: { count: number; told: () => void }): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < MESSAGES; i++) {
    received.count = 0
    const all = new Promise<void>((resolve) => {
      received.told = resolve
    })
    const start = performance.now()
    await broker.publish('t', PAYLOAD)
    await all
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)
}

const received = { count: 0, told: (): void => {} }
for (let i = 0; i < READERS; i++) {
  await subscriber(`reader-${i}`, () => {
    if (++received.count === READERS) received.told()
  })
}
await measure(received) // until the code is warm
for (const beside of ['alone', 'beside one that never reads']) {
  if (beside !== 'alone') (await subscriber('stuck', () => {})).pause()
  const times = await measure(received)
  const at = (share: number): string => times[Math.floor(times.length * share)]!.toFixed(2)
  process.stdout.write(`${beside}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`)
}
await broker.stop()
process.exit(0)
