/** MQTT 5.0 properties as bytes (section 2.2.2): the few that the broker makes itself. */

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
