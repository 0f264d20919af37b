/**
 * MQTT 5.0 properties as bytes (section 2.2.2): the few that the broker makes itself, and reading those that a message
 * carries: `Message.properties`, which were checked when they came.
 */

const PAYLOAD_FORMAT = 0x01
const CONTENT_TYPE = 0x03
const RESPONSE_TOPIC = 0x08
const CORRELATION_DATA = 0x09
const USER_PROPERTY = 0x26

/** User properties encoded one after the other, in order, ready to stand among the properties of a packet. */
export function userProperties(pairs: ReadonlyArray<readonly [name: string, value: string]>): Buffer {
  const parts: Buffer[] = []
  for (const pair of pairs) {
    parts.push(Buffer.from([USER_PROPERTY]))
    for (const text of pair) {
      const bytes = Buffer.from(text)
      parts.push(Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes)
    }
  }
  return Buffer.concat(parts)
}

/** The user properties of these names that a message carries, of each name the first; null: none of them. */
export function userPropertiesIn(properties: Buffer, names: ReadonlySet<string>): Map<string, string> | null {
  let found: Map<string, string> | null = null
  for (let at = 0; at < properties.length; at = propertyEnd(properties, at)) {
    const name = properties[at] === USER_PROPERTY ? textAt(properties, at + 1) : null
    if (name === null || !names.has(name)) continue
    found ??= new Map()
    if (!found.has(name)) found.set(name, textAt(properties, blockEnd(properties, at + 1)))
  }
  return found
}

/** All user properties that a message carries, in order. */
export function allUserProperties(properties: Buffer): Array<[name: string, value: string]> {
  const found: Array<[string, string]> = []
  for (let at = 0; at < properties.length; at = propertyEnd(properties, at)) {
    if (properties[at] !== USER_PROPERTY) continue
    found.push([textAt(properties, at + 1), textAt(properties, blockEnd(properties, at + 1))])
  }
  return found
}

/** The properties of a message without the user properties of these names; null: nothing is left. */
export function withoutUserProperties(properties: Buffer, names: ReadonlySet<string>): Buffer | null {
  const kept: Buffer[] = []
  for (let at = 0, end = 0; at < properties.length; at = end) {
    end = propertyEnd(properties, at)
    const left = properties[at] === USER_PROPERTY && names.has(textAt(properties, at + 1))
    if (!left) kept.push(properties.subarray(at, end))
  }
  return kept.length === 0 ? null : Buffer.concat(kept)
}

/** The Correlation Data that a message carries, as a property in bytes; null: none. A view. */
export function correlationDataIn(properties: Buffer): Buffer | null {
  for (let at = 0, end = 0; at < properties.length; at = end) {
    end = propertyEnd(properties, at)
    if (properties[at] === CORRELATION_DATA) return properties.subarray(at, end)
  }
  return null
}

/** Where the property that begins at `at` ends. All that a message carries but one are text or binary. */
function propertyEnd(properties: Buffer, at: number): number {
  const id = properties[at]
  if (id === PAYLOAD_FORMAT) return at + 2
  const end = blockEnd(properties, at + 1)
  return id === USER_PROPERTY ? blockEnd(properties, end) : end
}

/** Where text or binary data ends that begins, with its length, at `at`. */
function blockEnd(properties: Buffer, at: number): number {
  return at + 2 + ((properties[at]! << 8) | properties[at + 1]!)
}

function textAt(properties: Buffer, at: number): string {
  return properties.toString('utf8', at + 2, blockEnd(properties, at))
}

/** What a message that is made here may carry, as its receivers see it on MQTT 5.0. Text is well-formed, without U+0000. */
export interface MadeProperties {
  contentType?: string | undefined
  responseTopic?: string | undefined
  correlationData?: Buffer | undefined
  userProperties?: ReadonlyArray<readonly [name: string, value: string]>
}

/** These as `Message.properties`; null: there are none. Each is at most 65,535 bytes long. */
export function madeProperties(made: MadeProperties): Buffer | null {
  const { contentType, responseTopic, correlationData, userProperties: pairs = [] } = made
  const parts: Buffer[] = []
  if (contentType !== undefined) parts.push(block(CONTENT_TYPE, Buffer.from(contentType)))
  if (responseTopic !== undefined) parts.push(block(RESPONSE_TOPIC, Buffer.from(responseTopic)))
  if (correlationData !== undefined) parts.push(block(CORRELATION_DATA, correlationData))
  if (pairs.length > 0) parts.push(userProperties(pairs))
  return parts.length === 0 ? null : Buffer.concat(parts)
}

function block(id: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([id, bytes.length >> 8, bytes.length & 0xff]), bytes])
}
