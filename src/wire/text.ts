/**
 * UTF-8 strings of MQTT (section 1.5.4), decoded strictly: what is ill-formed is refused, never repaired.
 *
 * Every message brings a topic through here, so text that is plain ASCII, as nearly all is, takes a path of its own.
 */

import { isUtf8 } from 'node:buffer'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'

/**
 * The text in `bytes` from `start` to `end`, both within the buffer.
 *
 * U+FEFF is kept wherever it stands [MQTT-1.5.4-3].
 * @throws Refusal 0x81 when it is ill-formed, surrogates included, or has U+0000 [MQTT-1.5.4-1, MQTT-1.5.4-2]
 */
export function readText(bytes: Buffer, start: number, end: number): string {
  if (isPlain(bytes, start, end)) return plainText(bytes, start, end)
  checkUnusualText(bytes, start, end)
  return bytes.toString('utf8', start, end)
}

/**
 * As `readText`, for what names something: topics, filters, clients, users. These have no control characters, which MQTT
 * advises against and lets a server refuse (section 1.5.4): they hide in a terminal, and break the lines of logs and rules.
 * @throws Refusal 0x81
 */
export function readName(bytes: Buffer, start: number, end: number): string {
  if (isPlain(bytes, start, end)) return plainText(bytes, start, end)
  const name = readText(bytes, start, end)
  if (CONTROL.test(name)) throw new Refusal(ReasonCode.MalformedPacket, 'a name contains a control character')
  return name
}

/** Refuses what readText would refuse, and makes no string. */
export function checkText(bytes: Buffer, start: number, end: number): void {
  if (!isPlain(bytes, start, end)) checkUnusualText(bytes, start, end)
}

/** ASCII without control characters. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte >= 0x7f || byte < 0x20) return false
  }
  return true
}

function plainText(bytes: Buffer, start: number, end: number): string {
  return end - start <= MAX_SHORT ? shortText(bytes, start, end) : (bytes as Sliceable).latin1Slice(start, end)
}

function checkUnusualText(bytes: Buffer, start: number, end: number): void {
  const text = bytes.subarray(start, end)
  if (!isUtf8(text)) throw new Refusal(ReasonCode.MalformedPacket, 'text is not well-formed UTF-8')
  if (text.includes(0)) throw new Refusal(ReasonCode.MalformedPacket, 'text contains U+0000')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0001-\u001f\u007f-\u009f]/

/** In every Node.js but in no types: what toString('latin1') comes down to, 20 ns later. */
type Sliceable = Buffer & { latin1Slice(start: number, end: number): string }

/** V8 copies when it joins strings to one of at most 12 characters; a longer one it would keep as a rope. */
const MAX_SHORT = 12

/** Half the time of latin1Slice, whose call out of JavaScript costs more than the work: 12 bytes 60 ns, not 125. */
function shortText(bytes: Buffer, start: number, end: number): string {
  let text = ''
  let i = start
  if (end - i >= 8) {
    text = fromCharCode(
      bytes[i]!,
      bytes[i + 1]!,
      bytes[i + 2]!,
      bytes[i + 3]!,
      bytes[i + 4]!,
      bytes[i + 5]!,
      bytes[i + 6]!,
      bytes[i + 7]!,
    )
    i += 8
  }
  if (end - i >= 4) {
    text += fromCharCode(bytes[i]!, bytes[i + 1]!, bytes[i + 2]!, bytes[i + 3]!)
    i += 4
  }
  for (; i < end; i++) text += fromCharCode(bytes[i]!)
  return text
}

const fromCharCode = String.fromCharCode
