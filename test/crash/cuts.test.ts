/**
 * Exactly once through a queue, wherever it is cut: a producer, the queue and a consumer, all at QoS 2, with each connection cut
 * before and after each packet, and the broker killed at each write to the disk.
 */

import { describe, expect, it } from 'vitest'
import { ConsumerEnd, ProducerEnd } from '../helpers/ends.ts'
import type { Fate } from '../helpers/journal.ts'
import { until } from '../helpers/until.ts'
import { World } from '../helpers/world.ts'

const MESSAGES = 4

interface Course {
  version: 4 | 5
  /** Messages that the producer has under way. */
  window: number
}

interface Accident {
  cut?: { packet: number; after: boolean }
  kill?: { write: number; fate: Fate }
  /** What the broker had sent when it was killed still arrives. */
  late?: boolean
}

/** All messages from the producer to the consumer, with one accident. Returns whether there was occasion for it. */
async function survives({ version, window }: Course, accident: Accident): Promise<boolean> {
  const { cut, kill, late = false } = accident
  const world = new World(version)
  world.late = late
  world.scissors.cutAt = cut ?? null
  world.journal.killAt = kill ?? null
  const consumer = new ConsumerEnd(world, 'consumer')
  const producer = new ProducerEnd(world, { most: MESSAGES, window, identifiers: window })
  const { taken } = consumer.subscriber
  const running = Promise.all([producer.run(), consumer.run()])
  const complete = (): boolean => producer.producer.done.length === MESSAGES && world.isEmpty
  await Promise.race([running, until(`all have arrived, in spite of ${JSON.stringify(accident)}`, complete)])
  consumer.leave()
  await running
  const { count } = cut === undefined ? world.journal : world.scissors
  const left = await world.end()
  const times = Object.fromEntries(producer.producer.sent.map((payload) => [payload, taken.get(payload)]))
  expect({ accident, times, faults: world.faults }).toEqual({ accident, times: { 1: 1, 2: 1, 3: 1, 4: 1 }, faults: [] })
  expect([left.queues.list(), left.sessions.outgoing.list()]).toEqual([[], []])
  expect((await left.sessions.load()).map(({ received }) => received)).toEqual([[], []])
  return count >= (cut?.packet ?? kill!.write)
}

/** Until there is no such packet, or write, any more. Returns how many there were. */
async function survivesAll(course: Course, accidentAt: (place: number) => Accident): Promise<number> {
  let place = 1
  while (await survives(course, accidentAt(place))) place++
  return place - 1
}

describe.each([
  { name: '3.1.1, one after the other', version: 4, window: 1 },
  { name: '3.1.1, together', version: 4, window: 30 },
  { name: '5.0, one after the other', version: 5, window: 1 },
  { name: '5.0, together', version: 5, window: 30 },
] as const)('messages go through a queue once each, on MQTT $name,', (course) => {
  it.each([
    ['before', false],
    ['after', true],
  ])('though a connection is cut %s any packet', { timeout: 60_000 }, async (_when, after) => {
    const packets = await survivesAll(course, (packet) => ({ cut: { packet, after } }))
    // CONNECT and SUBSCRIBE with their answers, and four packets of each message on each side.
    expect(packets).toBeGreaterThanOrEqual(6 + MESSAGES * 8)
  })

  it.each<[string, Fate, boolean]>([
    ['before any write', 'lost', false],
    ['before any write, and what it has sent still arrives', 'lost', true],
    ['after any write, which nobody is told of', 'written', false],
    ['after any write, and what it has sent still arrives', 'written', true],
    ['with the power, at any write', 'power', false],
    ['with the power, and what it has sent still arrives', 'power', true],
  ])('though the broker is killed %s', { timeout: 60_000 }, async (_when, fate, late) => {
    const writes = await survivesAll(course, (write) => ({ kill: { write, fate }, late }))
    // The format, the sessions, the subscription; and what becomes of each message, or of all together.
    expect(writes).toBeGreaterThanOrEqual(3 + (course.window === 1 ? 2 * MESSAGES : 2))
  })
})
