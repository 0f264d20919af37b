/** MQTT packets by hand, for what no encoder would write. */

import { bytes } from '../unit/wire/support.ts'

/** A packet with its remaining length, whatever stands in it: numbers are bytes, strings have their length before them. */
export function packet(first: number, ...parts: Array<number | string | Buffer>): Buffer {
  const body = bytes(...parts)
  const length: number[] = []
  let rest = body.length
  do {
    length.push(rest >= 0x80 ? (rest & 0x7f) | 0x80 : rest)
    rest >>>= 7
  } while (rest > 0)
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

/** A string with its length before it, whose bytes need not be UTF-8. */
export function rawText(...content: number[]): Buffer {
  return Buffer.from([content.length >> 8, content.length & 0xff, ...content])
}
