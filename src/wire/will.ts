/** The will as it stands in the payload of CONNECT (sections 3.1.3.2 to 3.1.3.4). */

import type { QoS } from '../core/message.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { topicProblem } from '../core/topics.ts'
import type { Will } from '../core/will.ts'
import { readWillProperties, type WillProperties } from './publish-properties.ts'
import type { Reader } from './reader.ts'

/**
 * @param qos 0 to 2, from the connect flags
 * @throws Refusal 0x81 or 0x82; 0x90 for a topic that is no topic name
 */
export function readWill(reader: Reader, qos: number, retain: boolean, version: number): Will {
  const { passedOn, expirySeconds, delaySeconds } = version === 5 ? readProperties(reader) : NO_PROPERTIES
  const topic = reader.name()
  const problem = topicProblem(topic, Number.POSITIVE_INFINITY)
  if (problem !== null) throw new Refusal(ReasonCode.TopicNameInvalid, `the will has no valid topic: ${problem}`)
  const payload = Buffer.from(reader.binary())
  return { topic, payload, qos: qos as QoS, retain, delaySeconds, expirySeconds, properties: passedOn }
}

function readProperties(reader: Reader): WillProperties {
  const length = reader.varint()
  const start = reader.skip(length)
  return readWillProperties(reader.bytes, start, start + length)
}

const NO_PROPERTIES: WillProperties = { passedOn: null, expirySeconds: -1, delaySeconds: 0 }
