/** The bytes that a load sends, read by a parser that is not ours. */

import { type Packet, parser } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { connectPacket, type MqttVersion, subscribePacket, varint } from '../../../src/bench/load/packets.ts'
import { PublishRing, type PublishShape } from '../../../src/bench/load/publish-ring.ts'
import { routesOf } from '../../../src/bench/routes.ts'
import { SCENARIOS } from '../../../src/bench/scenarios.ts'

function read(bytes: Buffer, protocolVersion: MqttVersion): Packet[] {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion })
  reader.on('packet', (packet) => packets.push(packet))
  reader.on('error', (error) => {
    throw error
  })
  expect(reader.parse(bytes)).toBe(0)
  return packets
}

describe.each([4, 5] as const)('at protocol level %i', (version) => {
  it('connects cleanly, with or without credentials', () => {
    expect(read(connectPacket(version, 'me', {}), version)).toMatchObject([
      { cmd: 'connect', protocolVersion: version, clientId: 'me', clean: true, keepalive: 0 },
    ])
    const [named] = read(connectPacket(version, 'me', { user: 'ä', password: 'p' }), version)
    expect(named).toMatchObject({ username: 'ä', password: Buffer.from('p') })
  })

  it('subscribes to many filters in one packet', () => {
    const filters = Array.from({ length: 100 }, (_, n) => `some/longer/filter/${n}/+`)
    const [packet] = read(subscribePacket(version, 300, filters, 1), version)
    expect(packet).toMatchObject({ cmd: 'subscribe', messageId: 300 })
    expect((packet as { subscriptions: unknown[] }).subscriptions).toMatchObject(
      filters.map((topic) => ({ topic, qos: 1 })),
    )
  })

  it.each([0, 1, 2] as const)('stamps its messages at QoS %i', (qos) => {
    const shape: PublishShape = { version, qos, topics: ['a/0', 'a/1', 'a/2'], payloadBytes: 200 }
    const ring = new PublishRing(shape, 0xfedcba98, 7)
    const first = ring.slots - 1
    ring.stamp(first, 0xffffffff, 65_535)
    ring.stamp(first + 1, 5, 1)
    expect([ring.run(first), ring.run(first + 1)]).toEqual([1, ring.slots])
    for (const [sequence, due, id] of [
      [first, 0xffffffff, 65_535],
      [first + 1, 5, 1],
    ] as const) {
      const [message] = read(ring.packets(sequence, 1), version)
      if (message?.cmd !== 'publish') throw new Error('expected a PUBLISH')
      expect(message).toMatchObject({ topic: `a/${sequence % 3}`, qos, retain: false, dup: false })
      if (qos > 0) expect(message.messageId).toBe(id)
      const payload = message.payload as Buffer
      const stamp = [0, 4, 8, 12].map((at) => payload.readUInt32BE(at))
      expect([payload.length, ...stamp]).toEqual([200, 0xfedcba98, 7, sequence, due])
    }
  })
})

it('user properties are between topic and payload', () => {
  const userProperties = [
    ['one', '1'],
    ['two', '2'],
  ] as const
  const ring = new PublishRing({ version: 5, qos: 1, topics: ['t'], payloadBytes: 16, userProperties }, 1, 0)
  ring.stamp(0, 9, 4)
  const [message] = read(ring.packets(0, 1), 5)
  expect(message).toMatchObject({ topic: 't', messageId: 4, properties: { userProperties: { one: '1', two: '2' } } })
})

it('a message larger than the ring has a slot of its own', () => {
  const ring = new PublishRing({ version: 4, qos: 0, topics: ['t'], payloadBytes: 300_000 }, 1, 0)
  ring.stamp(3, 1, 0)
  expect(ring.slots).toBe(1)
  expect(read(ring.packets(3, 1), 4)).toHaveLength(1)
})

it.each([0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455])(
  'length %i is encoded as MQTT has it',
  (length) => {
    const bytes = [...varint(length)]
    expect(bytes.reduceRight((sum, byte) => sum * 128 + (byte & 0x7f), 0)).toBe(length)
    expect(bytes.map((byte) => byte >= 0x80)).toEqual(bytes.map((_, n) => n < bytes.length - 1))
  },
)

describe('the routes', () => {
  const options = { subscriptions: 10_000, share: false }

  it('give each of 10,000 topics one wildcard filter, spread over the subscribers', () => {
    const { topics, filters } = routesOf(SCENARIOS.get('wildcards')!, options)
    const all = Array.from({ length: 10 }, (_, n) => filters(n))
    expect(all.map(({ length }) => length)).toEqual(Array(10).fill(1_000))
    expect(new Set(all.flat()).size).toBe(10_000)
    for (const n of [0, 9]) expect(topics(n).map((topic) => topic.replace(/[^/]+$/, '+'))).toEqual(filters(n))
  })

  it('put a shared subscription in the place of a queue where there is none', () => {
    const queue = routesOf(SCENARIOS.get('queue-qos1')!, options)
    expect([queue.topics(0), queue.filters(0)]).toEqual([['queue/bench'], ['queue/bench']])
    const shared = routesOf(SCENARIOS.get('queue-qos1')!, { ...options, share: true })
    expect([shared.topics(0), shared.filters(0)]).toEqual([['bench'], ['$share/g/bench']])
  })
})
