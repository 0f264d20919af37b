/** DISCONNECT (section 3.14), as a client sends it. */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { walkProperties } from './property-reader.ts'
import { PropertyId, PropertyPlace } from './property-table.ts'
import { Reader } from './reader.ts'

export interface DisconnectPacket {
  /** 0 when the packet has none, as in MQTT 3.1.1. */
  reasonCode: ReasonCode
  /** The session expiry interval that takes the place of the one in CONNECT; -1: it stays. */
  sessionExpirySeconds: number
}

/**
 * Reads the body of a DISCONNECT in [start, end). That a session expiry of 0 must stay 0 (section 3.14.2.2.2) is for the caller,
 * who knows it.
 * @param flags the lower four bits of the packet's first byte
 * @throws Refusal 0x81 or 0x82
 */
export function readDisconnect(
  flags: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: number,
): DisconnectPacket {
  if (flags !== 0) throw malformed('DISCONNECT has the wrong flags') // [MQTT-3.14.1-1]
  const reader = new Reader(bytes, start, end)
  if (version !== 5) reader.finish()
  const reasonCode = reader.atEnd ? ReasonCode.Success : reader.u8()
  if (!FROM_CLIENTS.includes(reasonCode)) {
    throw new Refusal(ReasonCode.ProtocolError, 'the reason code is not one for a client to disconnect with')
  }
  const sessionExpirySeconds = reader.atEnd ? -1 : readSessionExpiry(reader)
  reader.finish()
  return { reasonCode, sessionExpirySeconds }
}

function readSessionExpiry(reader: Reader): number {
  let sessionExpirySeconds = -1
  const walker = walkProperties(reader, PropertyPlace.Disconnect)
  while (walker.next()) {
    if (walker.id === PropertyId.SessionExpiryInterval) sessionExpirySeconds = walker.number()
    if (walker.id === PropertyId.ServerReference) {
      throw new Refusal(ReasonCode.ProtocolError, 'a server reference is not for clients to send') // section 3.14.2.2.5
    }
  }
  return sessionExpirySeconds
}

function malformed(message: string): Refusal {
  return new Refusal(ReasonCode.MalformedPacket, message)
}

/** Section 3.14.2.1, the rows with 'Client' in them: 0x96 is Message rate too high. */
const FROM_CLIENTS: readonly number[] = [
  ReasonCode.Success,
  ReasonCode.DisconnectWithWill,
  ReasonCode.UnspecifiedError,
  ReasonCode.MalformedPacket,
  ReasonCode.ProtocolError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.TopicNameInvalid,
  ReasonCode.ReceiveMaximumExceeded,
  ReasonCode.TopicAliasInvalid,
  ReasonCode.PacketTooLarge,
  0x96,
  ReasonCode.QuotaExceeded,
  ReasonCode.AdministrativeAction,
  ReasonCode.PayloadFormatInvalid,
]
