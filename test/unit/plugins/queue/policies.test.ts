import { describe, expect, it } from 'vitest'
import { Policies } from '../../../../plugins/queue/policies.ts'
import { resolveConfig } from '../../../../src/config/load.ts'
import type { ConfigInput } from '../../../../src/config/schema.ts'
import { Bench } from './fakes.ts'

type PolicyInput = NonNullable<NonNullable<ConfigInput['queue']>['policies']>

const optionsOf = (policies: PolicyInput) => resolveConfig({ queue: { policies } }).queue
const matching = (filters: string[], name: string) =>
  new Policies(optionsOf(filters.map((match) => ({ match })))).entryFor(name)?.match ?? null

describe('the policy of a queue', () => {
  it.each([
    ['a/b/c', ['#', 'a/#', 'a/+/c', 'a/b/#', 'a/b/+', 'a/b/c'], 'a/b/c'],
    ['a/b/c', ['#', 'a/#', 'a/+/c', 'a/b/#', 'a/b/+'], 'a/b/+'],
    ['a/b/c', ['#', 'a/#', 'a/+/c', 'a/b/#'], 'a/b/#'],
    ['a/b/c', ['#', 'a/#', 'a/+/c'], 'a/+/c'],
    ['a/b/c', ['#', '+/b/c', 'a/#'], 'a/#'],
    ['a/b/c', ['#', 'b/#'], '#'],
    ['a/b/c', ['b/#', 'a'], null],
    ['a', ['#', 'a/#', 'a', '+'], 'a'],
    ['a', ['#', 'a/#', '+'], 'a/#'],
    ['$a', ['#'], '#'],
  ])('of %s among %j is %s: the most specific that matches, wherever it stands', (name, filters, expected) => {
    expect(matching(filters, name)).toBe(expected)
    expect(matching(filters.toReversed(), name)).toBe(expected)
  })

  it('is the defaults but for what it says', () => {
    const policies = new Policies(optionsOf([{ match: 'pay/#', maxDeliveries: 9, backoff: { max: '5m' } }]))
    const { policies: _, ...defaults } = optionsOf([])
    expect(policies.of('pay/eu')).toEqual({ ...defaults, maxDeliveries: 9, backoff: { initial: 1000, max: 300_000 } })
    expect(policies.of('orders')).toEqual(defaults)
  })

  it('is not what a policy for only some of its queues says, for a filter', () => {
    expect(matching(['pay/#'], 'pay/+')).toBe('pay/#')
    expect(matching(['pay/#'], '#')).toBe(null)
  })
})

describe('policies in the configuration', () => {
  it.each([
    [[{ match: 'a#' }], 'queue.policies[0].match: expected a filter over names of queues (# stands alone'],
    [[{ match: '' }], 'queue.policies[0].match: expected a filter over names of queues (this is empty)'],
    [[{ match: 'a' }, { match: 'a' }], 'queue.policies[1].match: expected a filter that no other policy has'],
    [[{ match: 'a', backoff: { max: '1ms' } }], 'queue.policies[0].backoff: expected a max no less than initial'],
    [[{ match: 'a', prefetch: 0 }], 'queue.policies[0].prefetch: expected a whole number from 1 to 65535, found 0'],
    [[{ match: 'a', deadLetter: '%q' }], 'queue.policies[0].deadLetter: expected the name of a queue'],
    [[{ match: 'a', deadLetter: 'a/#' }], 'queue.policies[0].deadLetter: expected the name of a queue'],
    [[{ match: 'a', ttl: 1 }], 'queue.policies[0].ttl: no such option'],
    [['a'], 'queue.policies[0]: expected a policy: match and what differs, found "a"'],
  ])('are checked: %j', (policies, problem) => {
    expect(() => optionsOf(policies as PolicyInput)).toThrow(problem)
  })
})

describe('queues with policies', () => {
  it('keep to their own', async () => {
    const bench = await Bench.open({ policies: [{ match: 'pay/#', maxDeliveries: 1, prefetch: 2 }] })
    const a = bench.consumer('a', 'queue/pay/eu')
    const b = bench.consumer('b', 'queue/orders')
    await bench.publish('queue/pay/eu', '1', '2', '3')
    await bench.publish('queue/orders', '1', '2', '3')
    expect([a.holding, b.holding]).toEqual([
      ['1', '2'],
      ['1', '2', '3'],
    ])
    a.settle('1', 'refused', 0x80)
    b.settle('1', 'refused', 0x80)
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ queue: 'pay/eu', reason: 'max-deliveries' }])
  })

  it('have another one at once when the options change', async () => {
    const bench = await Bench.open({ prefetch: 1, ackTimeout: 60_000 })
    const a = bench.consumer('a', 'queue/jobs')
    const b = bench.consumer('b', 'queue/jobs')
    await bench.publish('queue/jobs', '1', '2', '3')
    bench.clock.advance(1000)
    expect([a.got, b.got]).toEqual([['1'], ['2']])
    bench.engine.change({ ...bench.options, policies: [{ match: 'jobs', prefetch: 2, ackTimeout: 2000 }] })
    expect([a.got, b.got]).toEqual([['1', '3'], ['2']])
    bench.clock.advance(1000)
    expect(bench.told('queue.redelivered')).toMatchObject([{ reason: 'timeout' }, { reason: 'timeout' }])
  })

  it('are there without messages and consumers while a policy names them', async () => {
    const bench = await Bench.open({ policies: [{ match: 'jobs' }, { match: 'eu/#' }] })
    expect(bench.told('queue.created')).toEqual([{ queue: 'jobs' }])
    bench.disconnect(bench.consumer('a', 'queue/jobs'))
    expect(bench.told('queue.deleted')).toEqual([])
    bench.engine.change({ ...bench.options, policies: [{ match: 'others' }] })
    expect(bench.told('queue.created')).toEqual([{ queue: 'jobs' }, { queue: 'others' }])
    expect(bench.told('queue.deleted')).toEqual([{ queue: 'jobs' }])
  })

  it('give up at once what a lower limit says was delivered too often', async () => {
    const bench = await Bench.open({ maxDeliveries: 5, backoff: { initial: 10, max: 10 } })
    const a = bench.consumer('a', 'queue/jobs')
    await bench.publish('queue/jobs', '1')
    a.settle('1', 'refused', 0x80)
    bench.clock.advance(10)
    a.settle('1', 'refused', 0x80)
    bench.engine.change({ ...bench.options, maxDeliveries: 2 })
    bench.clock.advance(10)
    expect(bench.told('queue.dead-lettered')).toMatchObject([{ reason: 'max-deliveries', deliveries: 2 }])
  })
})
