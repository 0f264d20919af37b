import { describe, expect, it } from 'vitest'
import { SlowDown } from '../../../src/kernel/slow-down.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const ADDRESS = '10.0.0.7:50412'
const LIMITS = { after: 3, initialMs: 1_000, maxMs: 60_000 }

function make(limits = LIMITS) {
  const clock = new FakeClock()
  return { clock, slowDown: new SlowDown(limits, clock) }
}

/** Try, and fail, as soon as one is heard, so many times; returns how long each failure cost. */
function fail({ clock, slowDown }: ReturnType<typeof make>, times: number, user = 'ada', address = ADDRESS): number[] {
  return Array.from({ length: times }, () => {
    const waitMs = slowDown.hear(address, user)
    clock.advance(waitMs)
    if (waitMs > 0) expect(slowDown.hear(address, user)).toBe(0)
    return slowDown.failed(address, user)
  })
}

describe('failures from one address', () => {
  it('cost nothing at first, then twice as much each, up to a limit', () => {
    const costs = [0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    expect(fail(make(), 11)).toEqual(costs)
  })

  it('keep everybody else out who comes from there meanwhile, by whatever port', () => {
    const parts = make()
    fail(parts, 4)
    expect(parts.slowDown.hear('10.0.0.7:1', 'bob')).toBe(1_000)
    expect(parts.slowDown.hear('10.0.0.7:1', null)).toBe(1_000)
    expect(parts.slowDown.hear('10.0.0.8:1', 'bob')).toBe(0)
    parts.clock.advance(400)
    expect(parts.slowDown.hear('10.0.0.7:1', 'bob')).toBe(600)
  })

  it('let one try at a time from then on, not one for each connection', () => {
    const parts = make()
    fail(parts, 4)
    parts.clock.advance(1_000)
    const { slowDown } = parts
    expect(slowDown.hear(ADDRESS, 'ada')).toBe(0)
    expect(slowDown.hear(ADDRESS, 'bob')).toBe(2_000)
    slowDown.succeeded(ADDRESS, 'ada')
    expect(slowDown.hear(ADDRESS, 'bob')).toBe(0)
  })

  it('keep nobody out who came in from there before, whose own failures are counted apart', () => {
    const parts = make()
    parts.slowDown.succeeded(ADDRESS, 'device-7')
    fail(parts, 10)
    expect(parts.slowDown.hear(ADDRESS, 'device-7')).toBe(0)
    expect(fail(parts, 5, 'device-7')).toEqual([0, 0, 0, 1_000, 2_000])
  })

  it('are not undone by coming in as somebody else', () => {
    const parts = make()
    parts.slowDown.succeeded(ADDRESS, 'mallory')
    fail(parts, 4)
    parts.slowDown.succeeded(ADDRESS, 'mallory')
    expect(parts.slowDown.hear(ADDRESS, 'ada')).toBe(1_000)
    expect(fail(parts, 1)).toEqual([2_000])
  })

  it('are forgotten when there was none for long', () => {
    const parts = make()
    fail(parts, 8)
    parts.clock.advance(600_001)
    expect(fail(parts, 4)).toEqual([0, 0, 0, 1_000])
  })

  it('are those of a whole network in IPv6', () => {
    const parts = make()
    for (let i = 1; i <= 4; i++) parts.slowDown.failed(`2001:db8::${i}:50412`, 'ada')
    expect(parts.slowDown.hear('2001:db8::ffff:1', 'ada')).toBe(1_000)
    expect(parts.slowDown.hear('2001:db8:0:1::1:1', 'ada')).toBe(0)
  })

  it('cost nothing where that is not wanted', () => {
    expect(fail(make({ ...LIMITS, after: null as never }), 50)).toEqual(Array(50).fill(0))
  })
})

it('a hundred thousand addresses take no more room than the last ten thousand', () => {
  const { slowDown } = make()
  for (let i = 0; i < 100_000; i++) {
    const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:1`
    slowDown.failed(address, `user-${i}`)
    slowDown.succeeded(address, `other-${i}`)
  }
  expect(slowDown.size).toBeLessThanOrEqual(20_000)
})
