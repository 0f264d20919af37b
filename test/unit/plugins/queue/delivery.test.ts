import { describe, expect, it } from 'vitest'
import { Refusal, userProperties } from '../../../../src/plugin.ts'
import { until } from '../../../helpers/until.ts'
import { Bench, FakeClient } from './fakes.ts'

describe('a queue', () => {
  it('gives each message to one consumer, in turn', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2', '3', '4')
    expect(a.got).toEqual(['1', '3'])
    expect(b.got).toEqual(['2', '4'])
  })

  it('keeps messages until a consumer comes, and gives them in order', async () => {
    const bench = await Bench.open()
    await bench.publish('queue/jobs', '1', '2', '3')
    expect(bench.consumer('a', 'queue/jobs').got).toEqual(['1', '2', '3'])
  })

  it('removes an acknowledged message from the store', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    a.acknowledge('1')
    expect(bench.stored('jobs')).toBe(1)
    expect(bench.told('queue.acknowledged')).toEqual([{ queue: 'jobs', id: expect.any(Number), consumer: 'a' }])
  })

  it('gives a consumer no more than its prefetch, and the next when one is settled', async () => {
    const bench = await Bench.open({ prefetch: 2 })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2', '3')
    expect(a.got).toEqual(['1', '2'])
    a.acknowledge('1')
    expect(a.got).toEqual(['1', '2', '3'])
  })

  it('gives a consumer no more than its client takes at once', async () => {
    const bench = await Bench.open()
    const narrow = new FakeClient('narrow')
    narrow.outbox.window = 1
    bench.subscribe(narrow, 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2')
    expect(narrow.got).toEqual(['1'])
    expect(bench.consumer('wide', 'queue/jobs').got).toEqual(['2'])
  })

  it('gives a client no more than it takes at once over all of its subscriptions, and has them in turn', async () => {
    const bench = await Bench.open()
    const narrow = new FakeClient('narrow')
    narrow.outbox.window = 1
    for (const filter of ['queue/jobs', 'queue/mail']) bench.subscribe(narrow, filter)
    await bench.publish('queue/jobs', 'job 1', 'job 2', 'job 3')
    await bench.publish('queue/mail', 'mail 1', 'mail 2')
    expect(narrow.got).toEqual(['job 1'])
    const idle = bench.consumer('idle', 'queue/mail')
    expect(idle.got).toEqual(['mail 1', 'mail 2'])
    await bench.publish('queue/mail', 'mail 3')
    bench.disconnect(idle)
    for (let i = 0; i < 6; i++) narrow.acknowledge(narrow.holding[0]!)
    expect(narrow.got).toEqual(['job 1', 'job 2', 'mail 1', 'job 3', 'mail 2', 'mail 3'])
  })

  it('delivers at the highest QoS and with all identifiers where several subscriptions of a client match', async () => {
    const bench = await Bench.open()
    const a = new FakeClient('a')
    bench.subscribe(a, 'queue/#', 0, 7)
    bench.subscribe(a, 'queue/jobs', 2, 8)
    bench.subscribe(a, 'queue/+', 1)
    await bench.publish('queue/jobs', '1', '2', '3')
    await bench.publish('queue/eu/jobs', '4')
    const given = () => a.has.map(({ qos, identifiers }) => [qos, identifiers])
    const all = [2, [7, 8]]
    expect(given()).toEqual([all, all, all, [0, [7]]])
    bench.engine.unsubscribe(a, 'queue/jobs')
    await bench.publish('queue/jobs', '5')
    expect(given().at(-1)).toEqual([1, [7]])
  })

  it('gives a client what an unsubscription makes room for', async () => {
    const bench = await Bench.open()
    const narrow = new FakeClient('narrow')
    narrow.outbox.window = 1
    for (const filter of ['queue/jobs', 'queue/mail']) bench.subscribe(narrow, filter)
    await bench.publish('queue/jobs', 'job')
    await bench.publish('queue/mail', 'mail')
    bench.engine.unsubscribe(narrow, 'queue/jobs')
    expect(narrow.got).toEqual(['job', 'mail'])
  })

  it("delivers at the QoS that the consumer's subscription was granted, without the retain flag", async () => {
    const bench = await Bench.open()
    const a = new FakeClient('a')
    bench.subscribe(a, 'queue/eu/jobs', 2, 7)
    await bench.publish('queue/eu/jobs', '1')
    expect(a.has[0]).toMatchObject({ qos: 2, retain: false, identifiers: [7], properties: null })
    expect(a.has[0]!.message.topic).toBe('queue/eu/jobs')
  })

  it('gives an MQTT 5.0 consumer the queue, the id and the time, and later the number of deliveries', async () => {
    const bench = await Bench.open({ backoff: { initial: 10, max: 10 } })
    const a = new FakeClient('a')
    a.protocolVersion = 5
    bench.subscribe(a, 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    const { id } = bench.told('queue.delivered')[0]!
    const properties: Array<[string, string]> = [
      ['eventflow-queue', 'jobs'],
      ['eventflow-enqueued-at', '2026-03-01T12:00:00.000Z'],
      ['eventflow-id', String(id)],
    ]
    expect(a.has[0]!.properties).toEqual(userProperties(properties))
    a.settle('1', 'refused', 0x97)
    bench.clock.advance(10)
    expect(a.has[0]!.properties).toEqual(userProperties([...properties, ['eventflow-deliveries', '2']]))
  })

  it('discards a message whose time is up when its turn comes', async () => {
    const bench = await Bench.open()
    await bench.engine.accept(bench.message('queue/jobs', 'old', bench.clock.now() + 100))
    await bench.publish('queue/jobs', 'new')
    bench.clock.advance(100)
    expect(bench.consumer('a', 'queue/jobs').got).toEqual(['new'])
    expect(bench.told('queue.expired')).toHaveLength(1)
    expect(bench.stored('jobs')).toBe(1)
  })

  it('discards it also where nobody comes, and what is behind it on disk when that is first', async () => {
    const bench = await Bench.open({ maxLength: 500 })
    const expiresAt = bench.clock.now() + 100
    const accept = (payload: string, at: number) => bench.engine.accept(bench.message('queue/jobs', payload, at))
    for (let i = 0; i < 300; i++) await accept(`${i}`, expiresAt)
    await accept('lasting', 0)
    for (let i = 0; i < 199; i++) await accept(`${i}`, expiresAt)
    expect(() => accept('one too many', 0)).toThrow(expect.objectContaining({ code: 0x97 }))
    bench.clock.advance(100)
    await until('those before the lasting one are gone', () => bench.stored('jobs') === 200)
    expect(bench.told('queue.expired')).toHaveLength(300)
    await accept('there is room', 0)
    expect(bench.consumer('a', 'queue/jobs').got).toEqual(['lasting'])
    await until('the others are read', () => bench.stored('jobs') === 2)
  })

  it('discards it also when it has waited since before a restart, paused or not', async () => {
    const before = await Bench.open()
    const expiresAt = before.clock.now() + 100
    const topics = ['queue/jobs', ...Array.from({ length: 250 }, () => 'queue/paused')]
    for (const topic of topics) await before.engine.accept(before.message(topic, '1', expiresAt))
    await before.control.pause('paused')
    before.engine.stop()
    const bench = await Bench.open({}, before.store)
    await until('it was looked at', () => bench.clock.pending >= 2)
    expect(bench.told('queue.expired')).toEqual([])
    bench.clock.advance(100)
    await until('all are gone', () => bench.stored('jobs') + bench.stored('paused') === 0)
    expect(bench.told('queue.expired')).toHaveLength(topics.length)
  })

  it('discards it also when all before it were read since a restart and none of them expires', async () => {
    const options = { maxLength: 3, overflow: 'drop-oldest', deadLetter: null } as const
    const before = await Bench.open(options)
    const expiresAt = before.clock.now() + 100
    for (const at of [0, expiresAt, 0]) await before.engine.accept(before.message('queue/jobs', '1', at))
    before.engine.stop()
    const bench = await Bench.open(options, before.store)
    await bench.publish('queue/jobs', 'new')
    await until('the first has given way', () => bench.told('queue.dropped').length === 1)
    bench.clock.advance(100)
    await until('what was behind it is gone', () => bench.stored('jobs') === 2)
    expect(bench.told('queue.expired')).toHaveLength(1)
  })

  it('has a name', async () => {
    const bench = await Bench.open()
    const a = new FakeClient('a')
    expect(() => bench.engine.accept(bench.message('queue/', '1'))).toThrow(Refusal)
    expect(() => bench.subscribe(a, 'queue/')).toThrow(Refusal)
    expect(() => bench.engine.accept(bench.message('queue/', '1'))).toThrow(expect.objectContaining({ code: 0x90 }))
    expect(() => bench.subscribe(a, 'queue/')).toThrow(expect.objectContaining({ code: 0x8f }))
  })
})

