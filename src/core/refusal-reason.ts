/** The word of the closed list for a connection that was refused with an MQTT 5.0 reason code. */

import type { RefusalReason } from './events.ts'
import { ReasonCode } from './reason-codes.ts'

const REASONS: ReadonlyMap<number, RefusalReason> = new Map<number, RefusalReason>([
  [ReasonCode.MalformedPacket, 'protocol-error'],
  [ReasonCode.ProtocolError, 'protocol-error'],
  [ReasonCode.TopicNameInvalid, 'protocol-error'], // of its will
  [ReasonCode.PayloadFormatInvalid, 'protocol-error'],
  [ReasonCode.PacketTooLarge, 'protocol-error'],
  [ReasonCode.UnsupportedProtocolVersion, 'unsupported-version'],
  [ReasonCode.ClientIdentifierNotValid, 'client-identifier'],
  [ReasonCode.BadUserNameOrPassword, 'credentials'],
  [ReasonCode.BadAuthenticationMethod, 'credentials'],
  [ReasonCode.NotAuthorized, 'not-authorized'],
  [ReasonCode.QuotaExceeded, 'limit'],
  [ReasonCode.ConnectionRateExceeded, 'limit'],
  [ReasonCode.UseAnotherServer, 'redirected'],
  [ReasonCode.ServerMoved, 'redirected'],
  [ReasonCode.ServerShuttingDown, 'shutdown'],
])

/** Of a connection that was given up before it was let in: that it was slow, or why it had to give way. */
export function givenUpReasonOf(reasonCode: number): RefusalReason {
  return reasonCode === ReasonCode.ServerBusy ? 'timeout' : refusalReasonOf(reasonCode)
}

/** Of a code that is not in the table the client is innocent. */
export function refusalReasonOf(reasonCode: number): RefusalReason {
  return REASONS.get(reasonCode) ?? 'unavailable'
}
