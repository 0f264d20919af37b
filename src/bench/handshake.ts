/** CONNECT and its answer, and a look at which broker answers. What comes before the clock starts. */

import { type Address, Link, type PacketHandler } from './link.ts'
import {
  type Credentials,
  connectPacket,
  DISCONNECT,
  hex,
  type MqttVersion,
  PINGREQ,
  subscribePacket,
} from './packets.ts'
import { ReadBuffer } from './read-buffer.ts'

/** A broker, and how to be let in. */
export interface Target extends Address, Credentials {}

/** How long a broker may take to answer before it counts as one that does not. */
export const ANSWER_MS = 10_000

export interface Connected {
  readonly link: Link
  /** How many QoS 1 and 2 messages the broker takes at a time (MQTT 5; elsewhere 65,535). */
  readonly receiveMaximum: number
}

/** Connect. Rejects with a BenchError that says why not. */
export function connect(
  name: string,
  target: Target,
  version: MqttVersion,
  clientId: string,
  input: ReadBuffer,
): Promise<Connected> {
  const link = new Link(name, target, input)
  link.write(connectPacket(version, clientId, target))
  return new Promise((resolve, reject) => {
    const answered = new Answer(version)
    const timer = setTimeout(() => link.fail(`no CONNACK within ${ANSWER_MS / 1000} s`), ANSWER_MS)
    link.handler = answered
    link.onProgress = () => {
      if (answered.refused !== null) link.fail(answered.refused)
      if (link.broken === null && !answered.done) return
      clearTimeout(timer)
      link.onProgress = () => {}
      if (link.broken !== null) return reject(link.broken)
      resolve({ link, receiveMaximum: answered.receiveMaximum })
    }
  })
}

/** Connect many at a time. When one fails the others are closed, and it rejects with the first BenchError. */
export async function connectAll(attempts: ReadonlyArray<Promise<Connected>>): Promise<Connected[]> {
  const outcomes = await Promise.allSettled(attempts)
  const connected = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed === undefined) return connected
  for (const { link } of connected) link.destroy()
  throw failed.reason
}

/** What a broker says of itself. */
export interface Greeting {
  /** `$SYS/broker/version`; null when it does not say. */
  readonly version: string | null
  /** Receive Maximum; 65,535 where it does not speak MQTT 5. */
  readonly receiveMaximum: number
}

/** Ask the broker who it is. Rejects with a BenchError when there is none. */
export async function greet(target: Target, clientId: string): Promise<Greeting> {
  const input = new ReadBuffer(65_536)
  const attempt = async (version: MqttVersion) => ({
    ...(await connect('', target, version, clientId, input)),
    reader: new VersionReader(version),
    version,
  })
  const { link, receiveMaximum, reader, version } = await attempt(5).catch(() => attempt(4))
  link.handler = reader
  // The answer to a ping comes after what was retained: no need to wait for a while.
  link.append(subscribePacket(version, 1, ['$SYS/broker/version'], 0))
  link.append(PINGREQ)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ANSWER_MS)
    link.onProgress = () => {
      if (!reader.done && link.broken === null) return
      clearTimeout(timer)
      resolve()
    }
    link.flush()
  })
  link.end(DISCONNECT)
  return { version: reader.text, receiveMaximum }
}

/** Waits for CONNACK. */
class Answer implements PacketHandler {
  readonly #version: MqttVersion
  done = false
  refused: string | null = null
  receiveMaximum = 65_535

  constructor(version: MqttVersion) {
    this.#version = version
  }

  packet(link: Link, first: number, at: number, end: number): void {
    if (this.done) return
    this.done = true
    const bytes = link.input.slice(at, end)
    if (first >> 4 !== 2 || bytes.length < 2) this.refused = `expected a CONNACK, got a packet of type ${first >> 4}`
    else if (bytes[1] !== 0) this.refused = refusal(bytes[1]!)
    else if (this.#version === 5) this.receiveMaximum = receiveMaximumIn(bytes)
  }
}

function refusal(code: number): string {
  const denied = [4, 5, 0x86, 0x87].includes(code)
  const hint = denied ? '; --user and --password (--vs-user and --vs-password) say who connects' : ''
  return `the broker refused the connection with ${hex(code)}${hint}`
}

/** How many bytes the values of CONNACK's properties take; the rest are strings. */
const SIZES: Readonly<Record<number, number>> = {
  17: 4, // Session Expiry Interval
  33: 2, // Receive Maximum
  36: 1, // Maximum QoS
  37: 1, // Retain Available
  39: 4, // Maximum Packet Size
  34: 2, // Topic Alias Maximum
  40: 1, // Wildcard Subscription Available
  41: 1, // Subscription Identifiers Available
  42: 1, // Shared Subscription Available
  19: 2, // Server Keep Alive
}
const RECEIVE_MAXIMUM = 33
const USER_PROPERTY = 38

function receiveMaximumIn(connack: Buffer): number {
  let at = 2
  let length = 0
  for (let shift = 0, digit = 0x80; digit >= 0x80; shift += 7) {
    digit = connack[at++] ?? 0
    length |= (digit & 0x7f) << shift
  }
  const end = Math.min(at + length, connack.length)
  while (at < end) {
    const id = connack[at++]!
    if (id === RECEIVE_MAXIMUM) return connack.readUInt16BE(at)
    const size = SIZES[id]
    if (size !== undefined) at += size
    else
      for (let strings = id === USER_PROPERTY ? 2 : 1; strings > 0 && at + 2 <= end; strings--)
        at += 2 + connack.readUInt16BE(at)
  }
  return 65_535
}

class VersionReader implements PacketHandler {
  text: string | null = null
  done = false
  readonly #version: MqttVersion

  constructor(version: MqttVersion) {
    this.#version = version
  }

  packet(link: Link, first: number, at: number, end: number): void {
    if (first >> 4 === 13) this.done = true
    if (first >> 4 !== 3) return
    const afterTopic = at + 2 + link.input.uint16(at)
    const payload = this.#version === 5 ? link.input.afterProperties(afterTopic) : afterTopic
    this.text = link.input.slice(payload, end).toString()
  }
}