describe('the life of a queue', () => {
  it('is told from its first message to its last', async () => {
    const bench = await Bench.open()
    await bench.publish('queue/jobs', '1')
    const a = bench.consumer('a', 'queue/jobs')
    a.acknowledge('1')
    bench.engine.unsubscribe(a, 'queue/jobs')
    expect(bench.events.map(({ type }) => type)).toEqual([
      'queue.created',
      'queue.enqueued',
      'queue.consumer-added',
      'queue.delivered',
      'queue.acknowledged',
      'queue.emptied',
      'queue.consumer-removed',
      'queue.deleted',
    ])
    expect(bench.told('queue.enqueued')[0]).toMatchObject({ queue: 'jobs', clientId: 'publisher', qos: 1, bytes: 1 })
  })

  it('goes on while a consumer names it, and ends a while after when only wildcards match it', async () => {
    const bench = await Bench.open()
    const named = bench.consumer('named', 'queue/jobs')
    const all = bench.consumer('all', 'queue/#')
    await bench.publish('queue/jobs', '1')
    named.acknowledge('1')
    bench.clock.advance(60_000)
    expect(bench.told('queue.deleted')).toEqual([])
    bench.disconnect(named)
    await bench.publish('queue/jobs', '2')
    all.acknowledge('2')
    expect(bench.told('queue.deleted')).toEqual([])
    bench.clock.advance(60_000)
    expect(bench.told('queue.deleted')).toEqual([{ queue: 'jobs' }])
    await bench.publish('queue/jobs', '3')
    expect(all.holding).toEqual(['3'])
  })
})
