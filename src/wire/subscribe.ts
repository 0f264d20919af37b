/**
 * SUBSCRIBE and UNSUBSCRIBE (sections 3.8, 3.10).
 *
 * A filter that is text but no valid filter is handed on: it is answered by itself, in SUBACK or UNSUBACK, beside others
 * of the same packet that are granted.
 */

import type { QoS } from '../core/message.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { isShared } from '../core/topics.ts'
import { checkProperties, walkProperties } from './property-reader.ts'
import { PropertyId, PropertyPlace } from './property-table.ts'
import { Reader } from './reader.ts'

export interface SubscribePacket {
  /** 1 to 65,535. */
  packetId: number
  /** Subscription identifier, for all of the packet's subscriptions; 0: none. */
  identifier: number
  subscriptions: RequestedSubscription[]
}

export interface RequestedSubscription {
  /** Not checked but for its UTF-8; not empty. */
  filter: string
  qos: QoS
  noLocal: boolean
  retainAsPublished: boolean
  /** 0: send retained messages; 1: only if the subscription is new; 2: do not. */
  retainHandling: 0 | 1 | 2
}

export interface UnsubscribePacket {
  /** 1 to 65,535. */
  packetId: number
  /** Not checked but for their UTF-8; not empty. */
  filters: string[]
}

/**
 * Reads the body of a SUBSCRIBE in [start, end).
 * @param flags the lower four bits of the packet's first byte
 * @throws Refusal 0x81 or 0x82
 */
export function readSubscribe(
  flags: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: number,
): SubscribePacket {
  checkFlags(flags, version)
  const reader = new Reader(bytes, start, end)
  const packetId = readPacketId(reader)
  const identifier = version === 5 ? readIdentifier(reader) : 0
  const subscriptions: RequestedSubscription[] = []
  while (!reader.atEnd) {
    const filter = readFilter(reader)
    subscriptions.push(subscriptionOf(filter, reader.u8(), version))
  }
  if (subscriptions.length === 0) throw protocolError('SUBSCRIBE has no filter') // [MQTT-3.8.3-2]
  return { packetId, identifier, subscriptions }
}

/**
 * Reads the body of an UNSUBSCRIBE in [start, end).
 * @param flags the lower four bits of the packet's first byte
 * @throws Refusal 0x81 or 0x82
 */
export function readUnsubscribe(
  flags: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: number,
): UnsubscribePacket {
  checkFlags(flags, version)
  const reader = new Reader(bytes, start, end)
  const packetId = readPacketId(reader)
  if (version === 5) checkProperties(reader, PropertyPlace.Unsubscribe)
  const filters: string[] = []
  while (!reader.atEnd) filters.push(readFilter(reader))
  if (filters.length === 0) throw protocolError('UNSUBSCRIBE has no filter') // [MQTT-3.10.3-2]
  return { packetId, filters }
}

/** [MQTT-3.8.1-1, MQTT-3.10.1-1]; MQTT 3.1 sets DUP, too, in a packet that is sent again. */
function checkFlags(flags: number, version: number): void {
  if (flags !== 0b0010 && !(version === 3 && flags === 0b1010)) {
    throw malformed('SUBSCRIBE or UNSUBSCRIBE has the wrong flags')
  }
}

function readPacketId(reader: Reader): number {
  const packetId = reader.u16()
  if (packetId === 0) throw protocolError('the packet identifier is 0') // [MQTT-2.2.1-3]
  return packetId
}

function readIdentifier(reader: Reader): number {
  let identifier = 0
  const walker = walkProperties(reader, PropertyPlace.Subscribe)
  while (walker.next()) if (walker.id === PropertyId.SubscriptionIdentifier) identifier = walker.number()
  return identifier
}

/** 0x8f is for filters that are filters, but not allowed (section 2.4): an empty one is none. */
function readFilter(reader: Reader): string {
  const filter = reader.name()
  if (filter === '') throw malformed('a filter is empty') // [MQTT-4.7.3-1]
  return filter
}

function subscriptionOf(filter: string, options: number, version: number): RequestedSubscription {
  const qos = options & 3
  const retainHandling = (options >> 4) & 3
  if (version === 5) {
    if ((options & 0xc0) !== 0) throw malformed('reserved subscription options are set') // [MQTT-3.8.3-5]
    if (qos === 3) throw protocolError('a subscription has QoS 3')
    if (retainHandling === 3) throw protocolError('a subscription has Retain Handling 3')
  } else if (options > 2) throw malformed('a subscription has a QoS above 2, or reserved bits set') // [MQTT-3-8.3-4] of 3.1.1
  const noLocal = (options & 4) !== 0
  if (noLocal && isShared(filter)) throw protocolError('a shared subscription has No Local') // [MQTT-3.8.3-4]
  const retainAsPublished = (options & 8) !== 0
  return { filter, qos: qos as QoS, noLocal, retainAsPublished, retainHandling: retainHandling as 0 | 1 | 2 }
}

function malformed(message: string): Refusal {
  return new Refusal(ReasonCode.MalformedPacket, message)
}

function protocolError(message: string): Refusal {
  return new Refusal(ReasonCode.ProtocolError, message)
}
