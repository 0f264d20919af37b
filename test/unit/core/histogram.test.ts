import { expect, it } from 'vitest'
import { Histogram } from '../../../src/core/histogram.ts'

it('counts by class, bounds included, and what is beyond them', () => {
  const histogram = new Histogram([1, 5])
  for (const value of [0, 1, 1.1, 5, 6, 100]) histogram.add(value)
  expect(histogram.counts).toEqual([2, 2, 2])
  expect(histogram.count).toBe(6)
  expect(histogram.sum).toBeCloseTo(113.1)
})
