/**
 * Every property of MQTT 5.0 (section 2.2.2.2): its identifier, its kind of value, and the packets it may stand in.
 *
 * What the server alone sends is in the table too: a client that sends it is told what it did, not that it is unknown.
 */

import { ReasonCode } from '../core/reason-codes.ts'

/** Property identifiers. */
export const PropertyId = {
  PayloadFormatIndicator: 0x01,
  MessageExpiryInterval: 0x02,
  ContentType: 0x03,
  ResponseTopic: 0x08,
  CorrelationData: 0x09,
  SubscriptionIdentifier: 0x0b,
  SessionExpiryInterval: 0x11,
  AssignedClientIdentifier: 0x12,
  ServerKeepAlive: 0x13,
  AuthenticationMethod: 0x15,
  AuthenticationData: 0x16,
  RequestProblemInformation: 0x17,
  WillDelayInterval: 0x18,
  RequestResponseInformation: 0x19,
  ResponseInformation: 0x1a,
  ServerReference: 0x1c,
  ReasonString: 0x1f,
  ReceiveMaximum: 0x21,
  TopicAliasMaximum: 0x22,
  TopicAlias: 0x23,
  MaximumQos: 0x24,
  RetainAvailable: 0x25,
  UserProperty: 0x26,
  MaximumPacketSize: 0x27,
  WildcardSubscriptionAvailable: 0x28,
  SubscriptionIdentifiersAvailable: 0x29,
  SharedSubscriptionAvailable: 0x2a,
} as const

/** What properties stand in: one bit (1 << packet type) for each kind of packet, and one for the will inside CONNECT. */
export const PropertyPlace = {
  Will: 1 << 0,
  Connect: 1 << 1,
  Connack: 1 << 2,
  Publish: 1 << 3,
  Puback: 1 << 4,
  Pubrec: 1 << 5,
  Pubrel: 1 << 6,
  Pubcomp: 1 << 7,
  Subscribe: 1 << 8,
  Suback: 1 << 9,
  Unsubscribe: 1 << 10,
  Unsuback: 1 << 11,
  Disconnect: 1 << 14,
  Auth: 1 << 15,
} as const

/** Kinds of values. A flag is a byte that is 0 or 1; a topic is text that must be a topic name. */
export const PropertyKind = { Flag: 1, U16: 2, U32: 3, Varint: 4, Text: 5, Topic: 6, Binary: 7, Pair: 8 } as const

interface Row {
  id: number
  kind: number
  places: number
  /** The reason code with which the value 0 is refused; 0: it is allowed. */
  zero?: number
  /** Whether it may stand in a packet more than once. */
  repeatable?: boolean
}

const { Will, Connect, Connack, Publish, Subscribe, Disconnect, Auth } = PropertyPlace
const { Flag, U16, U32, Varint, Text, Topic, Binary, Pair } = PropertyKind
const ACKNOWLEDGEMENTS = PropertyPlace.Puback | PropertyPlace.Pubrec | PropertyPlace.Pubrel | PropertyPlace.Pubcomp
const ANSWERS = ACKNOWLEDGEMENTS | Connack | PropertyPlace.Suback | PropertyPlace.Unsuback | Disconnect | Auth
const EVERYWHERE = ANSWERS | Will | Connect | Publish | Subscribe | PropertyPlace.Unsubscribe
const { ProtocolError, TopicAliasInvalid } = ReasonCode

const ROWS: Row[] = [
  { id: PropertyId.PayloadFormatIndicator, kind: Flag, places: Publish | Will },
  { id: PropertyId.MessageExpiryInterval, kind: U32, places: Publish | Will },
  { id: PropertyId.ContentType, kind: Text, places: Publish | Will },
  { id: PropertyId.ResponseTopic, kind: Topic, places: Publish | Will },
  { id: PropertyId.CorrelationData, kind: Binary, places: Publish | Will },
  // Repeatable only in a PUBLISH from the server, which is not read here.
  { id: PropertyId.SubscriptionIdentifier, kind: Varint, places: Publish | Subscribe, zero: ProtocolError },
  { id: PropertyId.SessionExpiryInterval, kind: U32, places: Connect | Connack | Disconnect },
  { id: PropertyId.AssignedClientIdentifier, kind: Text, places: Connack },
  { id: PropertyId.ServerKeepAlive, kind: U16, places: Connack },
  { id: PropertyId.AuthenticationMethod, kind: Text, places: Connect | Connack | Auth },
  { id: PropertyId.AuthenticationData, kind: Binary, places: Connect | Connack | Auth },
  { id: PropertyId.RequestProblemInformation, kind: Flag, places: Connect },
  { id: PropertyId.WillDelayInterval, kind: U32, places: Will },
  { id: PropertyId.RequestResponseInformation, kind: Flag, places: Connect },
  { id: PropertyId.ResponseInformation, kind: Text, places: Connack },
  { id: PropertyId.ServerReference, kind: Text, places: Connack | Disconnect },
  { id: PropertyId.ReasonString, kind: Text, places: ANSWERS },
  { id: PropertyId.ReceiveMaximum, kind: U16, places: Connect | Connack, zero: ProtocolError },
  { id: PropertyId.TopicAliasMaximum, kind: U16, places: Connect | Connack },
  { id: PropertyId.TopicAlias, kind: U16, places: Publish, zero: TopicAliasInvalid },
  { id: PropertyId.MaximumQos, kind: Flag, places: Connack },
  { id: PropertyId.RetainAvailable, kind: Flag, places: Connack },
  { id: PropertyId.UserProperty, kind: Pair, places: EVERYWHERE, repeatable: true },
  { id: PropertyId.MaximumPacketSize, kind: U32, places: Connect | Connack, zero: ProtocolError },
  { id: PropertyId.WildcardSubscriptionAvailable, kind: Flag, places: Connack },
  { id: PropertyId.SubscriptionIdentifiersAvailable, kind: Flag, places: Connack },
  { id: PropertyId.SharedSubscriptionAvailable, kind: Flag, places: Connack },
]

// The table once more, by identifier, as the walker wants it. Of an identifier that does not exist all are 0.
/** The places that a property may stand in. */
export const PLACES = new Uint16Array(256)
/** The kind of its value. */
export const KINDS = new Uint8Array(256)
/** The reason code with which the value 0 is refused, or 0. */
export const ZERO_REFUSED = new Uint8Array(256)
/** A bit of its own, to see it come twice; 0 if it may. */
export const ONCE = new Uint32Array(256)

for (const [index, row] of ROWS.entries()) {
  PLACES[row.id] = row.places
  KINDS[row.id] = row.kind
  ZERO_REFUSED[row.id] = row.zero ?? 0
  ONCE[row.id] = row.repeatable === true ? 0 : 1 << index
}

/** What to call a property when it is refused, e.g. 'topic alias'. */
export function propertyName(id: number): string {
  const name = Object.entries(PropertyId).find(([, other]) => other === id)?.[0]
  if (name === undefined) return `property 0x${id.toString(16).padStart(2, '0')}`
  return name.replace(/(?<!^)[A-Z]/g, ' $&').toLowerCase()
}
