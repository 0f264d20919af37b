import { describe, expect, it } from 'vitest'
import { Message } from '../../../src/core/message.ts'

/** A message that is a window on a chunk of 64 KiB, as the decoder makes it: three bytes of head, then the payload. */
function windowed({ at = 1000, payload = 'payload', properties = null as Buffer | null, size = 65_536 } = {}) {
  const chunk = Buffer.alloc(size, 'x')
  chunk.write(`hhh${payload}`, at)
  const end = at + 3 + payload.length
  return { chunk, message: new Message('t', 1, false, properties, 'me', 5, 0, chunk, at, at + 3, end, 4, null) }
}

describe('a message', () => {
  it('made here has what was given, and defaults for the rest', () => {
    const message = Message.of({ topic: 'a/b', payload: Buffer.from('p') })
    const { topic, qos, retain, properties, from, receivedAt, expiresAt, wireVersion } = message
    expect({ topic, qos, retain, properties, from, receivedAt, expiresAt, wireVersion }).toEqual({
      topic: 'a/b',
      qos: 0,
      retain: false,
      properties: null,
      from: '',
      receivedAt: 0,
      expiresAt: 0,
      wireVersion: 0,
    })
    expect([message.payload.toString(), message.payloadLength]).toEqual(['p', 1])
  })

  it('from a socket shows its payload without a copy', () => {
    const { chunk, message } = windowed()
    expect(message.payload.toString()).toBe('payload')
    expect(message.payload.buffer).toBe(chunk.buffer)
  })
})

describe('a message that is kept', () => {
  it('survives the overwriting of the chunk that it came in', () => {
    const { chunk, message } = windowed({ properties: null })
    message.properties = chunk.subarray(10, 14)
    expect(message.keep()).toBe(message)
    chunk.fill(0)
    expect(message.payload.toString()).toBe('payload')
    expect(message.properties.toString()).toBe('xxxx')
    expect(message.bytes.toString('utf8', message.start, message.end)).toBe('hhhpayload')
  })

  it('lets go of the chunk', () => {
    const { chunk, message } = windowed()
    message.keep()
    expect(message.bytes.buffer).not.toBe(chunk.buffer)
    expect(message.bytes).toHaveLength(10)
  })

  it('stays in a chunk that is small itself, and not in a small view of a large one', () => {
    const { chunk, message } = windowed({ size: 2_048 })
    expect(message.keep().bytes).toBe(chunk)
    expect([message.payload.toString(), message.kept, message.known]).toEqual(['payload', true, null])
    const { message: within } = windowed()
    within.bytes = within.bytes.subarray(0, 2_048)
    expect(within.keep().bytes).toHaveLength(10)
  })

  it('holds no more memory than its payload when it is copied', () => {
    const { message } = windowed()
    const copy = message.copy()
    expect(copy.bytes.buffer.byteLength).toBe(message.payloadLength)
    expect(copy).toMatchObject({ topic: message.topic, qos: message.qos, retain: message.retain, kept: true })
    expect(copy.payload).toEqual(message.payload)
  })

  it('is copied once, however often it is kept', () => {
    const { message } = windowed()
    const { bytes } = message.keep()
    expect(message.keep().keep().bytes).toBe(bytes)
  })

  it('is not copied when it was made here, and owns its payload', () => {
    const payload = Buffer.alloc(10_000)
    const message = Message.of({ topic: 'a', payload })
    expect(message.keep().bytes).toBe(payload)
  })

  it('with an empty payload stays empty', () => {
    const { message } = windowed({ payload: '' })
    expect([message.keep().payloadLength, message.payload.length]).toEqual([0, 0])
  })
})
