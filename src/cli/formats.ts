/** How `sub` writes a message: its payload as it is, with its topic, as JSON, or by a format as that of mosquitto_sub. */

import { isUtf8 } from 'node:buffer'
import type { IPublishPacket } from 'mqtt'
import { WronglyCalled } from './command.ts'
import { printable } from './table.ts'

/** What is written for a message, with the end of the line. */
export type Format = (packet: IPublishPacket) => Buffer

export interface FormatOptions {
  json?: boolean | undefined
  verbose?: boolean | undefined
  format?: string | undefined
  /** No end of line behind a payload. */
  bare?: boolean | undefined
}

/** @throws WronglyCalled for a format that is none */
export function formatOf({ json, verbose, format, bare }: FormatOptions): Format {
  if (json === true) return asJson
  const end = Buffer.from(bare === true ? '' : '\n')
  const parts = partsOf(format ?? (verbose === true ? '%t %p' : '%p'))
  return (packet) => Buffer.concat([...parts.map((part) => part(packet)), end])
}

/** As the HTTP API has them: `encoding` says whether the payload is text or base64. */
function asJson({ topic, payload, qos, retain, properties }: IPublishPacket): Buffer {
  const bytes = Buffer.from(payload)
  const encoding = isUtf8(bytes) ? 'utf8' : 'base64'
  const { userProperties = {} } = properties ?? {}
  const message = { topic, payload: bytes.toString(encoding), encoding, qos, retain, userProperties }
  return Buffer.from(`${JSON.stringify(message)}\n`)
}

const FIELDS: Readonly<Record<string, (packet: IPublishPacket) => string | Buffer>> = {
  t: ({ topic }) => shown(Buffer.from(topic)),
  p: ({ payload }) => shown(Buffer.from(payload)),
  x: ({ payload }) => Buffer.from(payload).toString('hex'),
  X: ({ payload }) => Buffer.from(payload).toString('hex').toUpperCase(),
  b: ({ payload }) => Buffer.from(payload).toString('base64'),
  l: ({ payload }) => String(Buffer.from(payload).length),
  q: ({ qos }) => String(qos),
  r: ({ retain }) => (retain ? '1' : '0'),
  m: ({ messageId = 0 }) => String(messageId),
  I: () => new Date().toISOString(),
  U: () => (Date.now() / 1000).toFixed(3),
  '%': () => '%',
}
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' }

/** `%t: %p\n`: what is between the fields stands as it is. */
function partsOf(format: string): Format[] {
  const pieces = format.match(/%.?|\\.?|[^%\\]+/gsu) ?? []
  return pieces.map((piece) => {
    if (piece.startsWith('%')) {
      const field = Object.hasOwn(FIELDS, piece.slice(1)) ? FIELDS[piece.slice(1)]! : null
      if (field === null)
        throw new WronglyCalled(
          `--format knows ${Object.keys(FIELDS)
            .map((name) => `%${name}`)
            .join(' ')}, not ${piece}`,
        )
      return (packet) => Buffer.from(field(packet) as string)
    }
    const text = Buffer.from(piece.startsWith('\\') ? (ESCAPES[piece.slice(1)] ?? piece) : piece)
    return () => text
  })
}

/** On a terminal, control characters are shown, not obeyed; line breaks and tabs do no harm. */
function shown(bytes: Buffer): string | Buffer {
  if (!process.stdout.isTTY) return bytes
  const parts = bytes.toString('utf8').split(/([\n\t])/)
  return parts.map((part) => (part === '\n' || part === '\t' ? part : printable(part))).join('')
}
