/** What the benchmark makes of what it saw: histogram, statistics, ledger. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Histogram } from '../../../src/bench/histogram.ts'
import { Ledger } from '../../../src/bench/load/ledger.ts'
import { spreadOf } from '../../../src/bench/statistics.ts'

describe('a histogram', () => {
  const value = fc.oneof(fc.nat(200), fc.nat(100_000), fc.integer({ min: 0, max: 2 ** 32 - 1 }))

  it('has each percentile within 0.8 % of the exact one, and the largest value exactly', () => {
    const percentile = fc.constantFrom(0.001, 0.5, 0.99, 0.999, 1)
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), percentile, (values, part) => {
        const histogram = new Histogram()
        for (const one of values) histogram.record(one)
        const exact = [...values].sort((a, b) => a - b)[Math.max(1, Math.ceil(part * values.length)) - 1]!
        expect(Math.abs(histogram.percentile(part) - exact)).toBeLessThanOrEqual(exact * 0.008)
        expect(histogram.max).toBe(Math.max(...values))
        expect(histogram.count).toBe(values.length)
      }),
    )
  })

  it('is exact below 128', () => {
    for (let one = 0; one < 128; one++) {
      const histogram = new Histogram()
      histogram.record(one)
      histogram.record(4_000_000_000)
      expect(histogram.percentile(0.5)).toBe(one)
    }
  })

  it('has 0 for everything while it is empty', () => {
    const { count, max } = new Histogram()
    expect({ count, max, p99: new Histogram().percentile(0.99) }).toEqual({ count: 0, max: 0, p99: 0 })
  })
})

it.each([
  [[3], { median: 3, min: 3, max: 3 }],
  [[9, 1, 5], { median: 5, min: 1, max: 9 }],
  [[4, 1, 2, 9], { median: 3, min: 1, max: 9 }],
])('%j has its median and spread', (values, expected) => expect(spreadOf(values)).toEqual(expected))

describe('the ledger', () => {
  it('knows what is missing, whatever the order, until each has come', () => {
    const ledger = new Ledger(2, 1)
    ledger.send(0, 3)
    ledger.send(1, 1)
    for (const [publisher, sequence] of [
      [0, 2],
      [1, 0],
      [0, 0],
    ] as const) {
      expect(ledger.deliver(publisher, 0, sequence)).toBe(true)
    }
    expect(ledger.missing).toBe(1)
    ledger.deliver(0, 0, 1)
    expect(ledger.missing).toBe(0)
    expect(ledger.duplicates).toBe(0)
  })

  it('counts a duplicate once, and not as delivered', () => {
    const ledger = new Ledger(1, 1)
    ledger.send(0, 2)
    ledger.deliver(0, 0, 0)
    expect(ledger.deliver(0, 0, 0)).toBe(false)
    const { duplicates, totalDelivered, missing } = ledger
    expect({ duplicates, totalDelivered, missing }).toEqual({ duplicates: 1, totalDelivered: 1, missing: 1 })
  })

  it('keeps the copies of a fan-out apart', () => {
    const ledger = new Ledger(1, 3)
    ledger.send(0, 1)
    for (const reader of [0, 1]) ledger.deliver(0, reader, 0)
    ledger.deliver(0, 1, 0)
    const { duplicates, missing } = ledger
    expect({ duplicates, missing }).toEqual({ duplicates: 1, missing: 1 })
  })

  it('counts what was never sent as a stray', () => {
    const ledger = new Ledger(1, 1)
    ledger.send(0, 1)
    ledger.deliver(0, 0, 1)
    ledger.deliver(7, 0, 0)
    expect({ strays: ledger.strays, missing: ledger.missing }).toEqual({ strays: 2, missing: 1 })
  })

  it('holds a million messages of one stream', () => {
    const ledger = new Ledger(1, 1)
    ledger.send(0, 1_000_000)
    for (let sequence = 999_999; sequence >= 0; sequence--) ledger.deliver(0, 0, sequence)
    expect(ledger.missing).toBe(0)
    expect(ledger.deliver(0, 0, 500_000)).toBe(false)
  })
})
