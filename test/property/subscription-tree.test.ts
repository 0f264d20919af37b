/** The tree against a list that is gone through from end to end. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches } from '../../src/core/topics.ts'
import type { Subscriber } from '../../src/pubsub/subscriber.ts'
import { type Match, SubscriptionTree } from '../../src/pubsub/subscription-tree.ts'
import type { SubscriptionRecord } from '../../src/store/store.ts'

const level = fc.constantFrom('a', 'b', '', '$s')
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/') || '/')
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/') || '/')

const SESSIONS = ['me', 'you', 'they'].map((clientId) => ({ clientId }) as Subscriber)
const session = fc.constantFrom(...SESSIONS)
const subscription: fc.Arbitrary<SubscriptionRecord> = fc.record({
  filter: filters,
  qos: fc.constantFrom(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constant(0),
  identifier: fc.nat(3),
})

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), session, subscription }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), session, pick: fc.nat(20) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('match' as const), topic: topics }) },
  ),
  { maxLength: 40 },
)

/** Subscriptions by session and filter, and the merging of section 3.3.4 word by word. */
class Model {
  readonly all = new Map<Subscriber, Map<string, SubscriptionRecord>>(SESSIONS.map((one) => [one, new Map()]))

  get size(): number {
    return [...this.all.values()].reduce((sum, { size }) => sum + size, 0)
  }

  match(topic: string): unknown[] {
    return SESSIONS.flatMap((session) => {
      const matching = [...this.all.get(session)!.values()].filter(({ filter }) => matches(filter, topic))
      if (matching.length === 0) return []
      const own = matching.filter(({ noLocal }) => !noLocal)
      return [{ ...merged(session, matching), own: own.length === 0 ? null : merged(session, own) }]
    })
  }
}

function merged({ clientId }: Subscriber, all: readonly SubscriptionRecord[]) {
  return {
    clientId,
    qos: Math.max(...all.map(({ qos }) => qos)),
    retainAsPublished: all.some(({ retainAsPublished }) => retainAsPublished),
    identifiers: all.flatMap(({ identifier }) => (identifier > 0 ? [identifier] : [])).sort(),
  }
}

/** What the tree answered, in the form of the model. */
function plain(found: readonly Match[]): unknown[] {
  const one = ({ session, qos, retainAsPublished, identifiers }: Match) => {
    expect(identifiers).not.toEqual([])
    return { clientId: session.clientId, qos, retainAsPublished, identifiers: [...(identifiers ?? [])].sort() }
  }
  const order = SESSIONS.map(({ clientId }) => clientId)
  return found
    .toSorted((a, b) => order.indexOf(a.session.clientId) - order.indexOf(b.session.clientId))
    .map((match) => ({
      ...one(match),
      own: match.forOwn === undefined ? one(match) : match.forOwn === null ? null : one(match.forOwn),
    }))
}

describe('the subscription tree', () => {
  it('answers as a list would, merged by session, through any changes', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const tree = new SubscriptionTree()
        const model = new Model()
        /** Topics that were asked for: what is remembered of them must not outlive a change. */
        const asked = new Set<string>()
        for (const step of all) {
          if (step.do === 'match') {
            asked.add(step.topic)
            expect(plain(tree.match(step.topic).sessions)).toEqual(model.match(step.topic))
          } else if (step.do === 'add') {
            const known = model.all.get(step.session)!
            const isNew = !known.has(step.subscription.filter)
            known.set(step.subscription.filter, step.subscription)
            expect(tree.add(step.session, step.subscription)).toBe(isNew)
          } else {
            const known = model.all.get(step.session)!
            const filter = [...known.keys()][step.pick] ?? 'b/b'
            known.delete(filter)
            tree.remove(step.session, filter)
          }
          expect(tree.size).toBe(model.size)
          for (const topic of asked) expect(plain(tree.match(topic).sessions)).toEqual(model.match(topic))
        }
        for (const [session, known] of model.all) for (const filter of known.keys()) tree.remove(session, filter)
        expect(tree.size).toBe(0)
        for (const topic of ['a', 'a/b', '/', '$s/a']) expect(tree.match(topic).sessions).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })
})
