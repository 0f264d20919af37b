/**
 * CONNECT (section 3.1 of each version): the first packet, and the only one from someone whom nobody knows yet.
 *
 * MQTT 3.1 ('MQIsdp', level 3), 3.1.1 and 5.0 ('MQTT', levels 4 and 5). The level that 3.1 bridges use, with the bit 0x80
 * set, is refused like any other.
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import type { Will } from '../core/will.ts'
import { type ConnectProperties, connectPropertiesBefore5, readConnectProperties } from './connect-properties.ts'
import { Reader } from './reader.ts'
import { readWill } from './will.ts'

export type ProtocolVersion = 3 | 4 | 5

export interface ConnectPacket extends ConnectProperties {
  version: ProtocolVersion
  /** Clean Start of MQTT 5.0, Clean Session before. */
  clean: boolean
  /** 0: the client asks for no limit. */
  keepAliveSeconds: number
  /** '' if the server is to choose one. */
  clientId: string
  username: string | null
  password: Buffer | null
  will: Will | null
}

/** Why a CONNECT is refused, and what it takes to say so in a CONNACK that the client can read. */
export class ConnectRefusal extends Refusal {
  /** 0 if it was refused before its version was known, or for its version. */
  readonly version: ProtocolVersion | 0
  /** Whether the packet begins with a protocol name of MQTT. If not, the connection is best closed without a word. */
  readonly isMqtt: boolean
  /** The largest packet that the client takes, in bytes; 0: any, or it was refused before it said so. */
  readonly maximumPacketSize: number

  constructor(code: ReasonCode, message: string, progress: Progress) {
    super(code, message)
    this.version = progress.version
    this.isMqtt = progress.isMqtt
    this.maximumPacketSize = progress.maximumPacketSize
  }
}

/**
 * Reads the body of a CONNECT in [start, end). What is kept is copied: a session should not hold the socket's chunk.
 * @param flags the lower four bits of the packet's first byte
 * @throws ConnectRefusal 0x81 or 0x82; 0x84 for another protocol or version; 0x85 for a client identifier that is missing;
 * 0x90 for a will topic that is no topic name
 */
export function readConnect(flags: number, bytes: Buffer, start: number, end: number): ConnectPacket {
  const progress: Progress = { version: 0, isMqtt: false, maximumPacketSize: 0 }
  try {
    return readBody(flags, new Reader(bytes, start, end), progress)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new ConnectRefusal(error.code, error.message, progress)
  }
}

/** How far the reading came. */
interface Progress {
  version: ProtocolVersion | 0
  isMqtt: boolean
  maximumPacketSize: number
}

function readBody(flags: number, reader: Reader, progress: Progress): ConnectPacket {
  if (flags !== 0) throw malformed('CONNECT has the wrong flags') // [MQTT-2.1.3-1]
  const version = readVersion(reader, progress)
  return readRest(reader, version, progress)
}

/** What follows the protocol level, in the form of this version. */
function readRest(reader: Reader, version: ProtocolVersion, progress: Progress): ConnectPacket {
  progress.version = version
  const connectFlags = reader.u8()
  checkConnectFlags(connectFlags, version)
  const clean = (connectFlags & CLEAN) !== 0
  const keepAliveSeconds = reader.u16()
  const properties = version === 5 ? readConnectProperties(reader) : connectPropertiesBefore5(clean)
  progress.maximumPacketSize = properties.maximumPacketSize
  const clientId = reader.name()
  checkClientId(clientId, clean, version)
  const willQos = (connectFlags >> 3) & 3
  const will = (connectFlags & WILL) === 0 ? null : readWill(reader, willQos, (connectFlags & RETAIN) !== 0, version)
  // MQTT 3.1 (section 3.1) allows for clients that announce these and leave them out. Later versions do not.
  const mayBeLeftOut = version === 3
  const hasUsername = (connectFlags & USERNAME) !== 0 && !(mayBeLeftOut && reader.atEnd)
  const username = hasUsername ? reader.name() : null
  const hasPassword = (connectFlags & PASSWORD) !== 0 && !(mayBeLeftOut && reader.atEnd)
  const password = hasPassword ? Buffer.from(reader.binary()) : null
  reader.finish()
  return { version, clean, keepAliveSeconds, clientId, username, password, will, ...properties }
}

function readVersion(reader: Reader, progress: Progress): ProtocolVersion {
  const name = reader.name()
  if (name !== 'MQTT' && name !== 'MQIsdp') throw unsupported('the protocol is not MQTT') // [MQTT-3.1.2-1]
  progress.isMqtt = true
  const level = reader.u8()
  const known = name === 'MQTT' ? level === 4 || level === 5 : level === 3
  if (known) return level as ProtocolVersion
  if (!readsAs5(reader, progress)) progress.version = 0
  throw unsupported(`protocol level ${level} of ${name} is not supported`) // [MQTT-3.1.2-2]
}

/** Whether the rest has the form of MQTT 5.0: the only sign of the CONNACK that a client of an unknown version can read. */
function readsAs5(reader: Reader, progress: Progress): boolean {
  try {
    readRest(reader, 5, progress)
    return true
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return false
  }
}

function checkConnectFlags(flags: number, version: ProtocolVersion): void {
  if ((flags & RESERVED) !== 0) throw malformed('the reserved connect flag is set') // [MQTT-3.1.2-3]
  if ((flags & WILL) === 0 && (flags & (WILL_QOS | RETAIN)) !== 0) {
    throw malformed('there is a will QoS or will retain, but no will') // [MQTT-3.1.2-11, MQTT-3.1.2-13]
  }
  if ((flags & WILL_QOS) === WILL_QOS) throw malformed('the will has QoS 3') // [MQTT-3.1.2-12]
  if (version !== 5 && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) {
    throw malformed('there is a password, but no user name') // [MQTT-3.1.2-22] of MQTT 3.1.1
  }
}

/** MQTT 3.1 wants an identifier always; 3.1.1 if the session is to be kept [MQTT-3.1.3-8]; 5.0 makes one up. */
function checkClientId(clientId: string, clean: boolean, version: ProtocolVersion): void {
  if (clientId !== '' || version === 5 || (version === 4 && clean)) return
  throw new Refusal(ReasonCode.ClientIdentifierNotValid, 'the client identifier is missing')
}

function malformed(message: string): Refusal {
  return new Refusal(ReasonCode.MalformedPacket, message)
}

function unsupported(message: string): Refusal {
  return new Refusal(ReasonCode.UnsupportedProtocolVersion, message)
}

// The connect flags (section 3.1.2.3).
const RESERVED = 0x01
const CLEAN = 0x02
const WILL = 0x04
const WILL_QOS = 0x18
const RETAIN = 0x20
const PASSWORD = 0x40
const USERNAME = 0x80
