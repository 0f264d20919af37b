/**
 * MQTT 5.0 reason codes (section 2.4), and Refusal: the error that carries one to the client.
 *
 * MQTT 3.1.1 has almost no codes; the transport translates (SUBACK 0x80, a closed connection) where it must.
 */

export const ReasonCode = {
  Success: 0x00,
  DisconnectWithWill: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  ReAuthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecificError: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdentifierNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdentifierNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QosNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  SubscriptionIdentifiersNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const

/** A reason code of MQTT 5.0: one byte, 0x80 and above are failures. */
export type ReasonCode = number

/**
 * Thrown, or rejected with, to refuse what a client asked for. The code goes to an MQTT 5.0 client as it is; the message
 * is for that client and for the log, so it names no internals and no secrets.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ReasonCode
  readonly serverReference: string | null

  /**
   * @param code a failure, 0x80 to 0xa2; one that does not exist for the answer to the client is told as 0x83
   * @param serverReference where the client is to go with 0x9c (for now) or 0x9d (for good), as `host:port` or in any form
   * that it knows; null: nowhere else
   */
  constructor(code: ReasonCode, message: string, serverReference: string | null = null) {
    super(message)
    this.code = code
    this.serverReference = serverReference
  }
}

/**
 * What a client may be told of any error: a Refusal as it is, of everything else that the broker failed and no more.
 * @param code for what is no Refusal
 */
export function asRefusal(error: unknown, code: ReasonCode = ReasonCode.UnspecifiedError): Refusal {
  return error instanceof Refusal ? error : new Refusal(code, 'the broker failed')
}
