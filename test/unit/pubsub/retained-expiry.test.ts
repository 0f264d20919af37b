import { describe, expect, it } from 'vitest'
import { Counters } from '../../../src/core/counters.ts'
import { PubSub } from '../../../src/pubsub/pubsub.ts'
import type { Store } from '../../../src/store/store.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { LIMITS } from '../../helpers/limits.ts'
import { memoryStore, message, recordedEvents } from '../session/support.ts'

const SECOND = 1_000

async function make() {
  const clock = new FakeClock()
  const store = await memoryStore()
  const { events, heard } = recordedEvents()
  const pubsub = new PubSub({ store, events, counters: new Counters(), clock, limits: LIMITS })
  const retain = (topic: string, expirySeconds: number) => {
    const expiresAt = expirySeconds === 0 ? 0 : clock.now() + expirySeconds * SECOND
    return pubsub.accept(message('x', { topic, retain: true, expiresAt }))
  }
  const expired = () => heard.filter(({ type }) => type === 'message.expired').map(({ topic }) => topic)
  return { clock, store, pubsub, retain, expired, events }
}

async function stored(store: Store): Promise<string[]> {
  const topics: string[] = []
  for await (const { topic } of store.retained.load()) topics.push(topic)
  return topics.sort()
}

describe('a retained message whose time is up', () => {
  it('is removed, also from the store, though nobody asks for it; each is an event', async () => {
    const { clock, store, pubsub, retain, expired } = await make()
    for (const [topic, seconds] of [
      ['a', 10],
      ['$b', 20],
      ['c', 0],
    ] as const)
      retain(topic, seconds)
    clock.advance(9 * SECOND)
    expect([pubsub.retainedCount, expired()]).toEqual([3, []])
    clock.advance(2 * SECOND)
    expect([pubsub.retainedCount, expired()]).toEqual([2, ['a']])
    clock.advance(10 * SECOND)
    expect([pubsub.retainedCount, expired(), await stored(store)]).toEqual([1, ['a', '$b'], ['c']])
  })

  it('is one of very many: they are gone in time, a slice after the other', async () => {
    const { clock, pubsub, retain, expired } = await make()
    for (let i = 0; i < 20_000; i++) retain(`a/${i}`, 10)
    clock.advance(12 * SECOND)
    expect(pubsub.retainedCount).toBeGreaterThan(0)
    clock.advance(60 * SECOND)
    expect([pubsub.retainedCount, expired().length]).toEqual([0, 20_000])
  })

  it('is removed when the broker found it in its store', async () => {
    const { clock, store, retain, events } = await make()
    await retain('a', 10)
    const after = new PubSub({ store, events, counters: new Counters(), clock, limits: LIMITS })
    await after.load()
    expect(after.retainedCount).toBe(1)
    clock.advance(12 * SECOND)
    expect(after.retainedCount).toBe(0)
  })

  it('counts from the last one of its topic', async () => {
    const { clock, pubsub, retain } = await make()
    retain('a', 10)
    clock.advance(9 * SECOND)
    retain('a', 10)
    clock.advance(9 * SECOND)
    expect(pubsub.retainedCount).toBe(1)
    retain('a', 0)
    clock.advance(100 * SECOND)
    expect(pubsub.retainedCount).toBe(1)
  })

  it('is looked for only while there is one that can expire', async () => {
    const { clock, pubsub, retain } = await make()
    retain('for/ever', 0)
    expect(clock.pending).toBe(0)
    retain('brief', 5)
    expect(clock.pending).toBe(1)
    clock.advance(10 * SECOND)
    expect(clock.pending).toBe(0)
    retain('brief', 5)
    pubsub.stop()
    expect(clock.pending).toBe(0)
  })
})
