/**
 * What Aedes is shown of a client's control packets, and what the client is shown of its answers.
 *
 * Aedes sees a plain CONNECT (no will, no keep alive, always clean, always MQTT 3.1.1) and subscriptions whose filters are
 * numbers, so that it neither refuses what we grant ($share, filters that occur twice) nor keeps anything of its own.
 */

import { generate, type ISubackPacket, type IUnsubackPacket } from 'mqtt-packet'
import type { Refusal } from '../core/reason-codes.ts'
import { answerCode, CONNACK_CODES, DISCONNECT_CODES, SUBACK_CODES } from '../wire/answer-codes.ts'
import { explained } from '../wire/reason-string.ts'

/** CONNECT as Aedes sees it. Credentials stay with us: its authenticate hook is answered from the packet itself. */
export function connectForAedes(clientId: string): Buffer {
  return generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId, keepalive: 0 })
}

/** SUBSCRIBE as Aedes sees it: `count` filters named by their position, each of which stands for a slice of the real ones. */
export function subscribeForAedes(count: number): Buffer {
  const subscriptions = Array.from({ length: count }, (_, i) => ({ topic: String(i), qos: 0 as const }))
  return generate({ cmd: 'subscribe', messageId: 1, subscriptions }, { protocolVersion: 4 })
}

export function unsubscribeForAedes(count: number): Buffer {
  const unsubscriptions = Array.from({ length: count }, (_, i) => String(i))
  return generate({ cmd: 'unsubscribe', messageId: 1, unsubscriptions }, { protocolVersion: 4 })
}

/** AUTH of the server; `data`: null for none. */
export function authForClient(reasonCode: number, method: string, data: Buffer | null): Buffer {
  const properties = authenticationProperties({ method, data })
  return generate({ cmd: 'auth', reasonCode, properties }, { protocolVersion: 5 })
}

/** How a client of MQTT 5.0 has authenticated itself, if it has by a method, and the last that it is told of it. */
export interface Authenticated {
  method: string
  data: Buffer | null
}

function authenticationProperties({ method, data }: Authenticated) {
  return { authenticationMethod: method, ...(data === null ? {} : { authenticationData: data }) }
}

/** What a client that is let in is told. */
export interface Welcome {
  version: number
  sessionPresent: boolean
  /** The identifier that the client was given; null: it brought its own. */
  assignedClientId: string | null
  /** What the session expiry became, in seconds; null: as asked for. */
  sessionExpirySeconds: number | null
  /** The keep alive in force; null: as asked for [MQTT-3.2.2-21]. */
  serverKeepAliveSeconds: number | null
  maximumPacketSize: number
  receiveMaximum: number
  /** 0: the client may use no topic aliases. */
  topicAliasMaximum: number
  /** Null: not by a method. */
  authenticated: Authenticated | null
}

/**
 * CONNACK that lets the client in. What it does not say has its default: QoS 2, retained messages, wildcards, subscription
 * identifiers, shared subscriptions are there. Response information is not given; the topics for responses are the clients' to agree on.
 */
export function welcomeForClient(welcome: Welcome): Buffer {
  const { version, sessionPresent, assignedClientId, sessionExpirySeconds, serverKeepAliveSeconds } = welcome
  if (version !== 5) return generate({ cmd: 'connack', sessionPresent, returnCode: 0 })
  const { maximumPacketSize, receiveMaximum, topicAliasMaximum, authenticated } = welcome
  const properties = {
    maximumPacketSize,
    receiveMaximum,
    ...(topicAliasMaximum === 0 ? {} : { topicAliasMaximum }),
    ...(authenticated === null ? {} : authenticationProperties(authenticated)), // [MQTT-4.12.0-5]
    ...(assignedClientId === null ? {} : { assignedClientIdentifier: assignedClientId }),
    ...(serverKeepAliveSeconds === null ? {} : { serverKeepAlive: serverKeepAliveSeconds }),
    ...(sessionExpirySeconds === null ? {} : { sessionExpiryInterval: sessionExpirySeconds }),
  }
  return generate({ cmd: 'connack', sessionPresent, reasonCode: 0, properties }, { protocolVersion: 5 })
}

/**
 * CONNACK that refuses the client. To MQTT 3 clients the reason is told as the nearest of their five [3.1.1, 3.2.2.3].
 * @param maxBytes the largest packet that the client takes
 */
export function refusalForClient(version: number, refusal: Refusal, maxBytes: number): Buffer {
  const sessionPresent = false // [MQTT-3.2.2-6]
  const { code, message, serverReference } = refusal
  if (version !== 5) return generate({ cmd: 'connack', sessionPresent, returnCode: RETURN_CODES.get(code) ?? 3 })
  const reasonCode = answerCode(code, CONNACK_CODES)
  return explained(message, serverReference, maxBytes, (properties) =>
    generate({ cmd: 'connack', sessionPresent, reasonCode, properties }, { protocolVersion: 5 }),
  )
}

const RETURN_CODES = new Map([
  [0x84, 1],
  [0x85, 2],
  [0x86, 4],
  [0x87, 5],
])

/**
 * SUBACK with one code a filter; MQTT 3.1.1 knows one failure, 0x80 [MQTT-3.9.3-2].
 * @param reason why some were refused; '' if none was
 * @param maxBytes the largest packet that may say so; 0: none
 */
export function subackForClient(
  packetId: number,
  codes: readonly number[],
  version: number,
  reason: string,
  maxBytes: number,
): Buffer {
  const granted = codes.map((code) => (version === 5 ? answerCode(code, SUBACK_CODES) : code >= 0x80 ? 0x80 : code))
  return answerForClient({ cmd: 'suback', messageId: packetId, granted }, version, reason, maxBytes)
}

/** As `subackForClient`; before MQTT 5.0 it has no codes at all. */
export function unsubackForClient(
  packetId: number,
  codes: readonly number[],
  version: number,
  reason: string,
  maxBytes: number,
): Buffer {
  return answerForClient({ cmd: 'unsuback', messageId: packetId, granted: [...codes] }, version, reason, maxBytes)
}

function answerForClient(
  packet: ISubackPacket | IUnsubackPacket,
  version: number,
  reason: string,
  maxBytes: number,
): Buffer {
  if (version !== 5) return generate(packet, { protocolVersion: version })
  return explained(reason, null, maxBytes, (properties) => generate({ ...packet, properties }, { protocolVersion: 5 }))
}

/** DISCONNECT of the server; MQTT 5.0 alone has one. */
export function disconnectForClient(
  code: number,
  reason: string,
  serverReference: string | null,
  maxBytes: number,
): Buffer {
  const reasonCode = answerCode(code, DISCONNECT_CODES)
  return explained(reason, serverReference, maxBytes, (properties) =>
    generate({ cmd: 'disconnect', reasonCode, properties }, { protocolVersion: 5 }),
  )
}
