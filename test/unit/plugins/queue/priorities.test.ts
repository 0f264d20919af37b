import { describe, expect, it } from 'vitest'
import { openStore } from '../../../../src/store/open.ts'
import { Bench } from './fakes.ts'

const memory = () => openStore({ kind: 'memory', path: '', onFault: () => {} })

describe('priorities', () => {
  it('go before each other, the higher first; within one it is first in, first out', async () => {
    const bench = await Bench.open()
    for (const [payload, priority] of [
      ['a', '0'],
      ['b', '9'],
      ['c', '4'],
      ['d', '9'],
      ['e', '4'],
    ] as const) {
      await bench.send('queue/jobs', payload, { priority })
    }
    await bench.publish('queue/jobs', 'f')
    expect(bench.consumer('a', 'queue/jobs').got).toEqual(['b', 'd', 'c', 'e', 'a', 'f'])
  })

  it('hold for what comes back', async () => {
    const bench = await Bench.open({ prefetch: 1 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.send('queue/jobs', 'low', {})
    await bench.send('queue/jobs', 'high', { priority: '1' })
    bench.disconnect(a)
    expect(bench.consumer('b', 'queue/jobs').got).toEqual(['high'])
  })

  it('outlive a restart, with ids that no other message of the queue has', async () => {
    const store = await memory()
    const before = await Bench.open({}, store)
    for (const priority of ['0', '9', '0', '3']) await before.send('queue/jobs', priority, { priority })
    const bench = await Bench.open({}, store)
    const a = bench.consumer('a', 'queue/jobs')
    await expect.poll(() => a.got).toEqual(['9', '3', '0', '0'])
    const ids = bench.told('queue.delivered').map(({ id }) => id)
    expect(new Set(ids).size).toBe(4)
    for (const payload of ['9', '3', '0', '0']) a.acknowledge(payload)
    expect(store.queues.list()).toEqual([])
    expect(bench.told('queue.acknowledged').map(({ id }) => id)).toEqual(ids)
  })

  it.each(['10', '-1', '1.5', 'high', ''])('are a digit: %j is refused with 0x99', async (priority) => {
    const bench = await Bench.open()
    await expect(bench.send('queue/jobs', 'x', { priority })).rejects.toMatchObject({ code: 0x99 })
  })

  it('do not matter to a dead letter, nor does what else its producer asked for', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    const told = { priority: '9', group: 'g', 'dedup-id': 'x' }
    await bench.send('queue/jobs', '1', told)
    a.settle('1', 'refused', 0x99)
    await bench.send('queue/jobs', '2', { ...told, 'dedup-id': 'y', delay: '10' })
    bench.clock.advance(10)
    await expect.poll(() => a.holding).toEqual(['2'])
    a.settle('2', 'refused', 0x99)
    await bench.store.durable()
    expect(bench.consumer('doctor', 'queue/dead/jobs').got).toEqual(['1', '2'])
  })
})

describe('groups', () => {
  const inGroups = async (bench: Bench, ...payloads: string[]) => {
    for (const payload of payloads) await bench.send('queue/jobs', payload, { group: payload[0]! })
  }

  it('have one message at a time with consumers, in order; others go on beside them', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await inGroups(bench, 'x1', 'x2', 'y1', 'x3', 'y2')
    await bench.publish('queue/jobs', 'plain')
    expect([...a.holding, ...b.holding].sort()).toEqual(['plain', 'x1', 'y1'])
    a.acknowledge('x1')
    expect([...a.holding, ...b.holding].sort()).toEqual(['plain', 'x2', 'y1'])
  })

  it('keep their order while a message rests, times out, or is left behind', async () => {
    const bench = await Bench.open({ ackTimeout: 5000, backoff: { initial: 1000, max: 1000 } })
    const a = bench.consumer('a', 'queue/jobs')
    await inGroups(bench, 'x1', 'x2')
    a.settle('x1', 'refused', 0x80)
    bench.clock.advance(999)
    expect(a.got).toEqual(['x1'])
    bench.clock.advance(1)
    bench.clock.advance(5000)
    const b = bench.consumer('b', 'queue/jobs')
    bench.disconnect(a)
    expect([a.got, b.got]).toEqual([['x1', 'x1', 'x1'], ['x1']])
    b.acknowledge('x1')
    expect(b.got).toEqual(['x1', 'x2'])
  })

  it('go on when a message dies', async () => {
    const bench = await Bench.open({ maxDeliveries: 1 })
    const a = bench.consumer('a', 'queue/jobs')
    await inGroups(bench, 'x1', 'x2', 'x3')
    a.settle('x1', 'refused', 0x99)
    a.settle('x2', 'refused', 0x80)
    expect(a.holding).toEqual(['x3'])
  })

  it('keep their order over a restart', async () => {
    const store = await memory()
    const before = await Bench.open({}, store)
    before.consumer('a', 'queue/jobs')
    await inGroups(before, 'x1', 'x2', 'y1')
    const bench = await Bench.open({}, store)
    const b = bench.consumer('b', 'queue/jobs')
    await expect.poll(() => b.got).toEqual(['x1', 'y1'])
  })

  it('that stand still hold up what is within the look-ahead not at all, and what is beyond until they move', async () => {
    const bench = await Bench.open({ prefetch: 100 })
    const a = bench.consumer('a', 'queue/jobs')
    const message = (payload: string, group: string) => bench.send('queue/jobs', payload, { group })
    await message('stuck', 'x')
    await Promise.all(Array.from({ length: 9_999 }, (_, i) => message(`x${i}`, 'x')))
    await message('within', 'y')
    expect(a.got).toEqual(['stuck', 'within'])
    await message('last', 'x')
    await message('beyond', 'z')
    expect(a.got).toEqual(['stuck', 'within'])
    a.acknowledge('stuck')
    expect(a.got).toEqual(['stuck', 'within', 'x0', 'beyond'])
  })

  it('have a name', async () => {
    const bench = await Bench.open()
    await expect(bench.send('queue/jobs', 'x', { group: '' })).rejects.toMatchObject({ code: 0x99 })
  })
})
