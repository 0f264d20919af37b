import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { PacketCutter } from '../../../src/wire/packet-cutter.ts'
import { bytes } from '../../helpers/packets.ts'
import { outcome } from './support.ts'

const NO_LIMIT = 268_435_460

/** A packet with a body of `length` bytes: a first byte, the length as it is encoded, and letters. */
function packet(length: number, first = 0x30): Buffer {
  const head = [first]
  let rest = length
  do {
    head.push((rest & 0x7f) | (rest >= 0x80 ? 0x80 : 0))
    rest >>>= 7
  } while (rest > 0)
  return Buffer.concat([Buffer.from(head), Buffer.alloc(length, 97 + (length % 26))])
}

/** Every packet that can be pulled now, copied. */
function pull(cutter: PacketCutter): Buffer[] {
  const packets: Buffer[] = []
  while (cutter.next()) {
    const { bytes, start, body, end } = cutter
    expect(body).toBeGreaterThan(start + 1)
    packets.push(Buffer.from(bytes.subarray(start, end)))
  }
  return packets
}

/** Without the comparison that a failing toEqual makes of megabytes. */
function same(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((one, i) => one.equals(others[i]!))
}

describe('a stream of packets', () => {
  const sizes = fc.oneof(fc.nat(3), fc.nat(300), fc.constantFrom(126, 127, 128, 16_383, 16_384))
  const streams = fc.array(sizes, { maxLength: 8 }).map((all) => all.map((size, i) => packet(size, (i + 1) << 4)))

  it('gives the same packets however it is split', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(500), { maxLength: 200 }), (packets, cuts) => {
        const stream = Buffer.concat(packets)
        const cutter = new PacketCutter(NO_LIMIT)
        const pulled: Buffer[] = []
        let at = 0
        for (const cut of [...cuts, stream.length]) {
          cutter.push(stream.subarray(at, at + cut))
          at = Math.min(at + cut, stream.length)
          pulled.push(...pull(cutter))
        }
        expect(same(pulled, packets)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('gives the same packets when the reader stops anywhere while more is pushed', () => {
    const steps = fc.array(fc.record({ cut: fc.nat(300), pulls: fc.nat(3) }), { maxLength: 60 })
    fc.assert(
      fc.property(streams, steps, (packets, all) => {
        const stream = Buffer.concat(packets)
        const cutter = new PacketCutter(NO_LIMIT)
        const pulled: Buffer[] = []
        let at = 0
        for (const { cut, pulls } of [...all, { cut: stream.length, pulls: 0 }]) {
          cutter.push(stream.subarray(at, at + cut))
          at = Math.min(at + cut, stream.length)
          for (let i = 0; i < pulls && cutter.next(); i++) {
            pulled.push(Buffer.from(cutter.bytes.subarray(cutter.start, cutter.end)))
          }
        }
        expect(same([...pulled, ...pull(cutter)], packets)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('is not copied where packets are whole', () => {
    const chunk = Buffer.concat([packet(5), packet(200)])
    const cutter = new PacketCutter(NO_LIMIT)
    cutter.push(chunk)
    expect(cutter.next()).toBe(true)
    expect([cutter.bytes, cutter.start, cutter.body, cutter.end]).toEqual([chunk, 0, 2, 7])
    expect(cutter.bytes).toBe(chunk)
    expect(cutter.next()).toBe(true)
    expect([cutter.start, cutter.body, cutter.end]).toEqual([7, 10, chunk.length])
  })

  it('holds no memory once it is served', () => {
    const cutter = new PacketCutter(NO_LIMIT)
    cutter.push(packet(10))
    pull(cutter)
    expect(cutter.bytes.length).toBe(0)
  })

  it('may be held in the middle of a chunk, and goes on from there', () => {
    const cutter = new PacketCutter(NO_LIMIT)
    const packets = [packet(1), packet(2), packet(300), packet(4)]
    const stream = Buffer.concat(packets)
    cutter.push(stream.subarray(0, 20))
    expect(cutter.next()).toBe(true)
    cutter.push(stream.subarray(20, 40))
    cutter.push(stream.subarray(40))
    expect(pull(cutter)).toEqual(packets.slice(1))
  })
})

describe('a packet of a megabyte that drips in', () => {
  it('is joined once', () => {
    const whole = packet(1_000_000)
    const concat = vi.spyOn(Buffer, 'concat')
    const cutter = new PacketCutter(NO_LIMIT)
    const pulled: Buffer[] = []
    for (let at = 0; at < whole.length; at += 4_000) {
      cutter.push(whole.subarray(at, at + 4_000))
      pulled.push(...pull(cutter))
    }
    const joins = concat.mock.calls.length
    concat.mockRestore()
    expect(same(pulled, [whole])).toBe(true)
    expect(joins).toBe(1)
  })

  it('byte by byte is never held as more than some hundred buffers', () => {
    const whole = packet(5_000)
    const concat = vi.spyOn(Buffer, 'concat')
    const cutter = new PacketCutter(NO_LIMIT)
    const pulled: Buffer[] = []
    for (let at = 0; at < whole.length; at++) {
      cutter.push(whole.subarray(at, at + 1))
      pulled.push(...pull(cutter))
    }
    const longest = Math.max(...concat.mock.calls.map(([list]) => list.length))
    concat.mockRestore()
    expect(same(pulled, [whole])).toBe(true)
    expect(longest).toBeLessThanOrEqual(512)
  })
})

describe('a packet is refused', () => {
  it('with 0x95 when it has more bytes than are allowed, header included', () => {
    const cutter = new PacketCutter(102)
    cutter.push(packet(100))
    expect(cutter.next()).toBe(true)
    cutter.push(packet(101))
    expect(outcome(() => cutter.next())).toBe(0x95)
  })

  it('with 0x95 as soon as its length is known, before its body is waited for', () => {
    const cutter = new PacketCutter(1_000)
    cutter.push(Buffer.from([0x30, 0xff, 0xff]))
    expect(cutter.next()).toBe(false)
    cutter.push(Buffer.from([0x7f]))
    expect(outcome(() => cutter.next())).toBe(0x95)
  })

  it('with 0x81 when its remaining length has more than four bytes [MQTT-1.5.5-1]', () => {
    const cutter = new PacketCutter(NO_LIMIT)
    cutter.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]))
    expect(outcome(() => cutter.next())).toBe(0x81)
  })

  it('with 0x81 without waiting for the fifth byte', () => {
    const cutter = new PacketCutter(NO_LIMIT)
    cutter.push(Buffer.from([0x30, 0x80, 0x80, 0x80]))
    expect(cutter.next()).toBe(false)
    cutter.push(Buffer.from([0x80]))
    expect(outcome(() => cutter.next())).toBe(0x81)
  })

  it.each([
    ['0 in two bytes', [0xc0, 0x80, 0x00]],
    ['1 in three bytes', [0x30, 0x81, 0x80, 0x00, 0x00]],
  ])('with 0x81 when its remaining length is longer than need be [MQTT-1.5.5-1]: %s', (_how, packet) => {
    const cutter = new PacketCutter(NO_LIMIT)
    cutter.push(Buffer.from(packet))
    expect(outcome(() => cutter.next())).toBe(0x81)
  })

  it('after those before it were served', () => {
    const cutter = new PacketCutter(NO_LIMIT)
    cutter.push(bytes(packet(3), Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff])))
    expect(cutter.next()).toBe(true)
    expect(outcome(() => cutter.next())).toBe(0x81)
  })
})

describe('an empty chunk', () => {
  it('changes nothing', () => {
    const cutter = new PacketCutter(NO_LIMIT)
    cutter.push(Buffer.alloc(0))
    expect(cutter.next()).toBe(false)
    cutter.push(packet(300).subarray(0, 2))
    expect(cutter.next()).toBe(false)
    cutter.push(Buffer.alloc(0))
    expect(cutter.next()).toBe(false)
    cutter.push(packet(300).subarray(2))
    expect(pull(cutter)).toEqual([packet(300)])
  })
})
