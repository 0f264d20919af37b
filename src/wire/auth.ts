/** AUTH (section 3.15 of MQTT 5.0), as a client sends it: one step of an enhanced authentication. */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { walkProperties } from './property-reader.ts'
import { PropertyId, PropertyPlace } from './property-table.ts'
import { Reader } from './reader.ts'

export interface AuthPacket {
  /** Begin anew (0x19), or go on (0x18). */
  again: boolean
  method: string
  /** Null: none. */
  data: Buffer | null
}

/**
 * Reads the body of an AUTH in [start, end).
 * @param flags the lower four bits of the packet's first byte
 * @throws Refusal 0x81; 0x82 without a method, or with a reason code that is not for clients
 */
export function readAuth(flags: number, bytes: Buffer, start: number, end: number): AuthPacket {
  if (flags !== 0) throw new Refusal(ReasonCode.MalformedPacket, 'AUTH has the wrong flags') // [MQTT-3.15.1-1]
  const reader = new Reader(bytes, start, end)
  const code = reader.atEnd ? ReasonCode.Success : reader.u8()
  const { method, data } = reader.atEnd ? { method: null, data: null } : readProperties(reader)
  reader.finish()
  if (code !== ReasonCode.ContinueAuthentication && code !== ReasonCode.ReAuthenticate) {
    throw new Refusal(ReasonCode.ProtocolError, 'the reason code of AUTH is not one for clients') // [MQTT-3.15.2-1]
  }
  if (method === null) throw new Refusal(ReasonCode.ProtocolError, 'AUTH has no authentication method') // section 3.15.2.2.2
  return { again: code === ReasonCode.ReAuthenticate, method, data }
}

function readProperties(reader: Reader): { method: string | null; data: Buffer | null } {
  let method: string | null = null
  let data: Buffer | null = null
  const walker = walkProperties(reader, PropertyPlace.Auth)
  while (walker.next()) {
    if (walker.id === PropertyId.AuthenticationMethod) method = walker.text()
    if (walker.id === PropertyId.AuthenticationData) data = Buffer.from(walker.binary())
  }
  return { method, data }
}
