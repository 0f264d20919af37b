import { describe, expect, it } from 'vitest'
import { openStore } from '../../../../src/store/open.ts'
import { Bench, type FakeClient } from './fakes.ts'

const memory = () => openStore({ kind: 'memory', path: '', onFault: () => {} })
const unknown = expect.objectContaining({ code: 'QUEUE_UNKNOWN' })

/** A queue with a message in every place that there is. */
async function everywhere(): Promise<{ bench: Bench; a: FakeClient }> {
  const bench = await Bench.open({ prefetch: 2 })
  const a = bench.consumer('a', 'queue/#')
  await bench.send('queue/jobs', 'held', { group: 'g' })
  await bench.send('queue/jobs', 'rests', {})
  a.settle('rests', 'refused', 0x80)
  await bench.send('queue/jobs', 'aside', { group: 'g' })
  await bench.publish('queue/jobs', 'held too', 'ready')
  await bench.send('queue/jobs', 'urgent', { priority: '7' })
  await bench.send('queue/jobs', 'delayed', { delay: '5000' })
  return { bench, a }
}

describe('looking at queues', () => {
  it('tells where the messages of each are', async () => {
    const { bench } = await everywhere()
    await bench.publish('queue/another', '1')
    const bytes = ['held', 'rests', 'aside', 'held too', 'ready', 'urgent', 'delayed'].join('').length
    const places = { length: 7, ready: 3, inFlight: 2, delayed: 1, resting: 1, bytes }
    expect(bench.control.list()).toMatchObject([
      { name: 'another', length: 1, ready: 1, consumers: 1 },
      { name: 'jobs', ...places, consumers: 1, paused: false },
    ])
    expect(await bench.control.show('jobs')).toMatchObject({
      ...places,
      consumers: [{ clientId: 'a', filter: 'queue/#', qos: 1, connected: true, inFlight: 2 }],
      oldestAt: bench.clock.now(),
      match: null,
      policy: { maxDeliveries: 5 },
    })
  })

  it('tells the age of the oldest message, and the policy', async () => {
    const bench = await Bench.open({
      policies: [
        { match: 'jo+', maxDeliveries: 9 },
        { match: '#', maxDeliveries: 7 },
      ],
    })
    await bench.publish('queue/jobs', '1')
    const first = bench.clock.now()
    bench.clock.advance(1000)
    await bench.send('queue/jobs', '2', { priority: '9' })
    expect(await bench.control.show('jobs')).toMatchObject({
      oldestAt: first,
      match: '#',
      policy: { maxDeliveries: 7 },
    })
  })

  it('tells how many messages a second come and go, of each and of all', async () => {
    const bench = await Bench.open()
    bench.rates.start()
    const client = bench.consumer('a', 'queue/jobs')
    for (let second = 0; second < 20; second++) {
      await bench.publish('queue/jobs', 'a', 'b')
      client.acknowledge('a')
      await bench.publish('queue/idle', 'c')
      bench.clock.advance(1_000)
    }
    const [idle, jobs] = bench.control.list()
    expect([idle!.rates, jobs!.rates]).toEqual([
      { in: 1, out: 0 },
      { in: 2, out: 1 },
    ])
    expect((await bench.control.show('jobs')).rates).toEqual(jobs!.rates)
    expect(bench.control.totals().rates).toEqual({ in: 3, out: 1 })
    bench.clock.advance(10_000)
    expect(bench.control.totals().rates).toEqual({ in: 0, out: 0 })
    bench.rates.stop()
  })

  it('adds up all queues, and finds the longest', async () => {
    const { bench } = await everywhere()
    await bench.publish('queue/short', '1')
    for (let n = 0; n < 3_000; n++) await bench.publish(`queue/many/${n}`, 'x')
    await bench.publish('queue/many/77', '2', '3')
    expect(bench.control.totals()).toMatchObject({ count: 3_002, length: 3_010, delayed: 1, resting: 1, inFlight: 2 })
    const longest = bench.control.longest(3).map(({ name, length }) => [name, length])
    expect(longest).toEqual([
      ['jobs', 7],
      ['many/77', 3],
      ['many/0', 1],
    ])
    expect(bench.control.longest(10_000)).toHaveLength(3_002)
    expect([...bench.control.names()]).toHaveLength(3_002)
    expect(bench.control.some(['short', 'nowhere', 'jobs'])).toMatchObject([
      { name: 'short' },
      { name: 'jobs', length: 7 },
    ])
  })

  it('takes nothing away: peek shows messages in the order of delivery, wherever they are', async () => {
    const { bench } = await everywhere()
    const peeked = await bench.control.peek('jobs')
    expect(peeked.map(({ payload, state }) => [payload.toString(), state])).toEqual([
      ['urgent', 'ready'],
      ['held', 'delivered'],
      ['rests', 'resting'],
      ['aside', 'ready'],
      ['held too', 'delivered'],
      ['ready', 'ready'],
      ['delayed', 'delayed'],
    ])
    expect(peeked[1]).toMatchObject({ group: 'g', deliveries: 1, clientId: 'publisher', qos: 1, expiresAt: null })
    expect(peeked[0]).toMatchObject({ priority: 7, userProperties: [['priority', '7']] })
    expect((await bench.control.peek('jobs', 2)).map(({ payload }) => payload.toString())).toEqual(['urgent', 'held'])
    expect(bench.control.list()[0]).toMatchObject({ length: 7 })
  })

  it('needs a queue', async () => {
    const { control } = await Bench.open()
    await expect(control.show('jobs')).rejects.toEqual(unknown)
    await expect(control.purge('jobs')).rejects.toEqual(unknown)
    await expect(control.delete('jobs')).rejects.toEqual(unknown)
    await expect(control.peek('jobs')).rejects.toEqual(unknown)
    await expect(control.resume('jobs')).rejects.toEqual(unknown)
    await expect(control.redrive('dead/jobs')).rejects.toEqual(unknown)
    for (const name of ['', 'a/#', 'a+']) await expect(control.pause(name)).rejects.toMatchObject({ code: 0x90 })
    expect(control.list()).toEqual([])
  })
})

