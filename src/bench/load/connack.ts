/** What a CONNACK says, as far as a load needs to know: why not, or how much at a time. */

import { hex } from './packets.ts'

/** Why the broker let nobody in, for people. */
export function refusalOf(code: number): string {
  const denied = [4, 5, 0x86, 0x87].includes(code)
  const hint = denied ? '; --user and --password (--vs-user and --vs-password) say who connects' : ''
  return `the broker refused the connection with ${hex(code)}${hint}`
}

/** How many bytes the values of CONNACK's properties take; the rest are strings. */
const SIZES: Readonly<Record<number, number>> = {
  17: 4, // Session Expiry Interval
  33: 2, // Receive Maximum
  36: 1, // Maximum QoS
  37: 1, // Retain Available
  39: 4, // Maximum Packet Size
  34: 2, // Topic Alias Maximum
  40: 1, // Wildcard Subscription Available
  41: 1, // Subscription Identifiers Available
  42: 1, // Shared Subscription Available
  19: 2, // Server Keep Alive
}
const RECEIVE_MAXIMUM = 33
const USER_PROPERTY = 38

/** Receive Maximum of a CONNACK of MQTT 5, without its fixed header; 65,535 when it says none. */
export function receiveMaximumIn(connack: Buffer): number {
  let at = 2
  let length = 0
  for (let shift = 0, digit = 0x80; digit >= 0x80; shift += 7) {
    digit = connack[at++] ?? 0
    length |= (digit & 0x7f) << shift
  }
  const end = Math.min(at + length, connack.length)
  while (at < end) {
    const id = connack[at++]!
    if (id === RECEIVE_MAXIMUM) return connack.readUInt16BE(at)
    const size = SIZES[id]
    if (size !== undefined) at += size
    else
      for (let strings = id === USER_PROPERTY ? 2 : 1; strings > 0 && at + 2 <= end; strings--)
        at += 2 + connack.readUInt16BE(at)
  }
  return 65_535
}
