/** CONNECT between us and the client: what is refused before anybody is asked, and what it is told when it is let in. */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { topicProblem } from '../core/topics.ts'
import type { ConnectPacket } from '../wire/connect.ts'
import { payloadIsAsDeclared } from '../wire/payload-format.ts'
import { type Authenticated, welcomeForClient } from './handshake.ts'
import type { TransportLimits } from './lane-parts.ts'

/**
 * @param assignedClientId the identifier for a client that brings none
 * @param authenticated what CONNACK will say of how the client has proved who it is; null: nothing, or nothing yet
 * @throws Refusal 0x90 for the will's topic, 0x99 for its payload, 0x95 when the client
 * takes no packet as large as its CONNACK
 */
export function checkConnect(
  connect: ConnectPacket,
  assignedClientId: string | null,
  limits: TransportLimits,
  authenticated: Authenticated | null,
): void {
  const { will, maximumPacketSize, sessionExpirySeconds } = connect
  const problem = will === null ? null : topicProblem(will.topic, limits.maxTopicLevels, limits.maxTopicBytes)
  if (problem !== null) throw new Refusal(ReasonCode.TopicNameInvalid, `the will has no valid topic: ${problem}`)
  if (limits.checkPayloadFormat && will !== null && !payloadIsAsDeclared(will.properties, will.payload)) {
    throw new Refusal(ReasonCode.PayloadFormatInvalid, 'the payload of the will is declared as UTF-8, and is not')
  }
  if (maximumPacketSize === 0) return
  // The session expiry is told only when we change it: known once the session is open, and counted here if it may be.
  const expiry = sessionExpirySeconds === 0 ? null : sessionExpirySeconds
  const connack = connackFor(connect, assignedClientId, limits, false, expiry, authenticated)
  if (connack.length > maximumPacketSize) {
    throw new Refusal(ReasonCode.PacketTooLarge, 'CONNACK is larger than the client takes') // [MQTT-3.1.2-24]
  }
}

/** The keep alive in force, in seconds; 0: none. Only MQTT 5.0 can tell a client of another than it asked for. */
export function keepAliveSeconds(
  { version, keepAliveSeconds: wanted }: ConnectPacket,
  limits: TransportLimits,
): number {
  const most = limits.maxKeepAliveSeconds
  if (version !== 5 || most === 0) return wanted // [MQTT-3.2.2-22]
  return wanted === 0 ? most : Math.min(wanted, most)
}

/** CONNACK for a client that is let in. `sessionExpirySeconds`: what it became; null: as asked for. */
export function connackFor(
  connect: ConnectPacket,
  assignedClientId: string | null,
  limits: TransportLimits,
  present: boolean,
  sessionExpirySeconds: number | null,
  authenticated: Authenticated | null,
): Buffer {
  const { version } = connect
  const { maxPacketSize: maximumPacketSize, receiveMaximum, topicAliasMaximum } = limits
  const keepAlive = keepAliveSeconds(connect, limits)
  return welcomeForClient({
    version,
    sessionPresent: present && version > 3, // MQTT 3.1 has no such flag
    assignedClientId,
    sessionExpirySeconds,
    serverKeepAliveSeconds: keepAlive === connect.keepAliveSeconds ? null : keepAlive,
    maximumPacketSize,
    receiveMaximum,
    topicAliasMaximum,
    authenticated,
  })
}
