import { describe, expect, it } from 'vitest'
import { Bench, FakeClient } from './fakes.ts'

describe('a message that is not acknowledged in time', () => {
  it('goes to another consumer', async () => {
    const bench = await Bench.open({ ackTimeout: 1000 })
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    bench.clock.advance(999)
    expect(b.got).toEqual([])
    bench.clock.advance(1)
    expect(a.got).toEqual(['1'])
    expect(b.got).toEqual(['1'])
    expect(bench.told('queue.redelivered')).toEqual([
      { queue: 'jobs', id: expect.any(Number), consumer: 'a', reason: 'timeout', deliveries: 1 },
    ])
  })

  it('goes to the same consumer again when there is no other, but not all at once', async () => {
    const bench = await Bench.open({ ackTimeout: 1000, prefetch: 3 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2', '3')
    bench.clock.advance(1000)
    expect(a.got).toEqual(['1', '2', '3', '1'])
    a.acknowledge('1')
    expect(a.got).toEqual(['1', '2', '3', '1', '2', '3'])
  })

  it('is removed by the late acknowledgement while nobody has it', async () => {
    const bench = await Bench.open({ ackTimeout: 1000, prefetch: 1 })
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    bench.clock.advance(500)
    await bench.publish('queue/jobs', '2')
    bench.clock.advance(500)
    a.acknowledge('1')
    b.acknowledge('2')
    expect(b.got).toEqual(['2'])
    expect(bench.stored('jobs')).toBe(0)
  })

  it('is not removed by the late acknowledgement when another has it', async () => {
    const bench = await Bench.open({ ackTimeout: 1000 })
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    bench.clock.advance(1000)
    a.acknowledge('1')
    expect(bench.stored('jobs')).toBe(1)
    b.acknowledge('1')
    expect(bench.stored('jobs')).toBe(0)
  })
})

describe('a message that is refused for now', () => {
  it.each([0x80, 0x83, 0x97])('comes back after its backoff, to another consumer (0x%x)', async (code) => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    a.settle('1', 'refused', code)
    bench.clock.advance(999)
    expect(b.got).toEqual([])
    bench.clock.advance(1001)
    expect(a.got).toEqual(['1'])
    expect(b.got).toEqual(['1'])
  })

  it('waits for another consumer that has no room now, and holds up nobody', async () => {
    const bench = await Bench.open({ prefetch: 1, backoff: { initial: 10, max: 10 } })
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    a.settle('1', 'refused', 0x97)
    bench.clock.advance(10)
    await bench.publish('queue/jobs', '3')
    expect(a.got).toEqual(['1', '3'])
    b.acknowledge('2')
    expect(b.got).toEqual(['2', '1'])
  })

  it('waits longer each time', async () => {
    const bench = await Bench.open({ backoff: { initial: 1000, max: 60_000 } })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    for (const [least, most] of [
      [1000, 2000],
      [2000, 4000],
      [4000, 8000],
    ] as const) {
      const before = a.got.length
      a.settle('1', 'refused', 0x80)
      bench.clock.advance(least - 1)
      expect(a.got).toHaveLength(before)
      bench.clock.advance(most - least + 1)
      expect(a.got).toHaveLength(before + 1)
    }
  })
})

describe('what a consumer has when it goes', () => {
  it('goes back to the front, in order, at once', async () => {
    const bench = await Bench.open({ prefetch: 3 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2', '3', '4')
    bench.disconnect(a)
    const b = bench.consumer('b', 'queue/jobs')
    expect(b.got).toEqual(['1', '2', '3'])
    b.acknowledge('1')
    expect(b.got).toEqual(['1', '2', '3', '4'])
  })

  it('goes to others at once, not to another subscription of its own', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    bench.subscribe(a, 'queue/#')
    await bench.publish('queue/jobs', '1', '2')
    const b = bench.consumer('b', 'queue/jobs')
    bench.disconnect(a)
    expect(a.got).toEqual(['1', '2'])
    expect(b.got).toEqual(['1', '2'])
  })

  it('goes back when it unsubscribes; its late acknowledgement counts', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    bench.engine.unsubscribe(a, 'queue/jobs')
    a.acknowledge('1')
    expect(bench.consumer('b', 'queue/jobs').got).toEqual(['2'])
  })

  it('counts as delivered', async () => {
    const bench = await Bench.open({ maxDeliveries: 2 })
    await bench.publish('queue/jobs', '1')
    bench.disconnect(bench.consumer('a', 'queue/jobs'))
    bench.disconnect(bench.consumer('b', 'queue/jobs'))
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ reason: 'max-deliveries', deliveries: 2 }])
  })

  it('waits for a QoS 2 consumer whose session goes on, however long', async () => {
    const bench = await Bench.open({ ackTimeout: 1000 })
    const a = new FakeClient('a')
    a.persistent = true
    bench.subscribe(a, 'queue/jobs', 2)
    await bench.publish('queue/jobs', '1')
    bench.disconnect(a)
    const b = bench.consumer('b', 'queue/jobs', 2)
    bench.clock.advance(100_000)
    expect(b.got).toEqual([])
    bench.connect(a)
    bench.clock.advance(999)
    a.acknowledge('1')
    expect(bench.stored('jobs')).toBe(0)
    expect(b.got).toEqual([])
  })

  it('goes to others when the QoS 2 session ends', async () => {
    const bench = await Bench.open()
    const a = new FakeClient('a')
    a.persistent = true
    bench.subscribe(a, 'queue/jobs', 2)
    await bench.publish('queue/jobs', '1')
    bench.disconnect(a)
    const b = bench.consumer('b', 'queue/jobs', 2)
    bench.disconnect(a, true)
    expect(b.got).toEqual(['1'])
  })

  it('has all of its time again when the QoS 2 consumer is back', async () => {
    const bench = await Bench.open({ ackTimeout: 1000 })
    const a = new FakeClient('a')
    a.persistent = true
    bench.subscribe(a, 'queue/jobs', 2)
    await bench.publish('queue/jobs', '1')
    bench.disconnect(a)
    bench.clock.advance(5000)
    bench.connect(a)
    const b = bench.consumer('b', 'queue/jobs', 2)
    bench.clock.advance(999)
    expect(b.got).toEqual([])
    bench.clock.advance(1)
    expect(b.got).toEqual(['1'])
  })
})
