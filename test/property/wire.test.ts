/** Whatever bytes come, a decoder gives a packet or a Refusal; and it reads what another implementation writes. */

import fc from 'fast-check'
import type { IConnectPacket, Packet } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { readAcknowledgement } from '../../src/wire/acknowledgement.ts'
import type { AcknowledgementType } from '../../src/wire/acknowledgement-writer.ts'
import { readConnect } from '../../src/wire/connect.ts'
import { readDisconnect } from '../../src/wire/disconnect.ts'
import { readPublishProperties, readWillProperties } from '../../src/wire/publish-properties.ts'
import { readSubscribe, readUnsubscribe } from '../../src/wire/subscribe.ts'
import { readText } from '../../src/wire/text.ts'
import { properties } from '../helpers/packets.ts'
import { type CutPacket, generate, outcome } from '../unit/wire/support.ts'

const RUNS = { numRuns: 2000 }

type Decoder = (bytes: Buffer, start: number, end: number, version: number, flags: number) => unknown

const out = { packetId: 0, reasonCode: 0 }

/** Every decoder, in one form. */
const DECODERS: Record<string, Decoder> = {
  readText: (bytes, start, end) => readText(bytes, start, end),
  readPublishProperties: (bytes, start, end) => readPublishProperties(bytes, start, end),
  readWillProperties: (bytes, start, end) => readWillProperties(bytes, start, end),
  readConnect: (bytes, start, end, _version, flags) => readConnect(flags, bytes, start, end),
  readSubscribe: (bytes, start, end, version, flags) => readSubscribe(flags, bytes, start, end, version),
  readUnsubscribe: (bytes, start, end, version, flags) => readUnsubscribe(flags, bytes, start, end, version),
  readDisconnect: (bytes, start, end, version, flags) => readDisconnect(flags, bytes, start, end, version),
  ...Object.fromEntries(
    ([4, 5, 6, 7] as AcknowledgementType[]).map((type) => [
      `readAcknowledgement of ${type}`,
      (bytes: Buffer, start: number, end: number, version: number, flags: number) =>
        readAcknowledgement(type, flags, bytes, start, end, version, out),
    ]),
  ),
}

const versions = fc.constantFrom(3, 4, 5)

/** Text that MQTT allows, of every width. */
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !value.includes('\0'))
const topic = text.filter((value) => value !== '' && !/[+#]/.test(value))
const binary = fc.uint8Array({ maxLength: 30 }).map((value) => Buffer.from(value))
const u16 = fc.integer({ min: 0, max: 0xffff })
const packetId = fc.integer({ min: 1, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const userProperties = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), text, { minKeys: 1, maxKeys: 3 })
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const)

const publishProperties = fc.record(
  {
    payloadFormatIndicator: fc.boolean(),
    messageExpiryInterval: u32,
    contentType: text,
    responseTopic: topic,
    correlationData: binary,
    userProperties,
  },
  { requiredKeys: [] },
)

const will = fc.record({
  topic,
  payload: binary,
  qos,
  retain: fc.boolean(),
  properties: fc
    .tuple(publishProperties, fc.option(u32, { nil: undefined }))
    .map(([rest, delay]) => (delay === undefined ? rest : { ...rest, willDelayInterval: delay })),
})

const connectProperties = fc.record(
  {
    sessionExpiryInterval: u32,
    receiveMaximum: packetId,
    maximumPacketSize: fc.integer({ min: 1, max: 0xffffffff }),
    topicAliasMaximum: u16,
    requestResponseInformation: fc.boolean(),
    requestProblemInformation: fc.boolean(),
    userProperties,
  },
  { requiredKeys: [] },
)

const connects = fc
  .record({
    version: fc.constantFrom(3 as const, 4 as const, 5 as const),
    clean: fc.boolean(),
    keepalive: u16,
    clientId: text.filter((value) => value !== ''),
    username: fc.option(text.filter((value) => value !== '')),
    password: fc.option(binary),
    will: fc.option(will),
    properties: connectProperties,
  })
  .map(({ version, username, password, will, properties, ...rest }) => {
    const packet: IConnectPacket = {
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      ...rest,
      ...(username === null ? {} : { username }),
      ...(password === null || username === null ? {} : { password }),
      ...(will === null ? {} : { will: version === 5 ? will : { ...will, properties: {} } }),
      ...(version === 5 ? { properties } : {}),
    }
    return { packet, version }
  })

const subscribes = fc
  .record({
    version: versions,
    messageId: packetId,
    subscriptions: fc.array(
      fc.record({ topic, qos, nl: fc.boolean(), rap: fc.boolean(), rh: fc.integer({ min: 0, max: 2 }) }),
      { minLength: 1, maxLength: 4 },
    ),
    properties: fc.record(
      { subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }), userProperties },
      { requiredKeys: [] },
    ),
  })
  .map(({ version, properties, ...rest }) => ({
    packet: { cmd: 'subscribe' as const, ...rest, ...(version === 5 ? { properties } : {}) },
    version,
  }))

