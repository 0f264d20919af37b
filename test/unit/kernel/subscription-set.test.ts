import { expect, it } from 'vitest'
import { SubscriptionSet } from '../../../src/kernel/subscription-set.ts'
import { subscription } from './support.ts'

it('a topic reaches a session once, with what all matching subscriptions ask for', () => {
  const set = new SubscriptionSet()
  const wide = subscription('$a/#', { identifier: 7 })
  expect([set.add(wide), set.add(subscription('$a/b', { retainAsPublished: true, identifier: 9 }))]).toEqual([
    true,
    true,
  ])
  expect(set.add(subscription('$a/+', { identifier: 0 }))).toBe(true)
  expect(set.route('$a/b')).toEqual({ retainAsPublished: true, identifiers: [7, 9] })
  expect(set.route('$a/c')).toEqual({ retainAsPublished: false, identifiers: [7] })
  expect(set.route('$b')).toBeNull()
  expect(set.route('$a/b')).toBe(set.route('$a/b'))
})

it('a subscription in place of another is not new, and one that is given up is forgotten', () => {
  const set = new SubscriptionSet()
  const [first, second] = [subscription('$a', { identifier: 1 }), subscription('$a', { identifier: 2 })]
  set.add(first)
  expect([set.route('$a')?.identifiers, set.holds(first)]).toEqual([[1], true])
  expect(set.add(second)).toBe(false)
  expect([set.route('$a')?.identifiers, set.holds(first), set.holds(second)]).toEqual([[2], false, true])
  set.remove('$a')
  expect([set.route('$a'), set.size]).toEqual([null, 0])
})
