/** CONNECT, and what the broker answers. What comes before the clock starts. */

import { receiveMaximumIn, refusalOf } from './connack.ts'
import { type Address, Link, type PacketHandler } from './link.ts'
import { type Credentials, connectPacket, type MqttVersion } from './packets.ts'
import type { ReadBuffer } from './read-buffer.ts'

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
    else if (bytes[1] !== 0) this.refused = refusalOf(bytes[1]!)
    else if (this.#version === 5) this.receiveMaximum = receiveMaximumIn(bytes)
  }
}
