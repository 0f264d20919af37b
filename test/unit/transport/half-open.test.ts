import { expect, it } from 'vitest'
import { ReasonCode, Refusal } from '../../../src/core/reason-codes.ts'
import { HalfOpen } from '../../../src/transport/half-open.ts'

const MEGABYTE = 1024 * 1024

function make(max: number) {
  const given: string[] = []
  const halfOpen = new HalfOpen<ReturnType<typeof one>>(max)
  const one = (name: string, openedAt = 0) => ({
    openedAt,
    giveUp: ({ message }: Refusal) => void given.push(`${name}: ${message}`),
  })
  return { given, halfOpen, one }
}

it('of too many the oldest gives way', () => {
  const { given, halfOpen, one } = make(2)
  for (const name of ['a', 'b', 'c', 'd']) halfOpen.add(one(name))
  expect(given.map((text) => text[0])).toEqual(['a', 'b'])
  expect(halfOpen.size).toBe(2)
})

it('of too many bytes the oldest give way, until there is room', () => {
  const { given, halfOpen, one } = make(100)
  const all = ['a', 'b', 'c', 'd'].map((name) => one(name))
  for (const each of all) halfOpen.add(each)
  for (const each of all.slice(0, 3)) halfOpen.received(each, 20 * MEGABYTE)
  expect([given, halfOpen.bytes]).toEqual([[], 60 * MEGABYTE])
  halfOpen.received(all[3]!, 30 * MEGABYTE)
  expect([given.map((text) => text[0]), halfOpen.bytes]).toEqual([['a', 'b'], 50 * MEGABYTE])
})

it('what was let in counts no more, whatever it sends', () => {
  const { given, halfOpen, one } = make(1)
  const a = one('a')
  halfOpen.add(a)
  halfOpen.received(a, MEGABYTE)
  halfOpen.delete(a)
  halfOpen.received(a, 100 * MEGABYTE)
  halfOpen.add(one('b'))
  expect([given, halfOpen.bytes, halfOpen.size]).toEqual([[], 0, 1])
})

it('those whose time is up are given up, and no other', () => {
  const { given, halfOpen, one } = make(10)
  for (const [name, openedAt] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const)
    halfOpen.add(one(name, openedAt))
  halfOpen.giveUpBefore(3, new Refusal(ReasonCode.ServerBusy, 'late'))
  expect([given, halfOpen.size]).toEqual([['a: late', 'b: late'], 1])
})
