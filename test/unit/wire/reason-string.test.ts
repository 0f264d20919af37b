import { describe, expect, it } from 'vitest'
import { PUBACK, PUBREC, writeRefusal } from '../../../src/wire/acknowledgement-writer.ts'
import {
  answerCode,
  CONNACK_CODES,
  DISCONNECT_CODES,
  PUBACK_CODES,
  SUBACK_CODES,
} from '../../../src/wire/answer-codes.ts'
import { explained, reasonString } from '../../../src/wire/reason-string.ts'
import { Connection } from '../session/support.ts'

describe('a reason string', () => {
  it('is text that MQTT takes: of no endless length, without U+0000', () => {
    expect(reasonString('not here')).toBe('not here')
    expect(reasonString('a\0b')).toBe('a\ufffdb')
    expect(reasonString('x'.repeat(100_000))).toBe('x'.repeat(1_000))
  })
})

describe('an answer that explains itself', () => {
  /** Ten bytes, and those of what explains it. */
  const make = (explanation: object) => Buffer.from(`0123456789${Object.values(explanation).join('')}`)
  const say = (maxBytes: number, reference: string | null = null) =>
    explained('why', reference, maxBytes, make).toString().slice(10)

  it('says why and where to go, as far as there is room', () => {
    expect([say(13), say(12), say(Infinity), say(0)]).toEqual(['why', '', 'why', ''])
    expect([say(18, 'there'), say(17, 'there'), say(15, 'there'), say(14, 'there')]).toEqual([
      'therewhy',
      'there',
      'there',
      '',
    ])
  })

  it('has no reason where there is none', () => {
    expect(explained('', null, Infinity, (explanation) => Buffer.from(JSON.stringify(explanation))).toString()).toBe(
      '{}',
    )
  })
})

describe('an acknowledgement that says no', () => {
  const write = async (reason: string, maxBytes: number, type: typeof PUBACK | typeof PUBREC = PUBACK) => {
    const connection = new Connection()
    writeRefusal(connection.out, type, 258, 0x97, reason, maxBytes)
    return connection.packets()
  }

  it('says why', async () => {
    const expected = { messageId: 258, reasonCode: 0x97, properties: { reasonString: 'the queue is full' } }
    expect(await write('the queue is full', Infinity)).toMatchObject([{ cmd: 'puback', ...expected }])
    expect(await write('the queue is full', Infinity, PUBREC)).toMatchObject([{ cmd: 'pubrec', ...expected }])
  })

  it('is counted once, with its reason or without', () => {
    const { out } = new Connection()
    writeRefusal(out, PUBACK, 1, 0x97, 'full', Infinity)
    writeRefusal(out, PUBACK, 1, 0x97, 'full', 0)
    expect(out.counters.packetsSent).toBe(2)
  })

  it('says it at any length', async () => {
    const reason = 'ö'.repeat(400)
    expect(await write(reason, Infinity)).toMatchObject([{ properties: { reasonString: reason } }])
  })

  it('does not say it where that makes it too large, or the client does not want it', async () => {
    const [size] = [2 + 2 + 1 + 1 + 3 + 'full'.length]
    expect(await write('full', size)).toMatchObject([{ properties: { reasonString: 'full' } }])
    for (const maxBytes of [size - 1, 0]) {
      const [packet] = await write('full', maxBytes)
      expect(packet).toMatchObject({ messageId: 258, reasonCode: 0x97 })
      expect(packet).not.toHaveProperty('properties.reasonString')
    }
  })
})

describe('the reason code of an answer', () => {
  it('is the one of the refusal where MQTT has it for that packet, else 0x83', () => {
    expect(answerCode(0x97, PUBACK_CODES)).toBe(0x97)
    expect(answerCode(0x9c, PUBACK_CODES)).toBe(0x83)
    expect(answerCode(0x86, CONNACK_CODES)).toBe(0x86)
    expect(answerCode(0x93, CONNACK_CODES)).toBe(0x83)
    expect(answerCode(0x9e, SUBACK_CODES)).toBe(0x9e)
    expect(answerCode(0x81, SUBACK_CODES)).toBe(0x83)
    expect(answerCode(0x8e, DISCONNECT_CODES)).toBe(0x8e)
    expect(answerCode(0x86, DISCONNECT_CODES)).toBe(0x83)
  })
})
