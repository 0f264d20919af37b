import { describe, expect, it } from 'vitest'
import { Message, userProperties } from '../../../../src/plugin.ts'
import { Bench } from './fakes.ts'

const SOON = { initial: 10, max: 10 }

describe('a dead letter', () => {
  it.each([0x87, 0x90, 0x99])('is made at once of a message that its consumer rejects (0x%x)', async (code) => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    a.settle('1', 'refused', code)
    expect(bench.told('queue.dead-lettered')).toEqual([
      { queue: 'jobs', id: expect.any(Number), deadLetterQueue: 'dead/jobs', reason: 'rejected', deliveries: 1 },
    ])
    expect([bench.stored('jobs'), bench.stored('dead/jobs')]).toEqual([0, 1])
  })

  it('is made of a message that was delivered too often', async () => {
    const bench = await Bench.open({ maxDeliveries: 3, backoff: SOON })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    for (let i = 0; i < 3; i++) {
      a.settle('1', 'refused', 0x80)
      bench.clock.advance(10)
    }
    expect(a.got).toEqual(['1', '1', '1'])
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ reason: 'max-deliveries', deliveries: 3 }])
  })

  it('is not made of a message because it is too large for one consumer: another may take it', async () => {
    const bench = await Bench.open({ maxDeliveries: 2, backoff: SOON })
    const small = bench.consumer('small', 'queue/jobs')
    const large = bench.consumer('large', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    small.settle('1', 'undeliverable', 0x95)
    bench.clock.advance(10)
    expect(large.got).toEqual(['1'])
    large.settle('1', 'undeliverable', 0x95)
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ reason: 'max-deliveries', deliveries: 2 }])
  })

  it('is made of a message whose time was up, if the policy says so', async () => {
    const bench = await Bench.open({ policies: [{ match: 'pay', expired: 'dead-letter' }] })
    for (const name of ['pay', 'jobs']) {
      await bench.engine.accept(bench.message(`queue/${name}`, '1', bench.clock.now() + 1000))
    }
    bench.clock.advance(1000)
    bench.consumer('a', 'queue/pay')
    bench.consumer('b', 'queue/jobs')
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ queue: 'pay', reason: 'expired', deliveries: 0 }])
    expect(bench.told('queue.expired')).toMatchObject([{ queue: 'jobs' }])
    expect([bench.stored('pay'), bench.stored('dead/pay')]).toEqual([0, 1])
  })

  it('goes to the queue that the policy names, where nothing is given up any more', async () => {
    const bench = await Bench.open({
      maxDeliveries: 1,
      backoff: SOON,
      policies: [
        { match: 'pay/#', deadLetter: 'morgue' },
        { match: 'eu/#', deadLetter: 'graves/%q' },
      ],
    })
    const a = bench.consumer('a', 'queue/#')
    await bench.publish('queue/pay/x', '1')
    a.settle('1', 'refused', 0x80)
    await bench.store.durable()
    await bench.publish('queue/eu/y', '2')
    a.settle('2', 'refused', 0x80)
    await bench.store.durable()
    expect([bench.stored('morgue'), bench.stored('graves/eu/y')]).toEqual([1, 1])
    for (const payload of ['1', '2']) a.settle(payload, 'refused', 0x99)
    bench.clock.advance(10)
    expect(a.holding).toEqual(['1', '2'])
    expect(bench.told('queue.dead-lettered')).toHaveLength(2)
  })

  it('is dropped where the policy wants none', async () => {
    const bench = await Bench.open({ deadLetter: null, expired: 'dead-letter' })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    a.settle('1', 'refused', 0x99)
    expect(bench.told('queue.dropped')).toEqual([{ queue: 'jobs', id: expect.any(Number), reason: 'rejected' }])
    expect(bench.store.queues.list()).toEqual([])
  })

  it('is the message as it was, on its own topic, with what became of it; it does not expire', async () => {
    const bench = await Bench.open()
    const a = bench.consumer('a', 'queue/eu/jobs')
    const own = userProperties([['trace', '42']])
    const { topic, payload } = bench.message('queue/eu/jobs', '1')
    const expiresAt = bench.clock.now() + 1000
    await bench.engine.accept(Message.of({ topic, payload, properties: own, qos: 2, from: 'p', expiresAt }))
    a.settle('1', 'refused', 0x99)
    await bench.store.durable()
    bench.clock.advance(100_000)
    const { message } = bench.consumer('doctor', 'queue/dead/eu/jobs').has[0]!
    const told = userProperties([
      ['eventflow-dead-reason', 'rejected'],
      ['eventflow-dead-from', 'eu/jobs'],
      ['eventflow-dead-deliveries', '1'],
    ])
    expect(message).toMatchObject({ topic: 'queue/dead/eu/jobs', qos: 2, from: 'p', expiresAt: 0 })
    expect(message.payload.toString()).toBe('1')
    expect(message.properties).toEqual(Buffer.concat([own, told]))
  })

  it('is delivered without end, whatever its consumers do', async () => {
    const bench = await Bench.open({ maxDeliveries: 1, backoff: SOON })
    const doctor = bench.consumer('doctor', 'queue/dead/jobs')
    await bench.publish('queue/dead/jobs', '1')
    for (const code of [0x80, 0x99, 0x87]) {
      doctor.settle('1', 'refused', code)
      bench.clock.advance(10)
    }
    doctor.settle('1', 'undeliverable', 0x95)
    bench.clock.advance(10)
    expect(doctor.got).toEqual(['1', '1', '1', '1', '1'])
    expect(bench.told('queue.dead-lettered')).toEqual([])
    doctor.acknowledge('1')
    expect(bench.stored('dead/jobs')).toBe(0)
  })
})