const acknowledgements = fc
  .record({
    cmd: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const),
    version: versions,
    messageId: packetId,
    failed: fc.boolean(),
    properties: fc.record({ reasonString: text, userProperties }, { requiredKeys: [] }),
  })
  .map(({ cmd, version, messageId, failed, properties }) => {
    const failure = cmd === 'puback' || cmd === 'pubrec' ? 0x97 : 0x92
    const reasonCode = failed && version === 5 ? failure : 0
    return { packet: { cmd, messageId, ...(version === 5 ? { reasonCode, properties } : {}) }, version, reasonCode }
  })

describe('any bytes', () => {
  it.each(Object.keys(DECODERS))('are decoded or refused, and nothing else: %s', (name) => {
    const decode = DECODERS[name]!
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(10),
        fc.nat(10),
        versions,
        fc.oneof(fc.constantFrom(0, 2), fc.nat(15)),
        (raw, before, after, version, flags) => {
          const bytes = Buffer.from(raw)
          const start = Math.min(before, bytes.length)
          const end = Math.max(start, bytes.length - after)
          outcome(() => decode(bytes, start, end, version, flags))
        },
      ),
      RUNS,
    )
  })

  it('are text exactly when they are UTF-8 without U+0000', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const pieces = fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      text.map((value) => Buffer.from(value)),
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 4 }), (parts) => {
        const bytes = Buffer.concat(parts)
        let expected: string | null = null
        try {
          expected = strict.decode(bytes)
        } catch {}
        const isText = expected !== null && !expected.includes('\0')
        expect(outcome(() => readText(bytes, 0, bytes.length))).toBe(isText ? 'accepted' : 0x81)
        if (isText) expect(readText(bytes, 0, bytes.length)).toBe(expected)
      }),
      RUNS,
    )
  })
})

describe('what mqtt-packet writes', () => {
  it('is read as CONNECT', () => {
    fc.assert(
      fc.property(connects, ({ packet, version }) => {
        const cut = generate(packet, version)
        const read = readConnect(cut.flags, cut.bytes, cut.start, cut.end)
        const sent = packet.properties ?? {}
        expect(read).toMatchObject({
          version,
          clean: packet.clean,
          keepAliveSeconds: packet.keepalive,
          clientId: packet.clientId,
          username: packet.username ?? null,
          password: packet.password ?? null,
          sessionExpirySeconds: sent.sessionExpiryInterval ?? (version === 5 || packet.clean ? 0 : 0xffffffff),
          receiveMaximum: sent.receiveMaximum ?? 65_535,
          maximumPacketSize: sent.maximumPacketSize ?? 0,
          topicAliasMaximum: sent.topicAliasMaximum ?? 0,
          requestResponseInformation: sent.requestResponseInformation ?? false,
          requestProblemInformation: sent.requestProblemInformation ?? true,
        })
        if (packet.will === undefined) expect(read.will).toBeNull()
        else {
          const { topic, payload, qos, retain, properties } = packet.will
          expect(read.will).toMatchObject({
            topic,
            payload,
            qos,
            retain,
            delaySeconds: properties?.willDelayInterval ?? 0,
            expirySeconds: properties?.messageExpiryInterval ?? -1,
          })
        }
      }),
      RUNS,
    )
  })

  it('is read as SUBSCRIBE and UNSUBSCRIBE', () => {
    fc.assert(
      fc.property(subscribes, ({ packet, version }) => {
        const cut = generate(packet as Packet, version)
        const read = readSubscribe(cut.flags, cut.bytes, cut.start, cut.end, version)
        expect(read).toEqual({
          packetId: packet.messageId,
          identifier: packet.properties?.subscriptionIdentifier ?? 0,
          subscriptions: packet.subscriptions.map(({ topic, qos, nl, rap, rh }) => ({
            filter: topic,
            qos,
            noLocal: version === 5 && nl,
            retainAsPublished: version === 5 && rap,
            retainHandling: version === 5 ? rh : 0,
          })),
        })
        const unsubscriptions = packet.subscriptions.map(({ topic }) => topic)
        const un = generate({ cmd: 'unsubscribe', messageId: packet.messageId, unsubscriptions }, version)
        expect(readUnsubscribe(un.flags, un.bytes, un.start, un.end, version)).toEqual({
          packetId: packet.messageId,
          filters: unsubscriptions,
        })
      }),
      RUNS,
    )
  })

  it('is read as an acknowledgement', () => {
    fc.assert(
      fc.property(acknowledgements, ({ packet, version, reasonCode }) => {
        const cut = generate(packet as Packet, version)
        readAcknowledgement(cut.type as AcknowledgementType, cut.flags, cut.bytes, cut.start, cut.end, version, out)
        expect(out).toEqual({ packetId: packet.messageId, reasonCode })
      }),
      RUNS,
    )
  })

  it('is read as the properties of PUBLISH, and what is passed on reads the same again', () => {
    const withAlias = fc.tuple(publishProperties, fc.option(packetId))
    fc.assert(
      fc.property(withAlias, ([rest, alias]) => {
        const properties = alias === null ? rest : { ...rest, topicAlias: alias }
        const { bytes, start, end } = propertiesOf(properties)
        const read = readPublishProperties(bytes, start, end)
        expect([read.expirySeconds, read.topicAlias]).toEqual([rest.messageExpiryInterval ?? -1, alias ?? 0])
        const { messageExpiryInterval: _expiry, ...passedOn } = rest
        const expected = propertiesOf(passedOn)
        expect(read.passedOn ?? Buffer.alloc(0)).toEqual(expected.bytes.subarray(expected.start, expected.end))
      }),
      RUNS,
    )
  })
})

