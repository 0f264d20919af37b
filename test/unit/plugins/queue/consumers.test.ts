import { describe, expect, it } from 'vitest'
import { Bench, FakeClient } from './fakes.ts'

describe('a consumer', () => {
  it('is given nothing before it has its SUBACK', async () => {
    const bench = await Bench.open()
    await bench.publish('queue/jobs', '1')
    const a = new FakeClient('a')
    const granted = bench.grant(a, 'queue/jobs')
    expect(a.got).toEqual([])
    granted?.()
    expect(a.got).toEqual(['1'])
  })

  it('is given nothing when it is gone by the time of its SUBACK', async () => {
    const bench = await Bench.open()
    await bench.publish('queue/jobs', '1')
    const a = new FakeClient('a')
    const granted = bench.grant(a, 'queue/jobs')
    bench.engine.unsubscribe(a, 'queue/jobs')
    granted?.()
    const b = new FakeClient('b')
    const late = bench.grant(b, 'queue/jobs')
    b.connected = false
    late?.()
    expect([...a.got, ...b.got]).toEqual([])
  })

  it('that was restored is given nothing before it is attached', async () => {
    const bench = await Bench.open()
    await bench.publish('queue/jobs', '1')
    const a = new FakeClient('a')
    const rest = { identifier: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 as const }
    expect(bench.engine.subscribe(a, { filter: 'queue/jobs', qos: 1, ...rest }, true)).toBeUndefined()
    expect(a.got).toEqual([])
    bench.engine.attach(a)
    expect(a.got).toEqual(['1'])
  })

  it('that subscribes again keeps what it has, and gets the rest at the new QoS', async () => {
    const bench = await Bench.open({ prefetch: 2 })
    const a = bench.consumer('a', 'queue/jobs', 0)
    await bench.publish('queue/jobs', '1', '2', '3')
    bench.subscribe(a, 'queue/jobs', 1)
    expect(a.got).toEqual(['1', '2'])
    a.acknowledge('1')
    expect(a.has.map(({ qos }) => qos)).toEqual([0, 1])
  })

  it('with two subscriptions that match gets a message once', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    bench.subscribe(a, 'queue/#')
    await bench.publish('queue/jobs', '1', '2', '3', '4')
    expect(a.got).toEqual(['1', '2', '3', '4'])
  })
})

describe('a consumer with a wildcard', () => {
  it('consumes from every queue that matches, there already or to come', async () => {
    const bench = await Bench.open()
    await bench.publish('queue/eu/jobs', '1')
    const eu = bench.consumer('eu', 'queue/eu/+')
    await bench.publish('queue/eu/mail', '2')
    await bench.publish('queue/us/jobs', '3')
    expect(eu.got).toEqual(['1', '2'])
    expect(bench.consumer('all', 'queue/#').got).toEqual(['3'])
  })

  it('has one prefetch for all of them, and serves them in turn', async () => {
    const bench = await Bench.open({ prefetch: 2 })
    await bench.publish('queue/a', 'a1', 'a2', 'a3', 'a4')
    await bench.publish('queue/b', 'b1', 'b2', 'b3')
    const all = bench.consumer('all', 'queue/+')
    expect(all.got).toEqual(['a1', 'a2'])
    for (const next of ['a1', 'a2', 'a3', 'b1', 'a4', 'b2', 'b3']) all.acknowledge(next)
    expect(all.got).toEqual(['a1', 'a2', 'a3', 'b1', 'a4', 'b2', 'b3'])
  })

  it('gives up all of them when it unsubscribes', async () => {
    const bench = await Bench.open()
    const all = bench.consumer('all', 'queue/+')
    await bench.publish('queue/a', 'a1')
    bench.engine.unsubscribe(all, 'queue/+')
    await bench.publish('queue/a', 'a2')
    await bench.publish('queue/b', 'b1')
    expect(all.got).toEqual(['a1'])
    expect(bench.consumer('other', 'queue/a').got).toEqual(['a1', 'a2'])
  })
})
