import { describe, expect, it } from 'vitest'
import type { SharedGroup } from '../../../src/pubsub/shared-group.ts'
import type { Subscriber } from '../../../src/pubsub/subscriber.ts'
import { type Match, SubscriptionTree } from '../../../src/pubsub/subscription-tree.ts'
import { heldBytes } from '../../helpers/heap.ts'
import { subscription } from '../kernel/support.ts'

const session = (clientId: string) => ({ clientId }) as Subscriber

function names(matches: readonly Match[]): string[] {
  return matches.map(({ session }) => session.clientId).sort()
}

describe('a topic', () => {
  it('goes to every session with a filter that matches it', () => {
    const tree = new SubscriptionTree()
    for (const filter of ['a/b', 'a/+', 'a/#', '#', '+/b', 'a/b/#', 'b', 'a', '+', 'a/b/c']) {
      tree.add(session(filter), subscription(filter))
    }
    expect(names(tree.match('a/b').sessions)).toEqual(['#', '+/b', 'a/#', 'a/+', 'a/b', 'a/b/#'])
    expect(tree.size).toBe(10)
  })

  it('that starts with $ is hidden from filters that start with a wildcard [MQTT-4.7.2-1]', () => {
    const tree = new SubscriptionTree()
    for (const filter of ['#', '+/a', '+/#', '$SYS/#', '$SYS/+', '$SYS/a'])
      tree.add(session(filter), subscription(filter))
    expect(names(tree.match('$SYS/a').sessions)).toEqual(['$SYS/#', '$SYS/+', '$SYS/a'])
  })

  it('with empty levels is like any other', () => {
    const tree = new SubscriptionTree()
    for (const filter of ['/', '+/+', '/+', '/a', '+/', '//']) tree.add(session(filter), subscription(filter))
    expect(names(tree.match('/').sessions)).toEqual(['+/', '+/+', '/', '/+'])
  })
})

describe('a session with several filters that match', () => {
  it('gets a message once, at the highest QoS, with all identifiers [MQTT-3.3.4-2, MQTT-3.3.4-4]', () => {
    const tree = new SubscriptionTree()
    const me = session('me')
    tree.add(me, subscription('a/#', { qos: 1, identifier: 3 }))
    tree.add(me, subscription('a/b', { qos: 0, identifier: 0, retainAsPublished: true }))
    tree.add(me, subscription('+/b', { qos: 2, identifier: 7 }))
    const [match, ...others] = tree.match('a/b').sessions
    expect(others).toEqual([])
    expect(match).toMatchObject({ session: me, qos: 2, retainAsPublished: true, forOwn: undefined })
    expect(match!.identifiers!.toSorted()).toEqual([3, 7])
  })

  it('has no identifiers where it gave none', () => {
    const tree = new SubscriptionTree()
    tree.add(session('me'), subscription('a'))
    expect(tree.match('a').sessions[0]!.identifiers).toBeNull()
  })

  it('gets its own messages by those filters alone that are not no-local [MQTT-3.8.3-3]', () => {
    const tree = new SubscriptionTree()
    const me = session('me')
    tree.add(me, subscription('a', { qos: 2, noLocal: true, identifier: 1 }))
    expect(tree.match('a').sessions[0]!.forOwn).toBeNull()
    tree.add(me, subscription('#', { qos: 1, identifier: 2 }))
    expect(tree.match('a').sessions[0]).toMatchObject({ qos: 2, forOwn: { qos: 1, identifiers: [2] } })
  })
})

