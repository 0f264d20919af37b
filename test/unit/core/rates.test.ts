import { expect, it } from 'vitest'
import { Mark, Pace } from '../../../src/core/rates.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

function begin() {
  const clock = new FakeClock()
  const mark = new Mark()
  const at = { count: 0 }
  const pace = new Pace(clock, () => mark.move(at.count))
  pace.start()
  /** So many a second, for so many seconds. */
  const grow = (perSecond: number, seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      at.count += perSecond
      clock.advance(1_000)
    }
  }
  return { clock, pace, grow, rate: () => pace.perSecond(mark, at.count) }
}

it('a steady pace is told as it is, at any time', () => {
  const { grow, rate } = begin()
  for (let second = 0; second < 30; second++) {
    grow(7, 1)
    expect(rate()).toBe(7)
  }
})

it('what stopped ten seconds ago is at rest, and what has begun shows at once', () => {
  const { grow, rate } = begin()
  grow(100, 20)
  grow(0, 4)
  expect(rate()).toBeGreaterThan(0)
  grow(0, 6)
  expect(rate()).toBe(0)
  grow(60, 1)
  expect(rate()).toBeGreaterThanOrEqual(6)
})

it('the first messages are not thousands a second', () => {
  const { grow, rate } = begin()
  grow(3, 0)
  expect(rate()).toBe(0)
  const { pace, clock } = begin()
  clock.advance(1)
  expect(pace.perSecond(new Mark(), 5)).toBe(5)
})

it('nothing is done any more once it is stopped', () => {
  const { pace, clock } = begin()
  expect(clock.pending).toBe(1)
  pace.start()
  expect(clock.pending).toBe(1)
  pace.stop()
  expect(clock.pending).toBe(0)
})
