import { describe, expect, it } from 'vitest'
import { openStore } from '../../../../src/store/open.ts'
import { Bench } from './fakes.ts'

const payloadsOf = async (bench: Bench, name: string) =>
  (await bench.store.queues.read(name, 0, 100)).map(({ message }) => message.payload.toString())

describe('a queue that refuses what is too much', () => {
  it('says so to the publisher, and takes more when there is room again', async () => {
    const bench = await Bench.open({ maxLength: 2 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    await expect(bench.publish('queue/jobs', '3')).rejects.toMatchObject({ code: 0x97, message: 'the queue is full' })
    a.acknowledge('1')
    await bench.publish('queue/jobs', '4')
    expect(a.got).toEqual(['1', '2', '4'])
  })

  it('counts what is not on disk yet', async () => {
    const bench = await Bench.open({ maxLength: 2 })
    const outcomes = await Promise.allSettled(['1', '2', '3'].map((payload) => bench.publish('queue/jobs', payload)))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  })

  it('counts what it finds after a restart', async () => {
    const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
    const before = await Bench.open({}, store)
    await before.publish('queue/jobs', 'abc', 'de')
    for (const limits of [{ maxLength: 2 }, { maxBytes: 5 }]) {
      const bench = await Bench.open(limits, store)
      await expect(bench.publish('queue/jobs', 'x')).rejects.toMatchObject({ code: 0x97 })
    }
    const bench = await Bench.open({ maxBytes: 6 }, store)
    await bench.publish('queue/jobs', 'x')
    await expect(bench.publish('queue/jobs', 'y')).rejects.toMatchObject({ code: 0x97 })
  })

  it('knows its bytes when a limit to them comes later, and messages went before', async () => {
    const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
    await (await Bench.open({}, store)).publish('queue/jobs', 'abc', 'de', 'f')
    const bench = await Bench.open({}, store)
    const a = bench.consumer('a', 'queue/jobs')
    await expect.poll(() => a.got).toEqual(['abc', 'de', 'f'])
    a.acknowledge('abc')
    bench.engine.change({ ...bench.options, maxBytes: 5 })
    a.acknowledge('f') // while the rest is being read
    await bench.store.durable()
    await expect
      .poll(() => bench.engine.queueAt('queue/jobs')?.state.contents.bytes)
      .toMatchObject({ unknown: false, total: 2 })
  })

  it('takes dead letters all the same: they can be refused by nobody', async () => {
    const bench = await Bench.open({ policies: [{ match: 'dead/#', maxLength: 1 }] })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    for (const payload of ['1', '2']) a.settle(payload, 'refused', 0x99)
    expect(bench.stored('dead/jobs')).toBe(2)
  })
})

describe('a queue that drops the oldest', () => {
  const DROPS = { overflow: 'drop-oldest', deadLetter: null } as const

  it('has the newest, and tells what it dropped', async () => {
    const bench = await Bench.open({ ...DROPS, maxLength: 2 })
    await bench.publish('queue/jobs', '1', '2', '3', '4')
    expect(await payloadsOf(bench, 'jobs')).toEqual(['3', '4'])
    expect(bench.told('queue.dropped')).toMatchObject([{ reason: 'overflow' }, { reason: 'overflow' }])
  })

  it('makes dead letters of what it drops where it has them', async () => {
    const bench = await Bench.open({ overflow: 'drop-oldest', maxLength: 1 })
    await bench.publish('queue/jobs', '1', '2')
    expect([await payloadsOf(bench, 'jobs'), await payloadsOf(bench, 'dead/jobs')]).toEqual([['2'], ['1']])
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ reason: 'overflow', deliveries: 0 }])
  })

  it('leaves consumers what they have', async () => {
    const bench = await Bench.open({ ...DROPS, maxLength: 2, prefetch: 2 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    await bench.publish('queue/jobs', '3')
    expect([a.holding, await payloadsOf(bench, 'jobs')]).toEqual([
      ['1', '2'],
      ['1', '2'],
    ])
  })

  it('keeps to its bytes, and refuses what is larger than all of them', async () => {
    const bench = await Bench.open({ ...DROPS, maxBytes: 10 })
    await bench.publish('queue/jobs', 'aaaa', 'bbbb', 'cccc')
    expect(await payloadsOf(bench, 'jobs')).toEqual(['bbbb', 'cccc'])
    await expect(bench.publish('queue/jobs', 'x'.repeat(11))).rejects.toMatchObject({ code: 0x97 })
    expect(await payloadsOf(bench, 'jobs')).toEqual(['bbbb', 'cccc'])
  })

  it('drops what it found on disk, and has not read', async () => {
    const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
    await (await Bench.open({}, store)).publish('queue/jobs', '1', '2', '3')
    const bench = await Bench.open({ ...DROPS, maxLength: 2 }, store)
    await expect.poll(() => payloadsOf(bench, 'jobs')).toEqual(['2', '3'])
    await bench.publish('queue/jobs', '4')
    await expect.poll(() => payloadsOf(bench, 'jobs')).toEqual(['3', '4'])
  })

  it('drops at once when a lower limit comes', async () => {
    const bench = await Bench.open({ ...DROPS, maxLength: 3 })
    await bench.publish('queue/jobs', '1', '2', '3')
    bench.engine.change({ ...bench.options, maxLength: 1 })
    expect(await payloadsOf(bench, 'jobs')).toEqual(['3'])
  })
})

describe('that a queue is full', () => {
  it.each(['reject', 'drop-oldest'] as const)('is told once, and again when it had room (%s)', async (overflow) => {
    const bench = await Bench.open({ overflow, maxLength: 2, prefetch: 1 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    expect(bench.told('queue.limit-reached')).toEqual([])
    for (const payload of ['3', '4']) await bench.publish('queue/jobs', payload).catch(() => {})
    expect(bench.told('queue.limit-reached')).toEqual([{ queue: 'jobs', limit: 'maxLength', overflow }])
    a.acknowledge('1')
    for (const payload of ['5', '6', '7']) await bench.publish('queue/jobs', payload).catch(() => {})
    expect(bench.told('queue.limit-reached')).toHaveLength(2)
  })
})
