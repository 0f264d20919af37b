import { describe, expect, it } from 'vitest'
import { ReasonCode } from '../../../../src/plugin.ts'
import { Bench } from './fakes.ts'

const FULL = { code: ReasonCode.QuotaExceeded }

describe('when there are as many queues as there may be', () => {
  it('clients make no other: neither by a message nor by a subscription', async () => {
    const bench = await Bench.open({ maxQueues: 2 })
    await bench.publish('queue/a', '1')
    bench.consumer('worker', 'queue/b')
    expect(() => bench.engine.accept(bench.message('queue/c', '1'))).toThrow(expect.objectContaining(FULL))
    expect(() => bench.consumer('other', 'queue/c')).toThrow(expect.objectContaining(FULL))
    expect(bench.counters.queues.refused).toBe(1)
    await bench.publish('queue/a', '2')
    expect(bench.consumer('all', 'queue/#').got).toEqual(['1', '2'])
    expect(bench.control.list().map(({ name }) => name)).toEqual(['a', 'b'])
  })

  it('there is room for another when one is no more', async () => {
    const bench = await Bench.open({ maxQueues: 1 })
    await bench.publish('queue/a', '1')
    await bench.control.delete('a')
    await bench.publish('queue/b', '1')
    expect(bench.control.list()).toMatchObject([{ name: 'b', length: 1 }])
  })

  it('dead letters and queues with a policy come besides; dead letters whose queue may not be made are left', async () => {
    const bench = await Bench.open({ maxQueues: 1, policies: [{ match: 'kept' }] })
    expect(bench.control.list().map(({ name }) => name)).toEqual(['kept'])
    bench.engine.change({ ...bench.options, maxQueues: 2 })
    const worker = bench.consumer('worker', 'queue/a')
    await bench.publish('queue/a', 'bad')
    worker.settle('bad', 'refused', 0x99)
    bench.engine.unsubscribe(worker, 'queue/a')
    await bench.store.durable()
    expect(bench.control.list().map(({ name }) => name)).toEqual(['dead/a', 'kept'])
    bench.engine.change({ ...bench.options, maxQueues: 1 })
    expect(await bench.control.redrive('dead/a')).toEqual({ moved: 0, left: 1 })
  })

  it('what was there before a restart stays, with its consumers', async () => {
    const before = await Bench.open()
    await before.publish('queue/a', '1')
    await before.publish('queue/b', '1')
    before.engine.stop()
    const bench = await Bench.open({ maxQueues: 1 }, before.store)
    const rest = { identifier: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 as const }
    const worker = bench.consumer('worker', 'queue/a')
    bench.engine.subscribe(worker, { filter: 'queue/c', qos: 1, ...rest }, true)
    expect(bench.control.list().map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  })
})

describe('when as many messages are delayed as may be, in all queues together', () => {
  it('one more is refused, until one is due; those that are not delayed are taken on', async () => {
    const bench = await Bench.open({ maxDelayed: 2 })
    await bench.send('queue/a', '1', { delay: '1000' })
    await bench.send('queue/b', '2', { delay: '1000' })
    expect(() => bench.engine.accept(bench.message('queue/c', '3'))).not.toThrow()
    await expect(bench.send('queue/a', '4', { delay: '1000' })).rejects.toMatchObject(FULL)
    bench.clock.advance(1000)
    await bench.store.durable()
    for (let turn = 0; turn < 8; turn++) await new Promise((next) => setImmediate(next))
    await bench.send('queue/a', '5', { delay: '1000' })
    await bench.send('queue/a', '6', { delay: '1000' })
    await expect(bench.send('queue/b', '7', { delay: '1000' })).rejects.toMatchObject(FULL)
    await bench.control.purge('a')
    await bench.send('queue/b', '8', { delay: '1000' })
  })

  it('those from before a restart count', async () => {
    const before = await Bench.open()
    await before.send('queue/a', '1', { delay: '1000' })
    before.engine.stop()
    const bench = await Bench.open({ maxDelayed: 1 }, before.store)
    await expect(bench.send('queue/a', '2', { delay: '1000' })).rejects.toMatchObject(FULL)
  })
})
