/** Bytes as they come from a socket, cut into packets. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packet } from '../../../src/bench/load/packets.ts'
import { Cutter, ReadBuffer } from '../../../src/bench/load/read-buffer.ts'

/** Gives the bytes to the cutter in chunks of these sizes, again and again; returns the bodies that were served. */
function cut(bytes: Buffer, sizes: readonly number[], input: ReadBuffer) {
  const cutter = new Cutter(input)
  const served: Buffer[] = []
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const chunk = bytes.subarray(at, at + sizes[n % sizes.length]!)
    chunk.copy(input.bytes, input.head)
    const problem = cutter.cut(chunk.length, (_first, from, end) => served.push(Buffer.from(input.slice(from, end))))
    if (problem !== null) return { served, problem }
    at += chunk.length
  }
  return { served, problem: null }
}

it('each packet is served once, whole and in order, however the bytes were split', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 20 })
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(bodies, sizes, (bodies, sizes) => {
      const wanted = bodies.map((body) => Buffer.from(body))
      const bytes = Buffer.concat(wanted.map((body) => packet(0x30, [body])))
      expect(cut(bytes, sizes, new ReadBuffer(1_000))).toEqual({ served: wanted, problem: null })
    }),
  )
})

it("connections that share a buffer do not see each other's halves", () => {
  const input = new ReadBuffer(1_000)
  const [one, two] = [new Cutter(input), new Cutter(input)]
  const served: string[] = []
  const give = (cutter: Cutter, bytes: Buffer): void => {
    bytes.copy(input.bytes, input.head)
    cutter.cut(bytes.length, (_first, from, end) => served.push(input.slice(from, end).toString()))
  }
  const [a, b] = [packet(0x30, [Buffer.from('aaaa')]), packet(0x30, [Buffer.from('bbbb')])]
  give(one, a.subarray(0, 3))
  give(two, b.subarray(0, 4))
  give(one, a.subarray(3))
  give(two, b.subarray(4))
  expect(served).toEqual(['aaaa', 'bbbb'])
})

it('a length of more than four bytes, and a packet larger than can be, are problems', () => {
  expect(cut(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]), [6], new ReadBuffer(10)).problem).toMatch(/malformed/)
  const large = packet(0x30, [Buffer.alloc(200_000)])
  expect(cut(large, [60_000], new ReadBuffer(10)).problem).toMatch(/larger packet/)
  expect(cut(large, [60_000], new ReadBuffer(200_000)).served).toHaveLength(1)
})
