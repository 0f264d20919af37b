/** The properties of CONNECT (MQTT 5.0 section 3.1.2.11), and what stands for them in a CONNECT of earlier versions. */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { type PropertyWalker, walkProperties } from './property-reader.ts'
import { PropertyId, PropertyPlace } from './property-table.ts'
import type { Reader } from './reader.ts'

export interface ConnectProperties {
  /** 0xffffffff: the session never expires. Before MQTT 5.0 it follows from Clean Session. */
  sessionExpirySeconds: number
  /** How many QoS 1 and 2 messages the client takes at a time, 1 to 65,535. */
  receiveMaximum: number
  /** In bytes; 0: no limit. */
  maximumPacketSize: number
  topicAliasMaximum: number
  requestResponseInformation: boolean
  requestProblemInformation: boolean
  authenticationMethod: string | null
  authenticationData: Buffer | null
}

/** @throws Refusal 0x81 or 0x82 */
export function readConnectProperties(reader: Reader): ConnectProperties {
  const properties = defaults(0)
  const walker = walkProperties(reader, PropertyPlace.Connect)
  while (walker.next()) take(properties, walker)
  if (properties.authenticationData !== null && properties.authenticationMethod === null) {
    throw new Refusal(ReasonCode.ProtocolError, 'there is authentication data, but no authentication method')
  }
  return properties
}

/** Clean Session says both when a session begins and when it ends. */
export function connectPropertiesBefore5(clean: boolean): ConnectProperties {
  return defaults(clean ? 0 : NEVER)
}

function take(properties: ConnectProperties, walker: PropertyWalker): void {
  switch (walker.id) {
    case PropertyId.SessionExpiryInterval:
      properties.sessionExpirySeconds = walker.number()
      break
    case PropertyId.ReceiveMaximum:
      properties.receiveMaximum = walker.number()
      break
    case PropertyId.MaximumPacketSize:
      properties.maximumPacketSize = walker.number()
      break
    case PropertyId.TopicAliasMaximum:
      properties.topicAliasMaximum = walker.number()
      break
    case PropertyId.RequestResponseInformation:
      properties.requestResponseInformation = walker.number() === 1
      break
    case PropertyId.RequestProblemInformation:
      properties.requestProblemInformation = walker.number() === 1
      break
    case PropertyId.AuthenticationMethod:
      properties.authenticationMethod = walker.text()
      break
    case PropertyId.AuthenticationData:
      properties.authenticationData = walker.binary()
      break
  }
}

function defaults(sessionExpirySeconds: number): ConnectProperties {
  return {
    sessionExpirySeconds,
    receiveMaximum: 65_535,
    maximumPacketSize: 0,
    topicAliasMaximum: 0,
    requestResponseInformation: false,
    requestProblemInformation: true,
    authenticationMethod: null,
    authenticationData: null,
  }
}

const NEVER = 0xffffffff
