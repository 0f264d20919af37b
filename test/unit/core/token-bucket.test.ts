import { expect, it } from 'vitest'
import { TokenBucket } from '../../../src/core/token-bucket.ts'

it('gives a burst, then as much as time brings', () => {
  const bucket = new TokenBucket(10, 3, 1_000)
  expect([1, 2, 3, 4].map(() => bucket.take(1_000))).toEqual([true, true, true, false])
  expect([bucket.take(1_099), bucket.take(1_100), bucket.take(1_100)]).toEqual([false, true, false])
})

it('keeps no more than the burst, however long nothing is taken', () => {
  const bucket = new TokenBucket(10, 3, 0)
  bucket.take(0)
  expect([bucket.isFull(99), bucket.isFull(100)]).toEqual([false, true])
  expect([1, 2, 3, 4].map(() => bucket.take(1_000_000))).toEqual([true, true, true, false])
})

it('says how long it takes until what was spent on credit is paid', () => {
  const bucket = new TokenBucket(100, 50, 0)
  bucket.spend(50)
  expect(bucket.debtMs(0)).toBe(0)
  bucket.spend(5)
  expect([bucket.debtMs(0), bucket.debtMs(20), bucket.debtMs(49), bucket.debtMs(50)]).toEqual([50, 30, 1, 0])
})

it('gives nothing, and takes nothing, when the clock is set back', () => {
  const bucket = new TokenBucket(10, 1, 10_000)
  bucket.take(10_000)
  expect([bucket.take(5_000), bucket.take(5_099), bucket.take(5_100)]).toEqual([false, false, true])
})
