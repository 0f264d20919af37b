import { expect, it } from 'vitest'
import { Throttle, type ThrottleLimits } from '../../../src/transport/throttle.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

function make(limits: Partial<ThrottleLimits>) {
  const clock = new FakeClock()
  const told: string[] = []
  const parts = { clock, exceeded: (limit: string) => void told.push(limit), resume: () => void told.push('resume') }
  const throttle = Throttle.of({ messageRate: null, byteRate: null, ...limits }, parts)
  return { clock, told, throttle }
}

it('there is none where nothing is limited', () => {
  expect(make({}).throttle).toBeNull()
})

it('a second of messages goes at once; each one more waits until it is due', () => {
  const { clock, told, throttle } = make({ messageRate: 10 })
  for (let i = 0; i < 10; i++) throttle!.message()
  expect([throttle!.waiting, told]).toEqual([false, []])
  throttle!.message()
  expect([throttle!.waiting, told]).toEqual([true, ['messageRate']])
  clock.advance(99)
  expect(throttle!.waiting).toBe(true)
  clock.advance(1)
  expect([throttle!.waiting, told]).toEqual([false, ['messageRate', 'resume']])
})

it('bytes that have come are paid for in time, those as well that come while it waits', () => {
  const { clock, told, throttle } = make({ messageRate: 1_000, byteRate: 1_000 })
  throttle!.read(3_000)
  clock.advance(1_000)
  throttle!.read(500)
  clock.advance(1_000)
  expect([throttle!.waiting, told]).toEqual([true, ['byteRate']])
  clock.advance(500)
  expect([throttle!.waiting, told]).toEqual([false, ['byteRate', 'resume']])
})

it('is told again after a minute, and not before', () => {
  const { clock, told, throttle } = make({ messageRate: 1 })
  throttle!.message()
  for (let second = 0; second < 61; second++) {
    throttle!.message()
    clock.advance(1_000)
  }
  expect(told.filter((text) => text !== 'resume')).toEqual(['messageRate', 'messageRate'])
})

it('does nothing more when its connection is gone', () => {
  const { clock, told, throttle } = make({ messageRate: 1 })
  throttle!.message()
  throttle!.message()
  throttle!.end()
  clock.advance(10_000)
  expect(told).toEqual(['messageRate'])
})
