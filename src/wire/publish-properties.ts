/**
 * The properties of a client's PUBLISH, and of its will: checked, and the few that the broker acts on taken out.
 *
 * The rest travels on to subscribers as the bytes that came, so that user properties keep their order [MQTT-3.3.2-18].
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { PropertyWalker } from './property-reader.ts'
import { PropertyId, PropertyPlace } from './property-table.ts'

export interface PublishProperties {
  /**
   * All but message expiry and topic alias, in their order, without a length; null if there is nothing else. A view on
   * the bytes given if it stands there in one piece, which it nearly always does.
   */
  passedOn: Buffer | null
  /** The message expiry interval; -1: none. */
  expirySeconds: number
  /** 0: none. */
  topicAlias: number
}

export interface WillProperties {
  /** All but message expiry and will delay, in their order, without a length; null if there is nothing else. A copy. */
  passedOn: Buffer | null
  /** The message expiry interval; -1: none. */
  expirySeconds: number
  /** 0: none. */
  delaySeconds: number
}

/**
 * The properties in [start, end) of `bytes`, which exclude their length.
 * @throws Refusal 0x81, 0x82 or 0x94 (see PropertyWalker); 0x82 for a subscription identifier [MQTT-3.3.4-6]
 */
export function readPublishProperties(bytes: Buffer, start: number, end: number): PublishProperties {
  let expirySeconds = -1
  let topicAlias = 0
  let expiryStart = end
  let aliasStart = end
  walker.begin(bytes, start, end, PropertyPlace.Publish)
  while (walker.next()) {
    if (walker.id === PropertyId.MessageExpiryInterval) {
      expirySeconds = walker.number()
      expiryStart = walker.start
    } else if (walker.id === PropertyId.TopicAlias) {
      topicAlias = walker.number()
      aliasStart = walker.start
    } else if (walker.id === PropertyId.SubscriptionIdentifier) {
      throw new Refusal(ReasonCode.ProtocolError, 'a subscription identifier is not for clients to send')
    }
  }
  const passedOn =
    expiryStart < aliasStart
      ? without(bytes, start, end, expiryStart, EXPIRY_BYTES, aliasStart, ALIAS_BYTES)
      : without(bytes, start, end, aliasStart, ALIAS_BYTES, expiryStart, EXPIRY_BYTES)
  return { passedOn, expirySeconds, topicAlias }
}

/**
 * The properties of a will in [start, end) of `bytes`, which exclude their length.
 * @throws Refusal 0x81 or 0x82 (see PropertyWalker)
 */
export function readWillProperties(bytes: Buffer, start: number, end: number): WillProperties {
  let expirySeconds = -1
  let delaySeconds = 0
  const passedOn: Buffer[] = []
  walker.begin(bytes, start, end, PropertyPlace.Will)
  while (walker.next()) {
    if (walker.id === PropertyId.MessageExpiryInterval) expirySeconds = walker.number()
    else if (walker.id === PropertyId.WillDelayInterval) delaySeconds = walker.number()
    else passedOn.push(bytes.subarray(walker.start, walker.end))
  }
  return { passedOn: passedOn.length === 0 ? null : Buffer.concat(passedOn), expirySeconds, delaySeconds }
}

/**
 * [start, end) of `bytes` without two pieces, the second behind the first; a piece that begins at `end` is not there.
 * A view if what is left is in one piece.
 */
function without(
  bytes: Buffer,
  start: number,
  end: number,
  firstStart: number,
  firstBytes: number,
  secondStart: number,
  secondBytes: number,
): Buffer | null {
  const firstEnd = Math.min(firstStart + firstBytes, end)
  const secondEnd = Math.min(secondStart + secondBytes, end)
  const before = firstStart - start
  const between = secondStart - firstEnd
  const after = end - secondEnd
  const left = before + between + after
  if (left === 0) return null
  if (left === before) return bytes.subarray(start, firstStart)
  if (left === between) return bytes.subarray(firstEnd, secondStart)
  if (left === after) return bytes.subarray(secondEnd, end)
  const copy = Buffer.allocUnsafe(left)
  bytes.copy(copy, 0, start, firstStart)
  bytes.copy(copy, before, firstEnd, secondStart)
  bytes.copy(copy, before + between, secondEnd, end)
  return copy
}

/** Reading is done in one go, so one walker serves all. */
const walker = new PropertyWalker()

/** An identifier and four, or two, bytes. */
const EXPIRY_BYTES = 5
const ALIAS_BYTES = 3
