/** Nasty streams, found by fuzzing or thought of: always run. */

import { connectPacket } from './refused.ts'
import { packet, type Version, varint } from './streams.ts'

const V4 = connectPacket(4, 'corpus', true)
const V5 = connectPacket(5, 'corpus', false)
const PING = Buffer.from([0xc0, 0])

function subscribe(version: Version, count: number, filter: (i: number) => string): Buffer {
  const all = Array.from({ length: count }, (_, i) => {
    const bytes = Buffer.from(filter(i))
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes, Buffer.from([0])])
  })
  return packet(0x82, Buffer.from(version === 5 ? [0, 1, 0] : [0, 1]), ...all)
}

const publish = (topic: Buffer) =>
  packet(0x31, Buffer.from([topic.length >> 8, topic.length & 0xff]), topic, Buffer.from('x'))

export const CORPUS: Array<{ name: string; bytes: Buffer }> = [
  { name: 'nothing', bytes: Buffer.alloc(0) },
  { name: 'one byte', bytes: Buffer.from([0x10]) },
  { name: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n') },
  { name: 'a TLS hello', bytes: Buffer.from('16030100c8010000c40303', 'hex') },
  { name: 'ten thousand zeros', bytes: Buffer.alloc(10_000) },
  { name: 'ten thousand 0xff', bytes: Buffer.alloc(10_000, 0xff) },
  { name: 'CONNECT with the largest remaining length', bytes: Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4]) },
  { name: 'CONNECT of protocol level 0', bytes: packet(0x10, Buffer.from('00044d5154540000000000', 'hex')) },
  { name: 'CONNECT twice in one segment', bytes: Buffer.concat([V4, V4]) },
  { name: 'DISCONNECT before the CONNACK', bytes: Buffer.concat([V5, Buffer.from([0xe0, 0]), PING]) },
  { name: 'SUBSCRIBE right behind CONNECT, and its end', bytes: Buffer.concat([V5, subscribe(5, 1, () => '#')]) },
  {
    name: 'SUBSCRIBE with the same filter a thousand times',
    bytes: Buffer.concat([V4, subscribe(4, 1_000, () => '#')]),
  },
  {
    name: 'SUBSCRIBE to a thousand filters that are none',
    bytes: Buffer.concat([V5, subscribe(5, 1_000, (i) => `a/#/${i}`), PING]),
  },
  {
    name: 'a filter of 65,535 slashes',
    bytes: Buffer.concat([V4, subscribe(4, 1, () => '/'.repeat(65_535)), PING]),
  },
  { name: 'a topic of 65,535 slashes', bytes: Buffer.concat([V4, publish(Buffer.alloc(65_535, '/'))]) },
  { name: 'a topic of 65,535 letters', bytes: Buffer.concat([V4, publish(Buffer.alloc(65_535, 'a')), PING]) },
  {
    name: 'the topics of objects',
    bytes: Buffer.concat([
      V4,
      ...['__proto__', 'constructor/toString', 'hasOwnProperty'].map((topic) => publish(Buffer.from(topic))),
    ]),
  },
  {
    name: 'a thousand PINGREQ and a malformed one',
    bytes: Buffer.concat([V4, Buffer.alloc(2_000, PING), Buffer.from([0xc1, 0])]),
  },
  {
    name: 'acknowledgements of what was never sent',
    bytes: Buffer.concat([
      V5,
      ...[0x40, 0x50, 0x62, 0x70].map((first) => packet(first, Buffer.from([0xff, 0xff]))),
      PING,
    ]),
  },
  {
    name: 'user properties without end',
    bytes: Buffer.concat([
      V5,
      packet(
        0x30,
        Buffer.from([0, 1, 0x61]),
        varint(70_000),
        Buffer.alloc(70_000, Buffer.from([0x26, 0, 1, 0x61, 0, 1, 0x62])),
      ),
    ]),
  },
  { name: 'a packet cut in its length', bytes: Buffer.concat([V4, Buffer.from([0x30, 0x80, 0x80])]) },
]
