/** MQTT packets by hand, for what no encoder would write. */

/** Bytes from numbers, strings (their UTF-8, with its length before it) and other bytes. */
export function bytes(...parts: Array<number | string | Buffer>): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'number') return Buffer.from([part])
      if (typeof part !== 'string') return part
      const text = Buffer.from(part)
      return Buffer.concat([Buffer.from([text.length >> 8, text.length & 0xff]), text])
    }),
  )
}

/** Properties (under 128 bytes) with their length before them. */
export function properties(...parts: Array<number | string | Buffer>): Buffer {
  const all = bytes(...parts)
  return Buffer.concat([Buffer.from([all.length]), all])
}

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
