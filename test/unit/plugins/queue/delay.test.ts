import { describe, expect, it } from 'vitest'
import { openStore } from '../../../../src/store/open.ts'
import { Bench } from './fakes.ts'

const memory = () => openStore({ kind: 'memory', path: '', onFault: () => {} })

describe('a delayed message', () => {
  it('is delivered when its delay is over, not before', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.send('queue/jobs', 'later', { delay: '5000' })
    await bench.publish('queue/jobs', 'now')
    bench.clock.advance(4999)
    await bench.store.durable()
    expect(a.got).toEqual(['now'])
    bench.clock.advance(1)
    await expect.poll(() => a.got).toEqual(['now', 'later'])
    expect(bench.told('queue.delayed')).toMatchObject([{ queue: 'jobs', dueAt: '2026-03-01T12:00:05.000Z' }])
    expect(bench.told('queue.enqueued')).toHaveLength(2)
    a.acknowledge('now', 'later')
    expect(bench.store.queues.list()).toEqual([])
  })

  it('takes its place by priority, and those due at different times come in the order of these', async () => {
    const bench = await Bench.open()
    for (const [payload, delay, priority] of [
      ['c', '300', '0'],
      ['a', '100', '0'],
      ['top', '400', '5'],
      ['b', '200', '0'],
    ] as const) {
      await bench.send('queue/jobs', payload, { delay, priority })
    }
    bench.clock.advance(400)
    await expect.poll(() => bench.told('queue.enqueued')).toHaveLength(4)
    expect(bench.consumer('a', 'queue/jobs').got).toEqual(['top', 'a', 'b', 'c'])
  })

  it('outlives a restart, with the time that is left of its delay', async () => {
    const store = await memory()
    const before = await Bench.open({}, store)
    for (const delay of ['1000', '2000']) await before.send('queue/jobs', delay, { delay })
    before.clock.advance(500)
    before.engine.stop()
    const bench = await Bench.open({}, store)
    const a = bench.consumer('a', 'queue/jobs')
    await expect.poll(() => bench.clock.pending).toBeGreaterThan(0)
    bench.clock.advance(1000)
    await expect.poll(() => a.got).toEqual(['1000'])
    bench.clock.advance(1000)
    await expect.poll(() => a.got).toEqual(['1000', '2000'])
  })

  it('counts as one of the queue, and keeps it from being forgotten', async () => {
    const bench = await Bench.open({ maxLength: 1 })
    await bench.send('queue/jobs', 'later', { delay: '5000' })
    await expect(bench.publish('queue/jobs', 'now')).rejects.toMatchObject({ code: 0x97 })
    expect(bench.told('queue.deleted')).toEqual([])
  })

  it.each(['-1', '1.5', '1e3', 'soon', '', '315360000001'])('has a delay in milliseconds: not %j', async (delay) => {
    const bench = await Bench.open()
    await expect(bench.send('queue/jobs', 'x', { delay })).rejects.toMatchObject({ code: 0x99 })
  })
})

describe('a message with a dedup-id', () => {
  it('is acknowledged, and not stored, when the queue had one with that id', async () => {
    const bench = await Bench.open()
    for (const payload of ['1', '2', '3'])
      await bench.send('queue/jobs', payload, { 'dedup-id': payload === '3' ? 'b' : 'a' })
    await bench.send('queue/others', '4', { 'dedup-id': 'a' })
    expect(bench.consumer('a', 'queue/#').got).toEqual(['1', '3', '4'])
  })

  it('may have a long one: what is remembered of it, over a restart too, is short', async () => {
    const store = await memory()
    const long = 'x'.repeat(60_000)
    const before = await Bench.open({}, store)
    for (const id of [long, `${long}y`, long]) await before.send('queue/jobs', id, { 'dedup-id': id })
    const kept = await store.queues.read('jobs#dedup', 0, 10)
    expect(kept.map(({ message }) => message.payloadLength)).toEqual([45, 45])
    before.engine.stop()
    const bench = await Bench.open({}, store)
    await bench.send('queue/jobs', 'again', { 'dedup-id': `${long}y` })
    expect(bench.stored('jobs')).toBe(2)
  })

  it('is not stored again after the first was consumed, until the window is over', async () => {
    const bench = await Bench.open({ dedupWindow: 1000 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.send('queue/jobs', '1', { 'dedup-id': 'a' })
    a.acknowledge('1')
    bench.clock.advance(999)
    await bench.send('queue/jobs', '2', { 'dedup-id': 'a' })
    bench.clock.advance(1)
    await bench.send('queue/jobs', '3', { 'dedup-id': 'a' })
    expect(a.got).toEqual(['1', '3'])
  })

  it('is known after a restart', async () => {
    const store = await memory()
    await (await Bench.open({}, store)).send('queue/jobs', '1', { 'dedup-id': 'a' })
    const bench = await Bench.open({}, store)
    await bench.send('queue/jobs', '2', { 'dedup-id': 'a' })
    const a = bench.consumer('a', 'queue/jobs')
    await expect.poll(() => a.got).toEqual(['1'])
  })

  it('leaves nothing behind when the window is over', async () => {
    const bench = await Bench.open({ dedupWindow: 1000 })
    await bench.send('queue/jobs', '1', { 'dedup-id': 'a' })
    const a = bench.consumer('a', 'queue/jobs')
    a.acknowledge('1')
    bench.disconnect(a)
    expect(bench.told('queue.deleted')).toEqual([])
    bench.clock.advance(1000)
    expect(bench.told('queue.deleted')).toEqual([{ queue: 'jobs' }])
    expect(bench.store.queues.list()).toEqual([])
  })

  it('may come again when the queue was full the first time', async () => {
    const bench = await Bench.open({ maxLength: 1 })
    await bench.publish('queue/jobs', '1')
    await expect(bench.send('queue/jobs', '2', { 'dedup-id': 'a' })).rejects.toMatchObject({ code: 0x97 })
    const a = bench.consumer('a', 'queue/jobs')
    a.acknowledge('1')
    await bench.send('queue/jobs', '2', { 'dedup-id': 'a' })
    expect(a.got).toEqual(['1', '2'])
  })
})
