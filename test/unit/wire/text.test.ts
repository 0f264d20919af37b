import { describe, expect, it } from 'vitest'
import { checkText, readName, readText } from '../../../src/wire/text.ts'
import { outcome } from './support.ts'

const read = (bytes: Buffer): string => readText(bytes, 0, bytes.length)

describe('text', () => {
  it('is read at every length, short and long', () => {
    const whole = 'sensors/kitchen/temperature/now'
    for (let length = 0; length <= whole.length; length++) {
      expect(read(Buffer.from(whole.slice(0, length)))).toBe(whole.slice(0, length))
    }
  })

  it('is read from the middle of a buffer', () => {
    const bytes = Buffer.from('\xff\0abc/def\0\xff', 'latin1')
    expect(readText(bytes, 2, 9)).toBe('abc/def')
  })

  it.each(['é', '中文/主题', '😀', 'a/😀/b', '\u{10ffff}', '\ufffd', '\ufffe', '\u0001\u007f\u0080'])(
    'may hold any well-formed UTF-8 but U+0000: %j',
    (text) => {
      expect(read(Buffer.from(text))).toBe(text)
    },
  )

  it.each([0x01, 0x09, 0x0a, 0x1f, 0x7f, 0x80, 0x9f])(
    'may hold the control character %i, but not as a name',
    (code) => {
      const bytes = Buffer.from(`a${String.fromCharCode(code)}`)
      expect(read(bytes)).toBe(bytes.toString())
      expect(outcome(() => readName(bytes, 0, bytes.length))).toBe(0x81)
    },
  )

  it.each(['sensors/kitchen temperature', 'é', '\u00a0', '\ufeff', '\ufffe'])(
    'may be a name without them: %j',
    (name) => {
      const bytes = Buffer.from(name)
      expect(readName(bytes, 0, bytes.length)).toBe(name)
    },
  )

  it('keeps U+FEFF wherever it stands [MQTT-1.5.4-3]', () => {
    expect(read(Buffer.from('\ufeffa\ufeffb'))).toBe('\ufeffa\ufeffb')
  })

  it.each([
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a pair of surrogates', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['an overlong form', [0xc0, 0x80]],
    ['a continuation byte alone', [0x61, 0x80]],
    ['a sequence cut short', [0x61, 0xe4, 0xb8]],
    ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['the byte 0xFF', [0xff]],
  ])('is refused with 0x81 for %s [MQTT-1.5.4-1]', (_what, wrong) => {
    const bytes = Buffer.from(wrong)
    expect(outcome(() => read(bytes))).toBe(0x81)
    expect(outcome(() => checkText(bytes, 0, bytes.length))).toBe(0x81)
  })

  it.each(['\0', 'a\0b', 'long enough for the other path\0', 'é\0'])(
    'is refused with 0x81 for U+0000: %j [MQTT-1.5.4-2]',
    (text) => {
      const bytes = Buffer.from(text)
      expect(outcome(() => read(bytes))).toBe(0x81)
      expect(outcome(() => checkText(bytes, 0, bytes.length))).toBe(0x81)
    },
  )
})
