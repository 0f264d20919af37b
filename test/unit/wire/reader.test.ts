import { describe, expect, it } from 'vitest'
import { Reader, varintBytes } from '../../../src/wire/reader.ts'
import { outcome } from './support.ts'

const over = (...bytes: number[]): Reader => new Reader(Buffer.from(bytes), 0, bytes.length)

describe('a reader', () => {
  it('reads integers, most significant byte first', () => {
    const reader = over(0xfe, 0x01, 0x02, 0xff, 0x00, 0x00, 0x01)
    expect(reader.u8()).toBe(0xfe)
    expect(reader.u16()).toBe(0x0102)
    expect(reader.u32()).toBe(0xff000001)
    expect(reader.atEnd).toBe(true)
  })

  it('reads text and binary data behind their lengths', () => {
    const reader = over(0, 2, 0x68, 0x69, 0, 3, 0, 1, 0xff)
    expect(reader.name()).toBe('hi')
    expect([...reader.binary()]).toEqual([0, 1, 0xff])
  })

  it.each([
    [[0x00], 0],
    [[0x7f], 127],
    [[0x80, 0x01], 128],
    [[0xff, 0xff, 0x7f], 2_097_151],
    [[0xff, 0xff, 0xff, 0x7f], 268_435_455],
  ])('reads the variable byte integer %j as %i', (bytes, value) => {
    const reader = over(...bytes)
    expect(reader.varint()).toBe(value)
    expect(reader.atEnd).toBe(true)
    expect(varintBytes(value)).toBe(bytes.length)
  })

  it.each([[[0x80]], [[0xff, 0xff]], [[0xff, 0xff, 0xff, 0xff]], [[0xff, 0xff, 0xff, 0xff, 0x01]]])(
    'refuses the variable byte integer %j with 0x81: it does not end',
    (bytes) => {
      expect(outcome(() => over(...bytes).varint())).toBe(0x81)
    },
  )

  it.each([[[0x80, 0x00]], [[0xff, 0x80, 0x00]]])(
    'refuses the variable byte integer %j with 0x81: it is longer than it needs to be [MQTT-1.5.5-1]',
    (bytes) => {
      expect(outcome(() => over(...bytes).varint())).toBe(0x81)
    },
  )

  it('refuses with 0x81 whatever would run past the end', () => {
    expect(outcome(() => over().u8())).toBe(0x81)
    expect(outcome(() => over(1).u16())).toBe(0x81)
    expect(outcome(() => over(1, 2, 3).u32())).toBe(0x81)
    expect(outcome(() => over(0, 3, 0x61, 0x62).name())).toBe(0x81)
    expect(outcome(() => over(0xff, 0xff, 0x61).binary())).toBe(0x81)
    expect(outcome(() => over(1).skip(2))).toBe(0x81)
  })

  it('does not read beyond its end even where the buffer goes on', () => {
    const bytes = Buffer.from([0, 2, 0x68, 0x69])
    expect(outcome(() => new Reader(bytes, 0, 3).name())).toBe(0x81)
  })

  it('refuses surplus bytes with 0x81', () => {
    expect(outcome(() => over(1).finish())).toBe(0x81)
    expect(outcome(() => over().finish())).toBe('accepted')
  })
})
