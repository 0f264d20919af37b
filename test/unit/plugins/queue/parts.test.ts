import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backlog } from '../../../../plugins/queue/rules/backlog.ts'
import { backoffDelay } from '../../../../plugins/queue/rules/backoff.ts'
import { Budget } from '../../../../plugins/queue/rules/budget.ts'
import { Entry } from '../../../../plugins/queue/rules/consumer.ts'
import { IdList } from '../../../../plugins/queue/rules/id-list.ts'
import { Resting } from '../../../../plugins/queue/rules/resting.ts'
import { Message } from '../../../../src/plugin.ts'

const entry = (id: number): Entry => new Entry(id, Message.of({ topic: 'queue/q', payload: Buffer.alloc(0) }), 0, null)

describe('backoff', () => {
  const backoff = { initial: 1000, max: 60_000 }

  it('doubles, within its limits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(), (deliveries, id) => {
        const delay = backoffDelay(backoff, deliveries, id)
        expect(delay).toBeGreaterThanOrEqual(Math.min(1000 * 2 ** (deliveries - 1), 30_000))
        expect(delay).toBeLessThanOrEqual(Math.min(1000 * 2 ** deliveries, 60_000))
      }),
    )
  })

  it('scatters messages that were refused together', () => {
    const delays = new Set(Array.from({ length: 100 }, (_, id) => backoffDelay(backoff, 1, id)))
    expect(delays.size).toBeGreaterThan(80)
  })

  it('can be none', () => {
    expect(backoffDelay({ initial: 0, max: 0 }, 3, 1)).toBe(0)
    expect(backoffDelay({ initial: 500, max: 500 }, 3, 1)).toBe(500)
  })
})

describe('an id list', () => {
  it('gives entries in order of their ids, whatever the order they came in, without those that are gone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(5000), { size: 'max', maxLength: 3000 }), fc.nat(5), (ids, every) => {
        const list = new IdList<Entry>()
        const entries = ids.map(entry)
        for (const one of entries) list.push(one)
        for (const [i, one] of entries.entries()) one.gone = i % (every + 1) === 1
        const taken: number[] = []
        while (list.firstId !== Infinity) taken.push(list.shift()!.id)
        const expected = entries.filter(({ gone }) => !gone).map(({ id }) => id)
        expect(taken).toEqual(expected.toSorted((a, b) => a - b))
      }),
    )
  })
})

describe('resting entries', () => {
  it('come when they are due, in that order, without those that left before', () => {
    const times = fc.array(fc.nat(1000), { size: 'max', maxLength: 300 })
    fc.assert(
      fc.property(times, fc.nat(1000), fc.nat(5), (times, now, every) => {
        const resting = new Resting()
        const entries = times.map((dueAt, id) => Object.assign(entry(id), { dueAt }))
        for (const one of entries) resting.push(one)
        const stay = entries.filter(({ id }) => id % (every + 1) !== 1 || resting.take(id) === undefined)
        const taken: Entry[] = []
        for (let due = resting.takeDue(now); due !== null; due = resting.takeDue(now)) taken.push(due)
        const due = stay.filter(({ dueAt }) => dueAt <= now)
        expect(taken).toEqual(due.toSorted((a, b) => a.dueAt - b.dueAt || a.id - b.id))
        expect(resting.length).toBe(stay.length - taken.length)
      }),
    )
  })
})

describe('a backlog', () => {
  it('reads large messages a few at a time, small ones by the thousand', () => {
    const backlog = new Backlog(0, new Budget())
    backlog.restore(10_000, 1, 10_001)
    for (let id = 1; id <= 100; id++) backlog.take(id, 500_000)
    expect(backlog.beginRead()).toBeLessThanOrEqual(3)
    for (let id = 101; id <= 200; id++) backlog.take(id, 200)
    expect(backlog.beginRead()).toBe(4000)
  })

  it('forgets messages that the log does not have after all', () => {
    const backlog = new Backlog(0, new Budget())
    backlog.restore(3, 1, 4)
    backlog.beginRead()
    expect(backlog.endRead()).toBe(3)
    expect(backlog.length).toBe(0)
  })

  it('does not mistake messages committed while it read for such', () => {
    const backlog = new Backlog(0, new Budget())
    backlog.restore(3, 1, 4)
    backlog.beginRead()
    backlog.left(4)
    expect(backlog.endRead()).toBe(0)
    expect(backlog.length).toBe(4)
  })

  it('passes over what was taken out of it, however much of it there is', () => {
    const backlog = new Backlog(0, new Budget())
    backlog.restore(3, 1, 4)
    for (const id of [2, 3]) expect([backlog.extract(id), backlog.extract(id)]).toEqual([true, false])
    backlog.left(4)
    backlog.beginRead()
    expect([1, 2, 3, 4].filter((id) => backlog.take(id, 100))).toEqual([1, 4])
    expect([backlog.endRead(), backlog.length]).toEqual([0, 0])
  })

  it('reads on behind what was taken out when that was all', () => {
    const backlog = new Backlog(0, new Budget())
    backlog.restore(2, 1, 3)
    for (const id of [2, 1]) backlog.extract(id)
    expect(backlog.nextId).toBe(3)
    backlog.left(3)
    backlog.beginRead()
    backlog.extract(3)
    expect([backlog.nextId, backlog.endRead(), backlog.nextId]).toEqual([3, 0, 4])
  })

  it('clears all but what was taken out', () => {
    const backlog = new Backlog(0, new Budget())
    backlog.restore(5, 1, 8)
    for (const id of [1, 4, 5]) backlog.extract(id)
    expect(backlog.clear()).toEqual([
      [2, 4],
      [6, 8],
    ])
    expect([backlog.length, backlog.nextId, backlog.clear()]).toEqual([0, 8, []])
  })
})
