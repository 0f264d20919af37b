import { describe, expect, it } from 'vitest'
import { EventBus } from '../../../src/core/event-bus.ts'
import { EVENT_TYPES, RARE_EVENT_TYPES } from '../../../src/core/event-types.ts'
import { Chronicle, type ChronicleParts } from '../../../src/kernel/chronicle.ts'
import type { EventRecord } from '../../../src/kernel/event-record.ts'

function make(parts: Partial<ChronicleParts> = {}) {
  const faults: unknown[] = []
  const onFault = (error: unknown): void => void faults.push(error)
  const events = new EventBus(onFault)
  const now = () => 1_700_000_000_123
  const chronicle = new Chronicle({ events, now, node: 'n1', keep: 0, keepMessages: false, onFault, ...parts })
  const create = (queue: string) => events.emit('queue.created', { queue })
  return { events, chronicle, faults, create }
}

const queuesOf = (chronicle: Chronicle, query = {}) =>
  chronicle.recent(query).map(({ data }) => (data as { queue: string }).queue)

it('a follower that names a type twice is told once, and no more once it has left', () => {
  const { chronicle, create } = make()
  let told = 0
  const leave = chronicle.follow(['queue.created', 'queue.created'], () => told++)
  create('a')
  leave()
  create('b')
  expect([told, chronicle.sequence]).toEqual([1, 1])
})

describe('an event', () => {
  it('is a CloudEvent, also as JSON, which is made once', () => {
    const { events, chronicle } = make({ node: 'a b' })
    const told: EventRecord[] = []
    chronicle.follow(['subscription.removed'], (record) => told.push(record))
    events.emit('subscription.removed', { clientId: 'ü', filter: 'a/#', reason: 'unsubscribed' })
    const expected = {
      specversion: '1.0',
      id: '1700000000123-1',
      source: '/eventflow/a%20b',
      type: 'subscription.removed',
      time: '2023-11-14T22:13:20.123Z',
      datacontenttype: 'application/json',
      sequence: '0000000000000001',
      data: { clientId: 'ü', filter: 'a/#', reason: 'unsubscribed' },
    }
    expect(told[0]!.toCloudEvent()).toEqual(expected)
    expect(JSON.parse(told[0]!.json.toString())).toEqual(expected)
    expect(told[0]!.json).toBe(told[0]!.json)
  })

  it('is the same JSON as JSON.stringify makes of it, whatever its data are', () => {
    const { events, chronicle } = make({ node: 'a"b\\ü' })
    const told: EventRecord[] = []
    chronicle.follow(['subscription.removed'], (record) => told.push(record))
    events.emit('subscription.removed', { clientId: '"\\\u0001\ud800', filter: 'ü/€/😀', reason: 'unsubscribed' })
    expect(told[0]!.json.toString()).toBe(JSON.stringify(told[0]!.toCloudEvent()))
  })

  it('has another identifier in another run of the broker', () => {
    const ids = [1, 2].map((time) => {
      const { chronicle, create } = make({ keep: 1, now: () => time })
      create('a')
      return chronicle.recent()[0]!.id
    })
    expect(new Set(ids).size).toBe(2)
  })
})

describe('numbers', () => {
  it('have no gaps, in text that sorts as it counts, whoever follows what', () => {
    const { events, chronicle, create } = make({ keep: 100 })
    const all: number[] = []
    chronicle.follow(EVENT_TYPES, ({ sequence }) => all.push(sequence))
    const stop = chronicle.follow(['queue.created'], () => {})
    for (let i = 0; i < 12; i++) {
      create('a')
      events.emit('message.retained-cleared', { topic: 'b' })
      if (i === 5) stop()
    }
    expect(all).toEqual(Array.from({ length: 24 }, (_, i) => i + 1))
    const sequence = chronicle.recent().map((event) => event.sequence)
    expect([...sequence].sort()).toEqual(sequence)
  })

  it('are given to what somebody wants, and nothing else is listened to', () => {
    const { events, chronicle, create } = make()
    expect(EVENT_TYPES.filter((type) => events.wants(type))).toEqual([])
    create('nobody')
    const stops = [1, 2].map(() => chronicle.follow(['queue.created', 'queue.deleted'], () => {}))
    expect(EVENT_TYPES.filter((type) => events.wants(type))).toEqual(['queue.created', 'queue.deleted'])
    create('somebody')
    expect(chronicle.sequence).toBe(1)
    for (const stop of [...stops, ...stops]) stop()
    expect(EVENT_TYPES.filter((type) => events.wants(type))).toEqual([])
  })

  it('are given once, however many follow; a follower that fails does not keep the others from hearing', () => {
    const { chronicle, create, faults } = make()
    const told: EventRecord[] = []
    chronicle.follow(['queue.created'], () => {
      throw new Error('broken')
    })
    for (let i = 0; i < 2; i++) chronicle.follow(['queue.created'], (record) => told.push(record))
    create('a')
    expect(told[0]).toBe(told[1])
    expect(faults).toEqual([new Error('broken')])
  })
})

describe('recent events', () => {
  it('are the last ones, oldest first', () => {
    const { chronicle, create } = make({ keep: 3 })
    expect(chronicle.recent()).toEqual([])
    create('1')
    expect(queuesOf(chronicle)).toEqual(['1'])
    for (const queue of ['2', '3', '4', '5']) create(queue)
    expect(queuesOf(chronicle)).toEqual(['3', '4', '5'])
  })

  it('are picked by area, by type, and by number', () => {
    const { events, chronicle, create } = make({ keep: 100 })
    create('1')
    events.emit('plugin.started', { plugin: 'x' })
    events.emit('queue.deleted', { queue: '3' })
    create('4')
    expect(queuesOf(chronicle, { area: 'queue' })).toEqual(['1', '3', '4'])
    expect(queuesOf(chronicle, { type: 'queue.deleted' })).toEqual(['3'])
    expect(queuesOf(chronicle, { type: ['queue.deleted', 'queue.created'], since: 1 })).toEqual(['3', '4'])
    expect(queuesOf(chronicle, { area: 'que' })).toEqual([])
    expect(chronicle.recent({ since: 4 })).toEqual([])
  })

  it('are so many at most: the last ones, or those that come next', () => {
    const { chronicle, create } = make({ keep: 100 })
    for (const queue of ['1', '2', '3', '4', '5']) create(queue)
    expect(queuesOf(chronicle, { limit: 2 })).toEqual(['4', '5'])
    expect(queuesOf(chronicle, { since: 1, limit: 2 })).toEqual(['2', '3'])
    expect(queuesOf(chronicle, { limit: 0 })).toEqual([])
  })

  it('are none of those that tell of a message, unless that is asked for', () => {
    const rare = make({ keep: 10 }).events
    expect(EVENT_TYPES.filter((type) => rare.wants(type))).toEqual(RARE_EVENT_TYPES)
    expect(rare.wants('message.published')).toBe(false)
    expect(rare.wants('queue.acknowledged')).toBe(false)
    const all = make({ keep: 10, keepMessages: true }).events
    expect(EVENT_TYPES.filter((type) => all.wants(type))).toEqual(EVENT_TYPES)
  })
})
