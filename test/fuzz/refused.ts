/** Packets that are wrong by construction, each with what must not be seen in it: made so, not found to be so. */

import fc from 'fast-check'
import { FORBIDDEN } from './arena.ts'
import { packet, type Version, varint } from './streams.ts'

const MARK = Buffer.from(FORBIDDEN)

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

/** CONNECT, with a session that lasts unless it is clean. */
export function connectPacket(version: Version, clientId: string, clean: boolean): Buffer {
  const properties = version !== 5 ? [] : clean ? [0] : [0x05, 0x11, 0, 0, 0xff, 0xff]
  const head = Buffer.from([version, clean ? 2 : 0, 0, 0, ...properties])
  return packet(0x10, text(version === 3 ? 'MQIsdp' : 'MQTT'), head, text(clientId))
}

interface Parts {
  version: Version
  qos: 0 | 1 | 2
  retain: boolean
  topic: string
}

function publish({ version, qos, retain }: Parts, topic: Buffer, properties: number[] = [], flags = 0): Buffer {
  const id = qos > 0 ? Buffer.from([0, 9]) : Buffer.alloc(0)
  const head = version === 5 ? Buffer.concat([varint(properties.length), Buffer.from(properties)]) : Buffer.alloc(0)
  return packet(0x30 | (qos << 1) | Number(retain) | flags, topic, id, head, MARK)
}

function subscribe(version: Version, ...rest: Buffer[]): Buffer {
  return packet(0x82, Buffer.from(version === 5 ? [0, 9, 0] : [0, 9]), ...rest)
}

/** Every way to make a PUBLISH, SUBSCRIBE or the like wrong; null: not in this version. */
const WAYS: Record<string, (parts: Parts) => Buffer | null> = {
  'QoS 3': (parts) => publish(parts, text(parts.topic), [], 6),
  'DUP at QoS 0': (parts) => publish({ ...parts, qos: 0 }, text(parts.topic), [], 8),
  'a wildcard in the topic': (parts) => publish(parts, text(`${parts.topic}/#`)),
  'U+0000 in the topic': (parts) => publish(parts, text(`${parts.topic}\0`)),
  'ill-formed UTF-8 in the topic': (parts) => publish(parts, text(Buffer.from([0x61, 0xc0, 0x80]))),
  'a surrogate in the topic': (parts) => publish(parts, text(Buffer.from([0xed, 0xa0, 0x80]))),
  'an empty topic': (parts) => publish(parts, text('')),
  'packet identifier 0': ({ version, topic }) =>
    packet(0x32, text(topic), Buffer.from(version === 5 ? [0, 0, 0] : [0, 0]), MARK),
  'a topic longer than the packet': () => packet(0x30, Buffer.from([0xff, 0xff]), MARK),
  'properties longer than the packet': ({ version, topic }) =>
    version === 5 ? packet(0x31, text(topic), varint(2_000), MARK) : null,
  'a property twice': (parts) => (parts.version === 5 ? publish(parts, text(parts.topic), [1, 0, 1, 0]) : null),
  'an unknown property': (parts) => (parts.version === 5 ? publish(parts, text(parts.topic), [0x7f, 1]) : null),
  'a property of CONNECT': (parts) => (parts.version === 5 ? publish(parts, text(parts.topic), [0x21, 0, 9]) : null),
  'a property cut short': (parts) => (parts.version === 5 ? publish(parts, text(parts.topic), [2, 0, 0]) : null),
  'a response topic with a wildcard': (parts) =>
    parts.version === 5 ? publish(parts, text(parts.topic), [8, 0, 1, 0x23]) : null,
  'a subscription identifier in a PUBLISH': (parts) =>
    parts.version === 5 ? publish(parts, text(parts.topic), [0x0b, 1]) : null,
  'a remaining length of five bytes': () => Buffer.concat([Buffer.from([0x31, 0xff, 0xff, 0xff, 0xff, 1]), MARK]),
  'a remaining length that is longer than needed': ({ version, topic }) => {
    const body = Buffer.concat([text(topic), Buffer.alloc(version === 5 ? 1 : 0), MARK])
    return Buffer.concat([Buffer.from([0x31, body.length | 0x80, 0]), body])
  },
  'a SUBSCRIBE whose second filter has QoS 3': ({ version }) =>
    subscribe(version, text(FORBIDDEN), Buffer.from([1]), text('b'), Buffer.from([3])),
  'a SUBSCRIBE whose second filter has no options': ({ version }) =>
    subscribe(version, text(FORBIDDEN), Buffer.from([1]), text('b')),
  'a SUBSCRIBE with reserved flags': ({ version }) =>
    packet(0x80, Buffer.from(version === 5 ? [0, 9, 0] : [0, 9]), text(FORBIDDEN), Buffer.from([1])),
  'a SUBSCRIBE whose second filter is no UTF-8': ({ version }) =>
    subscribe(version, text(FORBIDDEN), Buffer.from([1]), text(Buffer.from([0xff])), Buffer.from([1])),
  'a second CONNECT': ({ version }) => connectPacket(version, FORBIDDEN, true),
  'a packet of a server': () => packet(0x90, Buffer.from([0, 1, 0]), MARK),
  'a reserved packet': () => packet(0x00, MARK),
}

const FINE = (version: Version): Buffer =>
  Buffer.concat([
    publish({ version, qos: 1, retain: true, topic: FORBIDDEN }, text(FORBIDDEN)),
    publish({ version, qos: 1, retain: true, topic: FORBIDDEN }, text(`queue/${FORBIDDEN}`)),
    subscribe(version, text(FORBIDDEN), Buffer.from([1])),
  ])

export const refused = fc
  .record({
    version: fc.constantFrom<Version>(3, 4, 5),
    way: fc.constantFrom(...Object.keys(WAYS)),
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    retain: fc.boolean(),
    topic: fc.constantFrom('a', 'a/b', `queue/${FORBIDDEN}`, '$other/x', '$delayed/0/a'),
    clean: fc.boolean(),
    cut: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  })
  .map(({ way, clean, cut, ...parts }) => ({
    way,
    clean,
    cut,
    version: parts.version,
    bytes: WAYS[way]!(parts) ?? WAYS['QoS 3']!(parts)!,
    after: FINE(parts.version),
  }))
