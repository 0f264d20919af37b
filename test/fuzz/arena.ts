/**
 * A broker under attack, and those who must not notice: two clients that exchange messages, and observers who are
 * subscribed to everything and check each byte that they get. Whatever goes wrong is collected as a fault.
 */

import { connect, type Socket } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import type { Events } from '../../src/core/events.ts'
import type { Logger } from '../../src/plugin.ts'
import { startBroker } from '../helpers/broker.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { encode, packet, type Stream, type Version } from './streams.ts'
import { StrictReader } from './strict-reader.ts'

type Config = NonNullable<Parameters<typeof startBroker>[0]>

/** Stands in every packet that is to be refused: who sees it saw too much. */
export const FORBIDDEN = 'FORBIDDEN'

export interface Arena {
  readonly port: number
  readonly events: Events
  readonly stop: () => Promise<void>
  readonly faults: unknown[]
  /** Messages that the observers have seen. */
  seen(): number
  /** The two exchange messages at each QoS; rejects, or never resolves, if they were disturbed. */
  exchange(): Promise<void>
}

export async function openArena(config: Config = {}): Promise<Arena> {
  const faults: unknown[] = []
  const fault = (data: unknown, text: unknown): void => void faults.push({ text, data })
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: fault }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, fault)
    onTestFinished(() => void process.off(event, fault))
  }
  const broker = await startBroker({ mqtt: { connectTimeout: 500 }, ...config }, { logger })
  const { port } = broker
  onTestFinished(broker.events.listen(['broker.error', 'store.failed'], (type, data) => fault(data, type)))
  let seen = 0
  for (const version of [3, 4, 5] as const) await observe(port, version, fault, () => seen++)
  const exchange = await pair(port)
  return { port, events: broker.events, faults, exchange, seen: () => seen, stop: () => broker.stop() }
}

/** A client that is subscribed to everything and checks all that it gets. */
async function observe(port: number, version: Version, fault: (data: unknown, text: string) => void, saw: () => void) {
  const client = await connectRaw(port, { protocolVersion: version, clientId: `observer-${version}` })
  const reader = new StrictReader(version)
  reader.read(Buffer.from(version === 5 ? [0x20, 3, 0, 0, 0] : [0x20, 2, 0, 0]))
  const { socket } = client
  const subscribed = new Promise<void>((resolve) => {
    socket.removeAllListeners('data')
    socket.on('data', (chunk) => {
      try {
        for (const { type, packetId, message } of reader.read(chunk)) {
          if (type === 9) resolve()
          if (message === null && type !== 6) continue
          if (message !== null) {
            saw()
            if (message.payload.includes(FORBIDDEN) || message.topic.includes(FORBIDDEN)) {
              fault(message.payload.toString(), 'a refused packet reached a subscriber')
            }
          }
          const answer = type === 6 ? 0x70 : message!.qos === 0 ? 0 : message!.qos === 1 ? 0x40 : 0x50
          if (answer !== 0) socket.write(packet(answer, Buffer.from([packetId >> 8, packetId & 0xff])))
          if (answer !== 0x50) reader.released(packetId)
        }
      } catch (error) {
        fault(error, `observer on ${version}`)
      }
    })
  })
  socket.on('close', () => fault(null, 'an observer was disconnected'))
  onTestFinished(() => void socket.removeAllListeners('close'))
  const subscriptions = ['#', '$other/#'].map((topic) => ({ topic, qos: 2 as const }))
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  await subscribed
}

const BURST = 5

async function pair(port: number): Promise<() => Promise<void>> {
  const reader = await connectRaw(port, { clientId: 'reader' })
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'between/+', qos: 2 }] })
  await reader.next('suback')
  const writer = await connectRaw(port, { protocolVersion: 5, clientId: 'writer' })
  let sent = 0
  return async () => {
    for (const qos of [0, 1, 2] as const) {
      const payloads = Array.from({ length: BURST }, () => `${++sent}`)
      for (const [i, payload] of payloads.entries()) {
        const messageId = qos * BURST + i + 1
        writer.send({ cmd: 'publish', topic: `between/${qos}`, payload, qos, messageId, dup: false, retain: false })
      }
      for (const payload of payloads) {
        if (qos > 0) await acknowledged(writer, qos as 1 | 2)
        expect(await received(reader)).toBe(payload)
      }
    }
    expect(reader.received).toEqual([])
    for (const { frames } of [reader, writer]) frames.length = 0 // what a test's client remembers is not the broker's
  }
}

async function acknowledged(writer: RawClient, qos: 1 | 2): Promise<void> {
  const { reasonCode, messageId } = await writer.next(qos === 1 ? 'puback' : 'pubrec')
  expect(reasonCode ?? 0).toBe(0)
  if (qos === 1) return
  writer.send({ cmd: 'pubrel', messageId: messageId! })
  await writer.next('pubcomp')
}

async function received(reader: RawClient): Promise<string> {
  const { payload, qos, messageId } = await reader.next('publish')
  if (qos === 1) reader.send({ cmd: 'puback', messageId: messageId! })
  if (qos === 2) {
    reader.send({ cmd: 'pubrec', messageId: messageId! })
    await reader.next('pubrel')
    reader.send({ cmd: 'pubcomp', messageId: messageId! })
  }
  return payload.toString()
}

/** A connection of an attacker, who looks at what it is answered only so far as the frames must be those of MQTT. */
export class Attacker {
  readonly socket: Socket
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>

  constructor(port: number, reads: boolean, faults: unknown[]) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const reader = new StrictReader(null)
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    if (!reads) return
    this.socket.on('data', (chunk) => {
      try {
        reader.read(chunk)
      } catch (error) {
        faults.push(error)
      }
    })
  }

  /** Send in pieces that end at these places, each in a turn of its own. */
  async send(bytes: Buffer, places: number[]): Promise<void> {
    let from = 0
    for (const to of [...places.toSorted((a, b) => a - b), bytes.length]) {
      if (this.socket.destroyed) return
      this.socket.write(bytes.subarray(from, to))
      from = to
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  end(how: 'end' | 'destroy' | 'reset'): void {
    if (how === 'end') this.socket.end()
    else if (how === 'destroy') this.socket.destroy()
    else this.socket.resetAndDestroy()
  }
}

/** Send a stream and wait until its connection is gone. */
export async function play({ port, faults }: Arena, stream: Stream): Promise<void> {
  const bytes = encode(stream)
  const { cuts, reads, ending } = stream
  const attacker = new Attacker(port, reads, faults)
  const places = cuts === 'drip' ? Array.from(bytes, (_, i) => i) : cuts.map((cut) => Math.floor(cut * bytes.length))
  await attacker.send(bytes, places)
  // Who does not read does not see the end either: it would be waited for.
  attacker.end(reads ? ending : 'destroy')
  await attacker.closed
}