describe('a subscription', () => {
  it('is new once, and replaced after that [MQTT-3.8.4-3]', () => {
    const tree = new SubscriptionTree()
    const me = session('me')
    expect(tree.add(me, subscription('a', { qos: 0 }))).toBe(true)
    expect(tree.add(me, subscription('a', { qos: 2 }))).toBe(false)
    expect(tree.match('a').sessions).toMatchObject([{ qos: 2 }])
    expect(tree.size).toBe(1)
  })

  it('changes what a topic matches at once, though answers are remembered', () => {
    const tree = new SubscriptionTree()
    const [me, you] = [session('me'), session('you')]
    expect(tree.match('a').sessions).toEqual([])
    tree.add(me, subscription('a'))
    expect(names(tree.match('a').sessions)).toEqual(['me'])
    tree.add(you, subscription('+'))
    expect(names(tree.match('a').sessions)).toEqual(['me', 'you'])
    tree.add(me, subscription('a', { qos: 0 }))
    expect(tree.match('a').sessions.find(({ session }) => session === me)!.qos).toBe(0)
    tree.remove(me, 'a')
    expect(names(tree.match('a').sessions)).toEqual(['you'])
  })

  it('is remembered for a topic: the same answer, no new one', () => {
    const tree = new SubscriptionTree()
    tree.add(session('me'), subscription('a'))
    expect(tree.match('a').sessions).toBe(tree.match('a').sessions)
  })

  it('is remembered while others come and go on filters that do not match', () => {
    const tree = new SubscriptionTree()
    tree.add(session('me'), subscription('hot/+'))
    tree.match('hot/1')
    tree.add(session('you'), subscription('a/#'))
    const known = tree.match('hot/1')
    for (const filter of ['a', 'b/+', 'hot/2', 'hot/1/+']) tree.add(session(filter), subscription(filter))
    expect(tree.match('hot/1')).toBe(known)
  })

  it('of another session, or on another filter, stays when one is removed', () => {
    const tree = new SubscriptionTree()
    const [me, you] = [session('me'), session('you')]
    for (const filter of ['a', 'a/b', 'a/b/c']) tree.add(me, subscription(filter))
    tree.add(you, subscription('a/b'))
    tree.remove(me, 'a/b')
    tree.remove(me, 'a/x')
    tree.remove(session('nobody'), 'a')
    expect([
      tree.size,
      names(tree.match('a').sessions),
      names(tree.match('a/b').sessions),
      names(tree.match('a/b/c').sessions),
    ]).toEqual([3, ['me'], ['you'], ['me']])
  })
})

describe('memory', () => {
  const MANY = 30_000

  it('is released with subscriptions: branches that carry nothing are cut', () => {
    const tree = new SubscriptionTree()
    const me = session('me')
    const before = heldBytes()
    for (let i = 0; i < MANY; i++) tree.add(me, subscription(`a/${i}/b/c`))
    expect(heldBytes() - before).toBeGreaterThan(MANY * 100)
    for (let i = 0; i < MANY; i++) tree.remove(me, `a/${i}/b/c`)
    expect(tree.size).toBe(0)
    expect(heldBytes() - before).toBeLessThan(MANY * 50)
    expect(tree.match('a/1/b/c').sessions).toEqual([])
  })

  it('is not filled by topics that were asked for', () => {
    const tree = new SubscriptionTree()
    const before = heldBytes()
    for (let i = 0; i < 200_000; i++) tree.match(`topic/${i}`).sessions
    expect(heldBytes() - before).toBeLessThan(20_000 * 500)
  })
})

describe('a group', () => {
  const group = (filter: string) => ({ filter }) as SharedGroup

  it('is found by its filter beside the subscriptions of sessions, until it is removed', () => {
    const tree = new SubscriptionTree()
    const [one, other] = [group('one'), group('other')]
    tree.add(session('me'), subscription('a/b'))
    expect(tree.match('a/b').groups).toEqual([])
    tree.addGroup('a/#', one)
    tree.addGroup('a/#', other)
    tree.addGroup('#', other)
    expect(tree.match('a/b').groups).toEqual([other, one, other])
    expect(names(tree.match('a/b').sessions)).toEqual(['me'])
    expect(tree.match('$SYS/a').groups).toEqual([])
    tree.removeGroup('a/#', other)
    tree.removeGroup('a/b', one)
    expect(tree.match('a').groups).toEqual([other, one])
    expect(tree.size).toBe(1)
  })
})