describe('a paused queue', () => {
  it('takes messages on and delivers none, until it is resumed', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    await bench.control.pause('jobs')
    await bench.publish('queue/jobs', '2')
    a.acknowledge('1')
    expect(a.got).toEqual(['1'])
    await bench.control.resume('jobs')
    expect(a.got).toEqual(['1', '2'])
    expect([bench.told('queue.paused'), bench.told('queue.resumed')]).toEqual([
      [{ queue: 'jobs' }],
      [{ queue: 'jobs' }],
    ])
  })

  it('is paused after a restart, and is remembered when it is empty', async () => {
    const store = await memory()
    const before = await Bench.open({}, store)
    await before.control.pause('jobs')
    const bench = await Bench.open({}, store)
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    expect([a.got, bench.control.list()[0]?.paused]).toEqual([[], true])
    await bench.control.resume('jobs')
    a.acknowledge('1')
    bench.disconnect(a)
    expect([a.got, store.queues.list()]).toEqual([['1'], []])
  })
})

describe('a purge', () => {
  it('removes all that no consumer has, and leaves the rest to be acknowledged', async () => {
    const { bench, a } = await everywhere()
    expect(await bench.control.purge('jobs')).toBe(5)
    expect(bench.told('queue.purged')).toEqual([{ queue: 'jobs', messages: 5 }])
    expect(bench.control.list()).toMatchObject([{ length: 2, inFlight: 2, bytes: 'heldheld too'.length }])
    bench.clock.advance(10_000)
    a.acknowledge('held', 'held too')
    expect([bench.stored('jobs'), bench.store.queues.list()]).toEqual([0, []])
    expect(a.got).toEqual(['held', 'rests', 'held too'])
    await bench.send('queue/jobs', 'new', { group: 'g' })
    expect(a.holding).toEqual(['new'])
  })

  it('removes what is on disk only, and what is being read', async () => {
    const store = await memory()
    const payloads = Array.from({ length: 3000 }, (_, i) => String(i))
    await (await Bench.open({}, store)).publish('queue/jobs', ...payloads)
    const bench = await Bench.open({ prefetch: 2 }, store)
    const a = bench.consumer('a', 'queue/jobs') // begins to read
    expect(await bench.control.purge('jobs')).toBe(3000)
    await bench.publish('queue/jobs', 'new')
    await expect.poll(() => a.got).toEqual(['new'])
    expect(bench.control.list()).toMatchObject([{ length: 1, inFlight: 1, bytes: 3 }])
    expect(bench.stored('jobs')).toBe(1)
  })

  it('leaves alone what is not on disk yet', async () => {
    const bench = await Bench.open()
    await bench.send('queue/jobs', '1', { delay: '10' })
    const later = bench.send('queue/jobs', '2', { delay: '10' })
    const now = bench.publish('queue/jobs', '3')
    expect(await bench.control.purge('jobs')).toBe(1)
    await Promise.all([later, now])
    expect(bench.control.list()).toMatchObject([{ length: 2, ready: 1, delayed: 1, bytes: 2 }])
  })
})

