/**
 * What the conformance tests share.
 *
 * A test bears its clauses before its sentence: `[MQTT-3.1.0-2]` is a clause of MQTT 5.0, `[3.1.1: MQTT-3.1.0-2]` one of
 * 3.1.1. `docs/conformance.md` lists them all; `test/unit/docs/conformance.test.ts` holds one to the other.
 */

import type { IClientPublishOptions } from 'mqtt'
import type { IConnectPacket, IPublishPacket, ISubscribePacket } from 'mqtt-packet'
import { expect } from 'vitest'
import type { SharedBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { packet } from '../helpers/packets.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'

export type Version = 4 | 5

export const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

export const LEVELS = [0, 1, 2] as const

/** What stands for "no properties": a length of 0 on MQTT 5.0, nothing on 3.1.1. */
export function noProperties(version: Version): Buffer {
  return version === 5 ? Buffer.from([0]) : Buffer.alloc(0)
}

let count = 0

/** A name that no other test of the file has: for a client or a topic. */
export function fresh(what: string): string {
  return `${what}${++count}`
}

/** CONNECT for a session that outlives its connection. */
export function lasting(version: Version, clientId: string, more: Partial<IConnectPacket> = {}) {
  const properties = { ...(version === 5 ? { sessionExpiryInterval: 1000 } : {}), ...more.properties }
  return { protocolVersion: version, clientId, clean: false, ...more, properties } as const
}

type Options = Omit<ISubscribePacket['subscriptions'][number], 'topic'>

/** Subscribe, and return the code that SUBACK has for it. */
export async function subscribe(
  client: RawClient,
  topic: string,
  options: Options = { qos: 2 },
  identifier?: number,
): Promise<number> {
  const properties = identifier === undefined ? {} : { properties: { subscriptionIdentifier: identifier } }
  client.send({ cmd: 'subscribe', messageId: 999, subscriptions: [{ topic, ...options }], ...properties })
  const { granted } = await client.next('suback')
  return granted[0] as number
}

type PublishProperties = NonNullable<IClientPublishOptions['properties']>

export interface Published {
  qos?: 0 | 1 | 2
  retain?: boolean
  dup?: boolean
  messageId?: number
  properties?: PublishProperties
}

/** Publish, and wait until the broker has served it: acknowledged at QoS 1 and 2. */
export async function publish(client: RawClient, topic: string, payload: string, options: Published = {}) {
  const { qos = 0, retain = false, dup = false, messageId = 500, properties } = options
  const more = properties === undefined ? {} : { properties }
  client.send({ cmd: 'publish', topic, payload, qos, retain, dup, ...(qos > 0 ? { messageId } : {}), ...more })
  if (qos === 0) await client.settled()
  if (qos === 1) await client.next('puback')
  if (qos < 2) return
  await client.next('pubrec')
  client.send({ cmd: 'pubrel', messageId })
  await client.next('pubcomp')
}

/** The next PUBLISH, as text: payload, QoS, and the flags that are set. */
export async function nextMessage(client: RawClient): Promise<string> {
  const { payload, qos, dup, retain } = await client.next('publish')
  return `${payload} at ${qos}${dup ? ' dup' : ''}${retain ? ' retained' : ''}`
}

/** Every PUBLISH that has come, once all that was sent before is served. */
export async function arrived(client: RawClient): Promise<IPublishPacket[]> {
  await client.settled()
  const packets = client.received.filter((received) => received.cmd === 'publish')
  client.received.splice(0, client.received.length, ...client.received.filter(({ cmd }) => cmd !== 'publish'))
  return packets as IPublishPacket[]
}

export async function payloads(client: RawClient): Promise<string[]> {
  return (await arrived(client)).map(({ payload }) => payload.toString())
}

export async function leave(client: RawClient): Promise<void> {
  client.send({ cmd: 'disconnect' })
  await client.end()
}

/**
 * Send what is not allowed: the connection is closed; an MQTT 5.0 client is told `code` before, one of 3.1.1 nothing; and
 * nothing of it reached a subscriber, a session or the store.
 */
export async function expectRefused(broker: SharedBroker, version: Version, sent: Buffer, code: number): Promise<void> {
  const client = await connectRaw(broker.port, { protocolVersion: version, clientId: fresh('refused-') })
  const traces = listenTo(broker, 'message.published', 'message.retained', 'subscription.added', 'subscription.removed')
  client.sendBytes(sent)
  await client.end()
  const told = client.received.map((received) => ({ ...received }))
  if (version === 5) expect(told).toMatchObject([{ cmd: 'disconnect', reasonCode: code }])
  else expect(client.frames.slice(1)).toEqual([])
  expect(traces.all).toEqual([])
}

/** CONNECT with these flags, a keep alive of 0, and no properties; `payload` is the identifier and what follows. */
export function connectPacket(version: Version, flags: number, ...payload: Array<number | string | Buffer>): Buffer {
  return packet(0x10, 'MQTT', version, flags, 0, 0, noProperties(version), ...payload)
}

/**
 * Send a CONNECT that is not allowed: the connection is closed, after a CONNACK with `code` if one is given, and without a
 * word if not; nobody was let in, and what followed it was not served.
 */
export async function expectTurnedAway(broker: SharedBroker, version: Version, sent: Buffer, code?: number) {
  const client = await openRaw(broker.port, version)
  const traces = listenTo(broker, 'client.connected', 'session.created', 'message.published', 'message.will-published')
  const publishBehind = packet(0x30, 'behind/connect', noProperties(version), 0x31)
  client.sendBytes(Buffer.concat([sent, publishBehind]))
  await client.end()
  expect(client.frames).toHaveLength(code === undefined ? 0 : 1)
  if (code !== undefined) {
    const [type, , flags, told] = client.frames[0]!
    expect([type, flags, told]).toEqual([0x20, 0, code])
  }
  expect(traces.all).toEqual([])
}
