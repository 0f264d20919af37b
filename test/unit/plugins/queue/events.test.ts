/** Each thing that happens to a queue is told when it happens, with what is true then, and is counted. */

import { describe, expect, it } from 'vitest'
import { EVENT_TYPES, type EventType, QueueCounters } from '../../../../src/plugin.ts'
import { Bench } from './fakes.ts'

const QUEUE_EVENTS = EVENT_TYPES.filter((type) => type.startsWith('queue.'))
const seen = new Set<EventType>()

/** What was told from here on, in order. An id is given as how many other messages of that queue were told of before. */
function since(bench: Bench): { told(): Array<[EventType, unknown]> } {
  const from = bench.events.length
  return {
    told() {
      const ids = new Map<string, number[]>()
      const all = bench.events.map(({ type, data }): [EventType, unknown] => {
        seen.add(type)
        if (!('id' in data)) return [type, data]
        const known = ids.get(data.queue) ?? []
        ids.set(data.queue, known)
        if (!known.includes(data.id)) known.push(data.id)
        return [type, { ...data, id: known.indexOf(data.id) }]
      })
      return all.slice(from)
    },
  }
}

/** What is counted of a queue, but for zeros. */
function countersOf(bench: Bench, name: string): Partial<QueueCounters> {
  const counters = bench.control.list().find((queue) => queue.name === name)?.counters ?? new QueueCounters()
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0))
}

const queue = 'jobs'
const publisher = { clientId: 'publisher', qos: 1 }

