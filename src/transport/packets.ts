/** Which packet is for whom, once a client is let in: messages and what acknowledges them take the short way. */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import type { AcknowledgementType } from '../wire/acknowledgement-writer.ts'
import type { PacketCutter } from '../wire/packet-cutter.ts'
import { readPingreq } from '../wire/pingreq.ts'
import type { Conversation } from './conversation.ts'
import type { Messages } from './messages.ts'

export const CONNECT = 1
export const DISCONNECT = 14
export const AUTH = 15

/**
 * Serve the packet that the cutter has found.
 * @param receivedAt when it came, in milliseconds since the epoch
 * @throws Refusal when it is malformed, or none that a client sends
 */
export function servePacket(
  { bytes, start, body, end }: PacketCutter,
  messages: Messages,
  conversation: Conversation,
  receivedAt: number,
): void {
  const type = bytes[start]! >> 4
  const flags = bytes[start]! & 0x0f
  if (type === 3) messages.publish(bytes, start, body, end, receivedAt)
  else if (type >= 4 && type <= 7) messages.acknowledgement(type as AcknowledgementType, flags, bytes, body, end)
  else if (type === 8) conversation.subscribe(flags, bytes, body, end)
  else if (type === 10) conversation.unsubscribe(flags, bytes, body, end)
  else if (type === 12) {
    readPingreq(flags, body, end)
    conversation.ping()
  } else if (type === DISCONNECT) conversation.disconnect(flags, bytes, body, end)
  else if (type === AUTH && conversation.authenticates) conversation.auth(flags, bytes, body, end)
  else throw unexpected(type, flags)
}

/** What to throw at a packet that a client does not send, or not now. */
function unexpected(type: number, flags: number): Refusal {
  if (type === AUTH && flags !== 0) return new Refusal(ReasonCode.MalformedPacket, 'AUTH has the wrong flags') // [MQTT-3.15.1-1]
  return new Refusal(ReasonCode.ProtocolError, `a packet of type ${type} is not for a server now`) // [MQTT-3.1.0-2]
}