describe('deleting a queue', () => {
  it('removes all there is of it, what consumers have too', async () => {
    const { bench, a } = await everywhere()
    await bench.send('queue/jobs', 'known', { 'dedup-id': 'x' })
    await bench.control.pause('jobs')
    expect(await bench.control.delete('jobs')).toBe(8)
    expect(bench.told('queue.deleted')).toEqual([{ queue: 'jobs' }])
    expect([bench.control.list(), bench.store.queues.list()]).toEqual([[], []])
    a.acknowledge('held', 'held too') // late
    await bench.send('queue/jobs', 'known', { 'dedup-id': 'x' })
    expect(a.holding).toEqual(['known'])
  })

  it('is refused while a client subscribes to this very queue', async () => {
    const bench = await Bench.open()
    bench.consumer('a', 'queue/jobs')
    await expect(bench.control.delete('jobs')).rejects.toMatchObject({ code: 'QUEUE_IN_USE' })
  })
})

describe('a redrive', () => {
  async function withDeadLetters(options: Parameters<typeof Bench.open>[0] = {}, ...payloads: string[]) {
    const bench = await Bench.open(options)
    const a = bench.consumer('a', 'queue/jobs')
    for (const payload of payloads) {
      await bench.send('queue/jobs', payload, { priority: '3', mine: payload })
      a.settle(payload, 'refused', 0x99)
    }
    await bench.store.durable()
    bench.disconnect(a)
    return bench
  }

  it('sends dead letters back to where they came from, as they were', async () => {
    const bench = await withDeadLetters({}, '1', '2')
    const progress: unknown[] = []
    const onProgress = (now: unknown): void => void progress.push(now)
    expect(await bench.control.redrive('dead/jobs', { onProgress })).toEqual({ moved: 2, left: 0 })
    expect(progress).toEqual([{ moved: 2, left: 0 }])
    expect(bench.told('queue.redriven')).toEqual([{ queue: 'dead/jobs', moved: 2, left: 0 }])
    expect(await bench.control.peek('jobs')).toMatchObject([
      {
        deliveries: 0,
        priority: 3,
        clientId: 'publisher',
        userProperties: [
          ['priority', '3'],
          ['mine', '1'],
        ],
      },
      {
        deliveries: 0,
        priority: 3,
        clientId: 'publisher',
        userProperties: [
          ['priority', '3'],
          ['mine', '2'],
        ],
      },
    ])
    expect(bench.control.list().map(({ name, length }) => [name, length])).toEqual([['jobs', 2]])
    expect(bench.consumer('b', 'queue/jobs').got).toEqual(['1', '2'])
  })

  it('moves so many as it is told to, and none that a consumer has', async () => {
    const bench = await withDeadLetters({}, '1', '2', '3', '4')
    expect(await bench.control.redrive('dead/jobs', { limit: 1 })).toEqual({ moved: 1, left: 0 })
    const doctor = bench.consumer('doctor', 'queue/dead/jobs')
    bench.engine.change({ ...bench.options, prefetch: 1 })
    doctor.acknowledge('3', '4')
    await bench.publish('queue/dead/jobs', '5')
    expect(await bench.control.redrive('dead/jobs')).toEqual({ moved: 1, left: 1 })
    expect((await bench.control.peek('jobs')).map(({ payload }) => payload.toString())).toEqual(['1', '5'])
    doctor.acknowledge('2')
  })

  it('leaves what a full queue has no room for', async () => {
    const bench = await withDeadLetters({ policies: [{ match: 'jobs', maxLength: 1 }] }, '1', '2')
    expect(await bench.control.redrive('dead/jobs')).toEqual({ moved: 1, left: 1 })
    expect([bench.stored('jobs#3'), bench.stored('dead/jobs')]).toEqual([1, 1])
  })

  it('leaves what comes from nowhere', async () => {
    const bench = await Bench.open({ policies: [{ match: 'jobs', deadLetter: 'morgue' }] })
    await bench.publish('queue/morgue', '1')
    expect(await bench.control.redrive('morgue')).toEqual({ moved: 0, left: 1 })
  })

  it('moves what was never in memory, while it is being read', async () => {
    const store = await memory()
    const payloads = Array.from({ length: 1800 }, (_, i) => String(i))
    await (await Bench.open({}, store)).publish('queue/dead/jobs', ...payloads)
    const bench = await Bench.open({ prefetch: 1 }, store)
    const doctor = bench.consumer('doctor', 'queue/dead/jobs')
    const { moved, left } = await bench.control.redrive('dead/jobs')
    await expect.poll(() => bench.told('queue.enqueued').length).toBe(moved)
    expect(moved + left).toBe(1800)
    const kept = left === 0 ? [] : doctor.got
    expect((await bench.control.peek('jobs', 2000)).map(({ payload }) => payload.toString())).toEqual(
      payloads.filter((payload) => !kept.includes(payload)),
    )
    expect(bench.stored('dead/jobs')).toBe(left)
  })
})