describe('events of queues', () => {
  it('a queue is made, taken messages into, and emptied; then it is forgotten', async () => {
    const bench = await Bench.open()
    const start = since(bench)
    const safe = bench.publish('queue/jobs', 'abc')
    expect(start.told()).toEqual([['queue.created', { queue }]])
    await safe
    const a = bench.consumer('a', 'queue/jobs')
    expect(start.told().slice(1)).toEqual([
      ['queue.enqueued', { queue, id: 0, ...publisher, bytes: 3 }],
      ['queue.consumer-added', { queue, consumer: 'a', qos: 1 }],
      ['queue.delivered', { queue, id: 0, consumer: 'a', deliveries: 1 }],
    ])
    expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 1, delivered: 1 })
    const end = since(bench)
    a.acknowledge('abc')
    expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 1, delivered: 1, acknowledged: 1 })
    bench.engine.unsubscribe(a, 'queue/jobs')
    expect(end.told()).toEqual([
      ['queue.acknowledged', { queue, id: 0, consumer: 'a' }],
      ['queue.emptied', { queue }],
      ['queue.consumer-removed', { queue, consumer: 'a' }],
      ['queue.deleted', { queue }],
    ])
  })

  it('a message comes back: refused, lost, or too late', async () => {
    const bench = await Bench.open({ ackTimeout: 60_000, maxDeliveries: 9, backoff: { initial: 10, max: 10 } })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    const log = since(bench)
    a.settle('1', 'refused', 0x80)
    bench.clock.advance(20)
    bench.clock.advance(60_000)
    a.has = []
    bench.disconnect(a)
    const back = log.told().filter(([type]) => type === 'queue.redelivered')
    expect(back).toEqual([
      ['queue.redelivered', { queue, id: 0, consumer: 'a', reason: 'refused', deliveries: 1 }],
      ['queue.redelivered', { queue, id: 0, consumer: 'a', reason: 'timeout', deliveries: 2 }],
      ['queue.redelivered', { queue, id: 0, consumer: 'a', reason: 'consumer-gone', deliveries: 3 }],
    ])
    expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 1, delivered: 3, redelivered: 3 })
  })

  it('a message is given up: it goes to the dead letters, and is there when that is told; an operator sends it back', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    const log = since(bench)
    a.settle('1', 'refused', 0x99)
    await bench.store.durable()
    expect(log.told()).toEqual([
      ['queue.created', { queue: 'dead/jobs' }],
      ['queue.dead-lettered', { queue, id: 0, deadLetterQueue: 'dead/jobs', reason: 'rejected', deliveries: 1 }],
      ['queue.emptied', { queue }],
      ['queue.enqueued', { queue: 'dead/jobs', id: 0, ...publisher, bytes: 1 }],
    ])
    expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 1, delivered: 1, deadLettered: 1 })
    expect(countersOf(bench, 'dead/jobs')).toEqual({ enqueued: 1 })
    const redrive = since(bench)
    await bench.control.redrive('dead/jobs')
    const told = redrive.told()
    expect(told).toContainEqual(['queue.redriven', { queue: 'dead/jobs', moved: 1, left: 0 }])
    expect(told).toContainEqual(['queue.enqueued', { queue, id: 1, ...publisher, bytes: 1 }])
    expect(bench.counters.queues).toMatchObject({ enqueued: 3, delivered: 2, deadLettered: 1, redriven: 1 })
  })

  it('a message expires, and is thrown away or becomes a dead letter', async () => {
    const bench = await Bench.open({ policies: [{ match: 'kept', expired: 'dead-letter' }] })
    for (const topic of ['queue/jobs', 'queue/kept']) {
      await bench.engine.accept(bench.message(topic, '1', bench.clock.now() + 1000))
    }
    const log = since(bench)
    bench.clock.advance(1000)
    const told = log.told()
    expect(told).toContainEqual(['queue.expired', { queue, id: 0 }])
    const dead = { queue: 'kept', id: 0, deadLetterQueue: 'dead/kept', reason: 'expired', deliveries: 0 }
    expect(told).toContainEqual(['queue.dead-lettered', dead])
    // The other queue is forgotten.
    expect(bench.counters.queues).toMatchObject({ expired: 1, deadLettered: 1 })
    expect(countersOf(bench, 'kept')).toEqual({ enqueued: 1, deadLettered: 1 })
  })

  it('a queue is full, once told; what gives way where there are no dead letters is dropped', async () => {
    const bench = await Bench.open({
      ...{ maxLength: 1, deadLetter: null },
      policies: [{ match: 'ring', overflow: 'drop-oldest' }],
    })
    await bench.publish('queue/jobs', '1')
    await bench.publish('queue/ring', '1')
    const log = since(bench)
    for (const payload of ['2', '3']) {
      await expect(bench.publish('queue/jobs', payload)).rejects.toMatchObject({ code: 0x97 })
    }
    await bench.publish('queue/ring', '2')
    expect(log.told()).toEqual([
      ['queue.limit-reached', { queue, limit: 'maxLength', overflow: 'reject' }],
      ['queue.limit-reached', { queue: 'ring', limit: 'maxLength', overflow: 'drop-oldest' }],
      ['queue.enqueued', { queue: 'ring', id: 1, ...publisher, bytes: 1 }],
      ['queue.dropped', { queue: 'ring', id: 0, reason: 'overflow' }],
    ])
    expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 1, refused: 2 })
    expect(countersOf(bench, 'ring')).toEqual({ enqueued: 2, dropped: 1 })
  })

  it('a message that is delayed is in the queue when its time comes, and keeps it from being empty until then', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', 'now')
    const log = since(bench)
    const dueAt = new Date(bench.clock.now() + 5000).toISOString()
    await bench.send('queue/jobs', 'then', { delay: '5000' })
    a.acknowledge('now')
    expect(log.told()).toEqual([
      ['queue.delayed', { queue, id: 1, ...publisher, bytes: 4, dueAt }],
      ['queue.acknowledged', { queue, id: 0, consumer: 'a' }],
    ])
    expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 1, delayed: 1, delivered: 1, acknowledged: 1 })
    const later = since(bench)
    bench.clock.advance(5000)
    await expect.poll(() => a.holding).toEqual(['then'])
    a.acknowledge('then')
    expect(later.told().map(([type]) => type)).toEqual([
      'queue.enqueued',
      'queue.delivered',
      'queue.acknowledged',
      'queue.emptied',
    ])
  })

  it('an operator pauses, purges, resumes and deletes', async () => {
    const bench = await Bench.open({ prefetch: 1 })
    const a = bench.consumer('a', 'queue/+')
    await bench.publish('queue/jobs', '1', '2')
    await bench.send('queue/jobs', '3', { delay: '5000' })
    const log = since(bench)
    await bench.control.pause('jobs')
    await bench.control.purge('jobs')
    expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 2, delayed: 1, delivered: 1, purged: 2 })
    await bench.control.resume('jobs')
    await bench.control.delete('jobs')
    expect(log.told()).toEqual([
      ['queue.paused', { queue }],
      ['queue.purged', { queue, messages: 2 }],
      ['queue.resumed', { queue }],
      ['queue.purged', { queue, messages: 0 }],
      ['queue.emptied', { queue }],
      ['queue.consumer-removed', { queue, consumer: 'a' }],
      ['queue.deleted', { queue }],
    ])
    expect(bench.counters.queues).toMatchObject({ enqueued: 2, delivered: 1, purged: 3 })
    expect(a.connected).toBe(true)
  })

  it('a purge of what is delayed leaves the queue empty, too', async () => {
    const bench = await Bench.open()
    await bench.send('queue/jobs', '1', { delay: '5000' })
    const log = since(bench)
    await bench.control.purge('jobs')
    expect(log.told().map(([type]) => type)).toEqual(['queue.emptied', 'queue.deleted', 'queue.purged'])
  })

  it('are all among these', () => {
    expect([...seen].filter((type) => type.startsWith('queue.')).sort()).toEqual([...QUEUE_EVENTS].sort())
  })
})

describe('counters of queues', () => {
  it('are those of the queue since it came to be; those of all queues go on', async () => {
    const bench = await Bench.open()
    for (const _ of [1, 2]) {
      const a = bench.consumer('a', 'queue/jobs')
      await bench.publish('queue/jobs', '1', '2')
      a.acknowledge('1', '2')
      expect(countersOf(bench, 'jobs')).toEqual({ enqueued: 2, delivered: 2, acknowledged: 2 })
      bench.engine.unsubscribe(a, 'queue/jobs')
    }
    expect(bench.counters.queues).toMatchObject({ enqueued: 4, delivered: 4, acknowledged: 4 })
  })

  it('come with the time of the oldest message of every queue that has one', async () => {
    const bench = await Bench.open()
    const start = bench.clock.now()
    await bench.publish('queue/jobs', '1')
    bench.clock.advance(1000)
    await bench.publish('queue/mail', '1')
    await bench.publish('queue/jobs', '2')
    await bench.send('queue/later', '1', { delay: '5000' })
    bench.consumer('a', 'queue/idle')
    expect([...(await bench.control.oldest())].sort()).toEqual([
      ['jobs', start],
      ['mail', start + 1000],
    ])
    bench.consumer('b', 'queue/jobs').acknowledge('1')
    expect((await bench.control.oldest()).get('jobs')).toBe(start + 1000)
  })
})
