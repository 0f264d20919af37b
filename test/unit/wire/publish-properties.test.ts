import { describe, expect, it } from 'vitest'
import {
  type PublishProperties,
  readPublishProperties,
  readWillProperties,
  type WillProperties,
} from '../../../src/wire/publish-properties.ts'
import { bytes } from '../../helpers/packets.ts'
import { outcome } from './support.ts'

const read = (all: Buffer): PublishProperties => readPublishProperties(all, 0, all.length)
const readWill = (all: Buffer): WillProperties => readWillProperties(all, 0, all.length)

const USER = bytes(0x26, 'b', '1', 0x26, 'a', '2', 0x26, 'b', '3')
const FORMAT = bytes(0x01, 1)
const TYPE = bytes(0x03, 'text/plain')
const EXPIRY = bytes(0x02, 0, 0, 1, 0)
const ALIAS = bytes(0x23, 1, 0)
const DELAY = bytes(0x18, 0, 0, 0, 30)

describe("the properties of a client's PUBLISH", () => {
  it('may be none', () => {
    expect(read(bytes())).toEqual({ passedOn: null, expirySeconds: -1, topicAlias: 0 })
  })

  it('travel on as they came, without a copy [MQTT-3.3.2-17, MQTT-3.3.2-18]', () => {
    const all = Buffer.concat([Buffer.from('before'), FORMAT, USER, Buffer.from('after')])
    const { passedOn } = readPublishProperties(all, 6, all.length - 5)
    expect(passedOn).toEqual(Buffer.concat([FORMAT, USER]))
    expect(passedOn!.buffer).toBe(all.buffer)
  })

  it('give message expiry and topic alias, and nothing else is passed on', () => {
    expect(read(Buffer.concat([EXPIRY, ALIAS]))).toEqual({ passedOn: null, expirySeconds: 256, topicAlias: 256 })
    expect(read(EXPIRY)).toEqual({ passedOn: null, expirySeconds: 256, topicAlias: 0 })
    expect(read(ALIAS)).toEqual({ passedOn: null, expirySeconds: -1, topicAlias: 256 })
    expect(read(bytes(0x02, 0, 0, 0, 0)).expirySeconds).toBe(0)
    expect(read(bytes(0x02, 255, 255, 255, 255)).expirySeconds).toBe(0xffffffff)
  })

  it('keep the order of the rest wherever expiry and alias stand', () => {
    for (const first of [EXPIRY, ALIAS]) {
      const second = first === EXPIRY ? ALIAS : EXPIRY
      for (const before of [[], [FORMAT]]) {
        for (const between of [[], [TYPE]]) {
          for (const after of [[], [USER]]) {
            const { passedOn, expirySeconds, topicAlias } = read(
              Buffer.concat([...before, first, ...between, second, ...after]),
            )
            const rest = Buffer.concat([...before, ...between, ...after])
            expect(passedOn ?? Buffer.alloc(0)).toEqual(rest)
            expect([expirySeconds, topicAlias]).toEqual([256, 256])
          }
        }
      }
    }
  })

  it('are a view where the rest is in one piece, and a copy where it is not', () => {
    const inOnePiece = Buffer.concat([EXPIRY, USER, ALIAS])
    expect(read(inOnePiece).passedOn!.buffer).toBe(inOnePiece.buffer)
    expect(read(inOnePiece).passedOn).toEqual(USER)
    const inTwo = Buffer.concat([FORMAT, EXPIRY, USER])
    const { passedOn } = read(inTwo)
    inTwo.fill(0)
    expect(passedOn).toEqual(Buffer.concat([FORMAT, USER]))
  })

  it('have no subscription identifier: 0x82 [MQTT-3.3.4-6]', () => {
    expect(outcome(() => read(bytes(0x0b, 1)))).toBe(0x82)
  })

  it('have no topic alias 0: 0x94 [MQTT-3.3.2-8]', () => {
    expect(outcome(() => read(bytes(0x23, 0, 0)))).toBe(0x94)
  })

  it.each([
    ['message expiry twice', Buffer.concat([EXPIRY, EXPIRY]), 0x82],
    ['topic alias twice', Buffer.concat([ALIAS, ALIAS]), 0x82],
    ['content type twice', Buffer.concat([TYPE, USER, TYPE]), 0x82],
    ['payload format 2', bytes(0x01, 2), 0x82],
    ['a wildcard in the response topic', bytes(0x08, 'a/+'), 0x82],
    ['a will delay', DELAY, 0x81],
    ['a session expiry', bytes(0x11, 0, 0, 0, 1), 0x81],
    ['an unknown one', bytes(0x7f, 0), 0x81],
    ['one cut short', USER.subarray(0, USER.length - 1), 0x81],
    ['ill-formed UTF-8', bytes(0x03, Buffer.from([0, 1, 0x80])), 0x81],
  ])('are refused: %s', (_what, all, code) => {
    expect(outcome(() => read(all))).toBe(code)
  })
})

describe('the properties of a will', () => {
  it('may be none', () => {
    expect(readWill(bytes())).toEqual({ passedOn: null, expirySeconds: -1, delaySeconds: 0 })
  })

  it('give expiry and delay; a copy of the rest is passed on', () => {
    const all = Buffer.concat([FORMAT, DELAY, TYPE, EXPIRY, USER])
    const will = readWill(all)
    all.fill(0)
    expect(will).toEqual({ passedOn: Buffer.concat([FORMAT, TYPE, USER]), expirySeconds: 256, delaySeconds: 30 })
  })

  it('have no topic alias and no subscription identifier: 0x81', () => {
    expect(outcome(() => readWill(ALIAS))).toBe(0x81)
    expect(outcome(() => readWill(bytes(0x0b, 1)))).toBe(0x81)
  })

  it('have no will delay twice: 0x82', () => {
    expect(outcome(() => readWill(Buffer.concat([DELAY, DELAY])))).toBe(0x82)
  })
})
