import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Message, type QoS } from '../../../src/core/message.ts'
import { decodeRecord, encodeRecord, recordBound } from '../../../src/store/record.ts'
import type { StoredMessage } from '../../../src/store/store.ts'

const text = fc.string({ unit: 'binary', maxLength: 80 })
const bytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const qos = fc.constantFrom<QoS>(0, 1, 2)
const time = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 2 ** 53, noNaN: true, noDefaultInfinity: true }))
const message = fc
  .record({
    topic: text,
    payload: bytes,
    qos,
    retain: fc.boolean(),
    properties: fc.option(bytes),
    from: text,
    receivedAt: time,
    expiresAt: time,
  })
  .map((fields) => Message.of(fields))
const entry: fc.Arbitrary<StoredMessage> = fc.record(
  {
    message,
    qos,
    retain: fc.boolean(),
    identifiers: fc.option(fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 5 })),
    share: text,
    packetId: fc.integer({ min: 1, max: 65_535 }),
    reference: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  },
  { requiredKeys: ['message', 'qos', 'retain', 'identifiers'] },
)

describe('a message record', () => {
  test('gives back every message that it was made of, wherever it stands', () => {
    fc.assert(
      fc.property(entry, fc.nat(10), fc.boolean(), (entry, start, alone) => {
        const target = Buffer.alloc(start + recordBound(entry))
        const end = encodeRecord(entry, target, start)
        expect(end).toBeLessThanOrEqual(target.length)
        const decoded = decodeRecord(target, start, end, alone)
        expect(plain(decoded)).toEqual(plain(entry))
        expect(decoded.message.packetId).toBe(entry.packetId ?? 0)
      }),
    )
  })

  test('does not hold the pack that it was read from, and one that is kept for long holds nothing but itself', () => {
    const pack = Buffer.alloc(262_144)
    const message = Message.of({ topic: 't', payload: Buffer.from('payload') })
    const end = encodeRecord({ message, qos: 1, retain: false, identifiers: null }, pack, 0)
    const memory = (alone: boolean) => decodeRecord(pack, 0, end, alone).message.bytes.buffer.byteLength
    expect(memory(false)).toBeLessThanOrEqual(8_192)
    expect(memory(true)).toBe(end)
  })

  test('is STORE_CORRUPT, never anything else, when its bytes are cut short or changed', () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.nat(255), (entry, place, value) => {
        const target = Buffer.alloc(recordBound(entry))
        const end = encodeRecord(entry, target, 0)
        target[place % end] = value
        for (const length of [end, place % end]) {
          try {
            decodeRecord(target, 0, length, false)
          } catch (error) {
            expect(error).toMatchObject({ code: 'STORE_CORRUPT' })
          }
        }
      }),
    )
  })

  test.each([
    ['nothing', []],
    ['QoS 3', [3, 0, 0, 0]],
    ['unknown flags', [0x40, 0, 0, 0]],
    ['a reference that is none', [0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a topic that is too long', [0, 0, 0, 2, 65]],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeRecord(Buffer.from(bytes), 0, bytes.length, true)).toThrow(
      expect.objectContaining({ code: 'STORE_CORRUPT' }),
    )
  })
})

function plain({ message, qos, retain, identifiers, share, packetId, reference }: StoredMessage): unknown {
  const { topic, properties, from, receivedAt, expiresAt, payload } = message
  const fields = { topic, qos: message.qos, retain: message.retain, from, receivedAt, expiresAt }
  return {
    ...fields,
    properties: properties && [...properties],
    payload: [...payload],
    deliver: [qos, retain, identifiers, share, packetId, reference],
  }
}
