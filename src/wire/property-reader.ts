/**
 * Walks over the MQTT 5.0 properties of a packet, one after the other.
 *
 * Every property is checked whole before the walker stops at it, so whoever reads its value need not. A walker can be
 * used again and again: walking makes no object, which is what a PUBLISH needs.
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { KINDS, ONCE, PLACES, PropertyKind, propertyName, ZERO_REFUSED } from './property-table.ts'
import { cutShort, type Reader, readU16, readU32, readVarint, varintBytes } from './reader.ts'
import { checkText, readText } from './text.ts'

export class PropertyWalker {
  /** The property that the walker stands at: its identifier, and where it begins and ends. */
  id = 0
  start = 0
  end = 0

  #bytes: Buffer = NOTHING
  #limit = 0
  #place = 0
  #seen = 0

  /** Stand before the first property of [start, end), which excludes the length of the properties. */
  begin(bytes: Buffer, start: number, end: number, place: number): this {
    this.#bytes = bytes
    this.end = start
    this.#limit = end
    this.#place = place
    this.#seen = 0
    return this
  }

  /**
   * Step to the next property and check it. False after the last.
   * @throws Refusal 0x81 if it is unknown, does not belong in this place or is cut short; 0x82 if it comes twice or has a
   * value that is not allowed; 0x94 if it is the topic alias 0
   */
  next(): boolean {
    const start = this.end
    if (start === this.#limit) {
      this.#bytes = NOTHING // a walker is kept, and should not keep the socket's chunk
      return false
    }
    // The identifier is a variable byte integer; none there is needs a second byte.
    const id = this.#bytes[start]!
    if ((PLACES[id]! & this.#place) === 0) throw misplaced(id)
    const bit = ONCE[id]!
    if ((this.#seen & bit) !== 0) throw new Refusal(ReasonCode.ProtocolError, `the ${propertyName(id)} comes twice`)
    this.#seen |= bit
    this.id = id
    this.start = start
    this.end = checkValue(this.#bytes, id, start + 1, this.#limit)
    return true
  }

  /** The value, if it is a flag or an integer of any kind. */
  number(): number {
    const at = this.start + 1
    switch (KINDS[this.id]) {
      case PropertyKind.Flag:
        return this.#bytes[at]!
      case PropertyKind.U16:
        return readU16(this.#bytes, at)
      case PropertyKind.U32:
        return readU32(this.#bytes, at)
      default:
        return readVarint(this.#bytes, at, this.end)
    }
  }

  /** The value, if it is a string. */
  text(): string {
    return readText(this.#bytes, this.start + 3, this.end)
  }

  /** The value, if it is binary data: a copy. */
  binary(): Buffer {
    return Buffer.from(this.#bytes.subarray(this.start + 3, this.end))
  }
}

/** A walker over the properties that begin, with their length, where `reader` stands. The reader is left behind them. */
export function walkProperties(reader: Reader, place: number): PropertyWalker {
  const length = reader.varint()
  const start = reader.skip(length)
  return new PropertyWalker().begin(reader.bytes, start, start + length, place)
}

/** Check properties of which none is of interest. */
export function checkProperties(reader: Reader, place: number): void {
  const walker = walkProperties(reader, place)
  while (walker.next());
}

/** Check the value that begins at `at`, and say where it ends. */
function checkValue(bytes: Buffer, id: number, at: number, limit: number): number {
  switch (KINDS[id]) {
    case PropertyKind.Pair:
      return checkString(bytes, checkString(bytes, at, limit), limit)
    case PropertyKind.Text:
      return checkString(bytes, at, limit)
    case PropertyKind.Topic: {
      const end = checkString(bytes, at, limit)
      if (!isTopicName(bytes, at + 2, end)) throw outOfRange(id)
      return end
    }
    case PropertyKind.Binary:
      return blockEnd(bytes, at, limit)
    default:
      return checkInteger(bytes, id, at, limit)
  }
}

function checkInteger(bytes: Buffer, id: number, at: number, limit: number): number {
  const kind = KINDS[id]!
  const end = at + integerBytes(bytes, kind, at, limit)
  if (end > limit) throw cutShort()
  if (kind === PropertyKind.Flag && bytes[at]! > 1) throw outOfRange(id)
  const zeroRefused = ZERO_REFUSED[id]!
  if (zeroRefused !== 0 && isZero(bytes, at, end)) throw outOfRange(id, zeroRefused)
  return end
}

function integerBytes(bytes: Buffer, kind: number, at: number, limit: number): number {
  if (kind === PropertyKind.U32) return 4
  if (kind === PropertyKind.U16) return 2
  return kind === PropertyKind.Flag ? 1 : varintBytes(readVarint(bytes, at, limit))
}

function isZero(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

function checkString(bytes: Buffer, at: number, limit: number): number {
  const end = blockEnd(bytes, at, limit)
  checkText(bytes, at + 2, end)
  return end
}

/** Where binary data, or a string, that begins with its length at `at` ends. */
function blockEnd(bytes: Buffer, at: number, limit: number): number {
  const end = at + 2 + readU16(bytes, at) // if the length itself is cut short, beyond the limit whatever was read
  if (end > limit) throw cutShort()
  return end
}

/** Not empty and without wildcards [MQTT-4.7.3-1, MQTT-3.3.2-14]; asked of the bytes, to make no string. */
function isTopicName(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === PLUS || bytes[i] === HASH) return false
  return end > start
}

function misplaced(id: number): Refusal {
  const problem = PLACES[id] === 0 ? 'does not exist' : 'does not belong in this packet'
  return new Refusal(ReasonCode.MalformedPacket, `the ${propertyName(id)} ${problem}`)
}

function outOfRange(id: number, code: ReasonCode = ReasonCode.ProtocolError): Refusal {
  return new Refusal(code, `the ${propertyName(id)} has a value that is not allowed`)
}

const NOTHING = Buffer.alloc(0)
const PLUS = 43
const HASH = 35
