/**
 * What Aedes is shown of a client's control packets, and what the client is shown of its answers.
 *
 * Aedes sees a plain CONNECT (no will, no keep alive, always clean, always MQTT 3.1.1) and subscriptions whose filters are
 * numbers, so that it neither refuses what we grant ($share, filters that occur twice) nor keeps anything of its own.
 */

import { generate } from 'mqtt-packet'

/** CONNECT as Aedes sees it. Credentials stay with us: its authenticate hook is answered from the packet itself. */
export function connectForAedes(clientId: string): Buffer {
  return generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId, keepalive: 0 })
}

/** SUBSCRIBE as Aedes sees it: `count` filters named by their position. */
export function subscribeForAedes(count: number): Buffer {
  const subscriptions = Array.from({ length: count }, (_, i) => ({ topic: String(i), qos: 0 as const }))
  return generate({ cmd: 'subscribe', messageId: 1, subscriptions }, { protocolVersion: 4 })
}

export function unsubscribeForAedes(count: number): Buffer {
  const unsubscriptions = Array.from({ length: count }, (_, i) => String(i))
  return generate({ cmd: 'unsubscribe', messageId: 1, unsubscriptions }, { protocolVersion: 4 })
}

export interface Connack {
  version: number
  sessionPresent: boolean
  /** MQTT 5.0 reason code; 0: welcome. */
  reasonCode: number
  /** The identifier that the client was given; null: it brought its own. */
  assignedClientId: string | null
  /** What the session expiry became, in seconds; null: as asked for. */
  sessionExpirySeconds: number | null
  maximumPacketSize: number
  receiveMaximum: number
  /** 0: the client may use no topic aliases. */
  topicAliasMaximum: number
}

/** CONNACK for the client. To MQTT 3 clients a reason code is told as the nearest of their five [3.1.1, 3.2.2.3]. */
export function connackForClient(connack: Connack): Buffer {
  const { version, sessionPresent, reasonCode } = connack
  if (version !== 5) return generate({ cmd: 'connack', sessionPresent, returnCode: returnCodeOf(reasonCode) })
  const { assignedClientId, sessionExpirySeconds, maximumPacketSize, receiveMaximum, topicAliasMaximum } = connack
  const properties =
    reasonCode !== 0
      ? {}
      : {
          maximumPacketSize,
          receiveMaximum,
          ...(topicAliasMaximum === 0 ? {} : { topicAliasMaximum }),
          ...(assignedClientId === null ? {} : { assignedClientIdentifier: assignedClientId }),
          ...(sessionExpirySeconds === null ? {} : { sessionExpiryInterval: sessionExpirySeconds }),
        }
  return generate({ cmd: 'connack', sessionPresent, reasonCode, properties }, { protocolVersion: 5 })
}

function returnCodeOf(reasonCode: number): number {
  return RETURN_CODES.get(reasonCode) ?? (reasonCode === 0 ? 0 : 3)
}

const RETURN_CODES = new Map([
  [0x84, 1],
  [0x85, 2],
  [0x86, 4],
  [0x87, 5],
])

/** SUBACK with one code a filter; MQTT 3.1.1 knows one failure, 0x80 [MQTT-3.9.3-2]. */
export function subackForClient(packetId: number, codes: readonly number[], version: number): Buffer {
  const granted = version === 5 ? [...codes] : codes.map((code) => (code >= 0x80 ? 0x80 : code))
  return generate({ cmd: 'suback', messageId: packetId, granted }, { protocolVersion: version })
}

export function unsubackForClient(packetId: number, codes: readonly number[], version: number): Buffer {
  return generate({ cmd: 'unsuback', messageId: packetId, granted: [...codes] }, { protocolVersion: version })
}

/** DISCONNECT of the server; MQTT 5.0 alone has one. */
export function disconnectForClient(reasonCode: number): Buffer {
  return generate({ cmd: 'disconnect', reasonCode }, { protocolVersion: 5 })
}
