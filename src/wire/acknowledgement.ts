/**
 * PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7), read without making an object.
 *
 * The caller owns the one that is filled, and has its answer before the next packet is read.
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { type AcknowledgementType, PUBREC, PUBREL } from './acknowledgement-writer.ts'
import { checkProperties } from './property-reader.ts'
import { Reader, readU16 } from './reader.ts'

export interface Acknowledgement {
  /** 1 to 65,535. */
  packetId: number
  /** 0 when the packet has none, as in MQTT 3.1.1. */
  reasonCode: ReasonCode
}

/**
 * Reads into `out`, which is left alone when the packet is refused.
 * @param flags the lower four bits of the packet's first byte
 * @param start where the body begins, behind the fixed header
 * @throws Refusal 0x81, or 0x82 for values that are not allowed
 */
export function readAcknowledgement(
  type: AcknowledgementType,
  flags: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: number,
  out: Acknowledgement,
): void {
  if (flags !== (type === PUBREL ? 2 : 0)) checkOddFlags(type, flags, version)
  const length = end - start
  if (length !== 2 && (length < 2 || version !== 5)) {
    throw new Refusal(ReasonCode.MalformedPacket, 'an acknowledgement has the wrong length')
  }
  const packetId = readU16(bytes, start)
  // [MQTT-2.2.1-3]: it parses, so it is not malformed; but it acknowledges nothing that there can be.
  if (packetId === 0) throw new Refusal(ReasonCode.ProtocolError, 'the packet identifier is 0')
  const reasonCode = length === 2 ? ReasonCode.Success : readReasonCode(type, bytes, start + 2, end)
  out.packetId = packetId
  out.reasonCode = reasonCode
}

/** MQTT 3.1 sets DUP in a PUBREL that is sent again; later versions reserve the bit [MQTT-2.1.3-1, MQTT-3.6.1-1]. */
function checkOddFlags(type: AcknowledgementType, flags: number, version: number): void {
  if (version === 3 && type === PUBREL && flags === 0b1010) return
  throw new Refusal(ReasonCode.MalformedPacket, 'an acknowledgement has the wrong flags')
}

/** The reason code and, if there are any, the properties: none of them matters to the broker, but they must be right. */
function readReasonCode(type: AcknowledgementType, bytes: Buffer, start: number, end: number): ReasonCode {
  const reasonCode = bytes[start]!
  if (!(type <= PUBREC ? RECEIVED : RELEASED).includes(reasonCode)) {
    throw new Refusal(ReasonCode.ProtocolError, 'the reason code is not one for this acknowledgement')
  }
  if (end - start > 1) {
    const reader = new Reader(bytes, start + 1, end)
    checkProperties(reader, 1 << type)
    reader.finish()
  }
  return reasonCode
}

/**
 * What a client may say in PUBACK and PUBREC (sections 3.4.2.1, 3.5.2.1): 0x91 is Packet Identifier in use; 0x10, No
 * matching subscribers, is the server's alone.
 */
const RECEIVED: readonly number[] = [
  ReasonCode.Success,
  ReasonCode.UnspecifiedError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.NotAuthorized,
  ReasonCode.TopicNameInvalid,
  0x91,
  ReasonCode.QuotaExceeded,
  ReasonCode.PayloadFormatInvalid,
]

/** What PUBREL and PUBCOMP can say (sections 3.6.2.1, 3.7.2.1). */
const RELEASED: readonly number[] = [ReasonCode.Success, ReasonCode.PacketIdentifierNotFound]