/** Where the properties of a PUBLISH stand, with a topic of one byte and an empty payload. */
function propertiesOf(all: object): { bytes: Buffer; start: number; end: number } {
  const cut = generate(
    { cmd: 'publish', topic: 'a', payload: '', qos: 0, dup: false, retain: false, properties: all },
    5,
  )
  let start = cut.start + 3
  while (cut.bytes[start++]! >= 0x80);
  return { bytes: cut.bytes, start, end: cut.end }
}

describe('a valid packet with a few bytes changed', () => {
  const mutations = fc.array(
    fc.record({ at: fc.nat(400), kind: fc.constantFrom('set', 'cut', 'insert'), byte: fc.nat(255) }),
    { minLength: 1, maxLength: 3 },
  )

  /** The body with mutations, at whose place a fixed header no longer matters. */
  function mutated(cut: CutPacket, changes: Array<{ at: number; kind: string; byte: number }>): Buffer {
    const body = [...cut.bytes.subarray(cut.start, cut.end)]
    for (const { at, kind, byte } of changes) {
      const where = at % (body.length + 1)
      if (kind === 'set') body[where] = byte
      else if (kind === 'cut') body.length = where
      else body.splice(where, 0, byte)
    }
    return Buffer.from(body)
  }

  it.each([
    ['CONNECT', connects, DECODERS.readConnect!],
    ['SUBSCRIBE', subscribes, DECODERS.readSubscribe!],
    ['PUBACK', acknowledgements.filter(({ packet }) => packet.cmd === 'puback'), DECODERS['readAcknowledgement of 4']!],
    ['PUBREL', acknowledgements.filter(({ packet }) => packet.cmd === 'pubrel'), DECODERS['readAcknowledgement of 6']!],
  ] as Array<[string, fc.Arbitrary<{ packet: Packet; version: number }>, Decoder]>)(
    'is decoded or refused, and nothing else: %s',
    (_name, packets, decode) => {
      fc.assert(
        fc.property(packets, mutations, ({ packet, version }, changes) => {
          const cut = generate(packet, version)
          const body = mutated(cut, changes)
          outcome(() => decode(body, 0, body.length, version, cut.flags))
        }),
        RUNS,
      )
    },
  )

  it('is decoded or refused, and nothing else: PUBLISH properties', () => {
    fc.assert(
      fc.property(publishProperties, mutations, (all, changes) => {
        const body = mutated({ type: 3, flags: 0, ...propertiesOf(all) }, changes)
        outcome(() => readPublishProperties(body, 0, body.length))
        outcome(() => readWillProperties(body, 0, body.length))
        const disconnect = Buffer.concat([Buffer.from([0]), properties(body.subarray(0, 127))])
        outcome(() => readDisconnect(0, disconnect, 0, disconnect.length, 5))
      }),
      RUNS,
    )
  })
})
