/** What attackers send: packets of every type and version, spoilt in every way, cut anywhere. */

import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'

export type Version = 3 | 4 | 5

const version = fc.constantFrom<Version>(3, 4, 5)
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const)
const messageId = fc.integer({ min: 1, max: 5 })
const topic = fc.constantFrom('a', 'a/b', 'a/b/c', '/', 'queue/fuzz', '$delayed/1/a', '$SYS/x', '$other/x', 'ü/☃')
const filter = fc.constantFrom(
  ...['a', 'a/#', '+/b', '#', '+', 'queue/fuzz', 'queue/#', '$q/fuzz', '$eventflow/status', '$share/g/a', '$share//a'],
  ...['a#', 'a/+b', '', '$other/#', '$SYS/#'],
)
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const byte = fc.integer({ min: 0, max: 255 })
const text = fc.string({ maxLength: 8, unit: 'binary' })
const identifiers = ['', 'fuzz-1', 'fuzz-2', 'fuzz-3']

function optional<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined })
}

const content = {
  payloadFormatIndicator: optional(fc.boolean()),
  messageExpiryInterval: optional(fc.constantFrom(0, 1, 0xffffffff)),
  responseTopic: optional(topic),
  correlationData: optional(payload),
  userProperties: optional(fc.dictionary(text, text, { maxKeys: 3 })),
  contentType: optional(text),
}

const connect = fc.record({
  clientId: fc.constantFrom(...identifiers),
  clean: fc.boolean(),
  keepalive: fc.constantFrom(0, 1, 60),
  username: optional(text),
  will: optional(
    fc.record({
      topic,
      payload,
      qos,
      retain: fc.boolean(),
      properties: fc.record({ ...content, willDelayInterval: optional(fc.constantFrom(0, 1, 100)) }),
    }),
  ),
  properties: fc.record({
    sessionExpiryInterval: fc.constantFrom(0, 1, 0xffffffff),
    receiveMaximum: messageId,
    maximumPacketSize: optional(fc.constantFrom(1, 20, 100_000)),
  }),
})

const subscription = fc.record({
  topic: filter,
  qos,
  nl: fc.boolean(),
  rap: fc.boolean(),
  rh: fc.constantFrom(0 as const, 1 as const, 2 as const),
})

const later: fc.Arbitrary<Packet> = fc.oneof(
  fc
    .record({
      topic,
      payload,
      qos,
      messageId,
      retain: fc.boolean(),
      properties: fc.record({ ...content, topicAlias: optional(fc.constantFrom(1, 10, 65_535)) }),
    })
    .map((fields) => ({ cmd: 'publish', dup: false, ...fields }) as Packet),
  fc
    .record({
      messageId,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
      properties: fc.record({ subscriptionIdentifier: optional(fc.constantFrom(1, 268_435_455)) }),
    })
    .map((fields) => ({ cmd: 'subscribe', ...fields }) as Packet),
  fc
    .record({ messageId, unsubscriptions: fc.array(filter, { minLength: 1, maxLength: 3 }) })
    .map((fields) => ({ cmd: 'unsubscribe', ...fields }) as Packet),
  fc
    .record({
      cmd: fc.constantFrom('puback', 'pubrec', 'pubrel', 'pubcomp'),
      messageId,
      reasonCode: fc.constantFrom(0, 0x80, 0x92),
    })
    .map((fields) => fields as Packet),
  fc.constant<Packet>({ cmd: 'pingreq' }),
  fc
    .record({
      reasonCode: fc.constantFrom(0, 4),
      properties: fc.record({ sessionExpiryInterval: fc.constantFrom(0, 5) }),
    })
    .map((fields) => ({ cmd: 'disconnect', ...fields }) as Packet),
)

/** A packet with its remaining length, whatever stands in it. */
export function packet(first: number, ...body: Uint8Array[]): Buffer {
  const all = Buffer.concat(body)
  return Buffer.concat([Buffer.from([first]), varint(all.length), all])
}

export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push(rest >= 0x80 ? (rest & 0x7f) | 0x80 : rest)
    rest = Math.floor(rest / 0x80)
  } while (rest > 0)
  return Buffer.from(bytes)
}

/** Any type, those that only a server sends and the reserved ones included, with a body that means nothing. */
const nonsense = fc.tuple(byte, fc.uint8Array({ maxLength: 20 })).map(([first, body]) => packet(first, body))

