import { describe, expect, it } from 'vitest'
import { Bench, FakeClient } from './fakes.ts'

describe('an exclusive consumer', () => {
  it('has everything while it is there; the next in order of subscription takes over at once', async () => {
    const bench = await Bench.open({ exclusive: 'consumer', prefetch: 2 })
    const [a, b, c] = ['a', 'b', 'c'].map((name) => bench.consumer(name, 'queue/jobs')) as [
      FakeClient,
      FakeClient,
      FakeClient,
    ]
    await bench.publish('queue/jobs', '1', '2', '3')
    a.acknowledge('1')
    expect([a.got, b.got, c.got]).toEqual([['1', '2', '3'], [], []])
    bench.disconnect(a)
    expect([b.got, c.got]).toEqual([['2', '3'], []])
    bench.engine.unsubscribe(b, 'queue/jobs')
    expect(c.got).toEqual(['2', '3'])
  })

  it('gets what it refused again, although others stand by', async () => {
    const bench = await Bench.open({ exclusive: 'consumer', backoff: { initial: 10, max: 10 } })
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    a.settle('1', 'refused', 0x80)
    bench.clock.advance(10)
    expect([a.got, b.got]).toEqual([['1', '1'], []])
  })

  it('that comes back stands behind who is served then', async () => {
    const bench = await Bench.open({ exclusive: 'consumer' })
    const a = new FakeClient('a')
    a.persistent = true
    bench.subscribe(a, 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    bench.disconnect(a, false)
    bench.connect(a)
    await bench.publish('queue/jobs', '1')
    expect([a.got, b.got]).toEqual([[], ['1']])
    bench.disconnect(b)
    expect(a.got).toEqual(['1'])
  })

  it('begins and ends with the policy', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    bench.engine.change({ ...bench.options, exclusive: 'consumer' })
    await bench.publish('queue/jobs', '1', '2')
    bench.engine.change({ ...bench.options, exclusive: 'none' })
    await bench.publish('queue/jobs', '3', '4')
    expect([a.got.length, b.got.length]).toEqual([3, 1])
  })
})

describe('an exclusive producer', () => {
  const from = async (bench: Bench, clientId: string, payload: string) => {
    const { topic, payload: bytes } = bench.message('queue/jobs', payload)
    await bench.engine.accept(bench.messageFrom(clientId, topic, bytes))
  }

  it('is the first client that publishes, until its connection ends; others are refused with 0x97', async () => {
    const bench = await Bench.open({ exclusive: 'producer' })
    const [a, b] = [new FakeClient('a'), new FakeClient('b')]
    for (const client of [a, b]) bench.sessions.set(client.clientId, client)
    await from(bench, 'a', '1')
    await expect(from(bench, 'b', '2')).rejects.toMatchObject({ code: 0x97 })
    await from(bench, 'a', '3')
    a.connected = false
    await from(bench, 'b', '4')
    a.connected = true
    await expect(from(bench, 'a', '5')).rejects.toMatchObject({ code: 0x97 })
    expect(bench.consumer('c', 'queue/jobs').got).toEqual(['1', '3', '4'])
  })

  it('is over when its session is another', async () => {
    const bench = await Bench.open({ exclusive: 'both' })
    bench.sessions.set('a', new FakeClient('a')).set('b', new FakeClient('b'))
    await from(bench, 'a', '1')
    bench.sessions.set('a', new FakeClient('a'))
    await from(bench, 'b', '2')
    expect(bench.consumer('c', 'queue/jobs').got).toEqual(['1', '2'])
  })

  it('is no broker: what that publishes passes while there is no producer', async () => {
    const bench = await Bench.open({ exclusive: 'producer' })
    bench.sessions.set('a', new FakeClient('a'))
    await from(bench, '', '1')
    await from(bench, 'a', '2')
    await expect(from(bench, '', '3')).rejects.toMatchObject({ code: 0x97 })
  })
})