/** PUBLISH of MQTT 5.0 with any properties, in any number, whose length may be a lie. */
const oddProperties = fc
  .record({
    first: fc.constantFrom(0x30, 0x31, 0x32, 0x34, 0x3c),
    properties: fc.array(
      fc.tuple(
        fc.constantFrom(1, 2, 3, 8, 9, 0x0b, 0x11, 0x1f, 0x23, 0x26, 0x7f, 0xff),
        fc.uint8Array({ maxLength: 9 }),
      ),
      { maxLength: 5 },
    ),
    lie: fc.constantFrom(0, 0, 0, 1, -1, 127, 268_435_455),
  })
  .map(({ first, properties, lie }) => {
    const bytes = Buffer.concat(properties.flatMap(([id, value]) => [Buffer.from([id]), value]))
    const head = [0, 1, 0x61, ...((first & 6) > 0 ? [0, 1] : [])]
    return packet(first, Buffer.from(head), varint(Math.max(bytes.length + lie, 0)), bytes, Buffer.from('x'))
  })

const place = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000)

/** What is done to the packets, and then to their bytes, at a place given as a fraction of all. */
const mutation = fc.record({
  kind: fc.constantFrom('flip', 'insert', 'remove', 'repeat', 'cut', 'length', 'swap', 'double', 'leave-out'),
  at: place,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
})

type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never

export const stream = fc.record({
  version,
  connect,
  packets: fc.array(fc.oneof({ weight: 6, arbitrary: later }, nonsense, oddProperties), { maxLength: 12 }),
  mutations: fc.array(mutation, { maxLength: 4 }),
  /** Where TCP cuts it; 'drip': everywhere. */
  cuts: fc.oneof({ weight: 6, arbitrary: fc.array(place, { maxLength: 6 }) }, fc.constant('drip' as const)),
  /** Whether it reads what it is sent. */
  reads: fc.boolean(),
  ending: fc.constantFrom('end', 'destroy', 'reset'),
})

export type Stream = typeof stream extends fc.Arbitrary<infer T> ? T : never

/** The bytes of a stream. */
export function encode({ version, connect, packets, mutations }: Stream): Buffer {
  // An empty identifier for a session to keep is no packet that the encoder would write.
  const clientId = connect.clientId === '' && version === 3 ? 'fuzz-1' : connect.clientId
  const first = {
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    ...connect,
    clientId,
    clean: connect.clean || clientId === '',
  } as Packet
  const all = [first, ...packets].map((one) => (Buffer.isBuffer(one) ? one : encodeOne(one as Packet, version)))
  const arranged = mutations.reduce(rearrange, all)
  return mutations.reduce(mutate, Buffer.concat(arranged))
}

/** What the encoder will not write is left out. */
function encodeOne(one: Packet, version: Version): Buffer {
  try {
    return generate(one, { protocolVersion: version })
  } catch {
    return Buffer.alloc(0)
  }
}

function rearrange(packets: Buffer[], { kind, at, bytes }: Mutation): Buffer[] {
  const index = Math.min(Math.floor(at * packets.length), packets.length - 1)
  const one = packets[index]
  if (one === undefined || one.length < 2) return packets
  const other = bytes[0]! % packets.length
  switch (kind) {
    case 'length':
      return packets.with(index, Buffer.concat([one.subarray(0, 1), bytes, one.subarray(2)]))
    case 'swap':
      return packets.with(index, packets[other]!).with(other, one)
    case 'double':
      return packets.toSpliced(index, 0, one)
    case 'leave-out':
      return packets.toSpliced(index, 1)
    default:
      return packets
  }
}

function mutate(bytes: Buffer, { kind, at, bytes: other }: Mutation): Buffer {
  const position = Math.floor(at * bytes.length)
  const before = bytes.subarray(0, position)
  const after = bytes.subarray(position)
  switch (kind) {
    case 'flip': {
      const flipped = Buffer.from(bytes)
      if (position < flipped.length) flipped[position]! ^= other[0]!
      return flipped
    }
    case 'insert':
      return Buffer.concat([before, other, after])
    case 'remove':
      return Buffer.concat([before, after.subarray(other.length)])
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, 16), after])
    case 'cut':
      return before
    default:
      return bytes
  }
}
