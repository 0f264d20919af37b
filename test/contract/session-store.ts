/** The contract of SessionStore. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Will } from '../../src/core/will.ts'
import type { SessionRecord, Store } from '../../src/store/store.ts'
import { appendAll, Place, readTexts, type StoreHarness } from './harness.ts'

export function sessionStoreContract(kind: string, harness: StoreHarness): void {
  describe(`session store of ${kind}`, () => {
    let place: Place
    let store: Store

    beforeEach(async () => {
      place = new Place(harness)
      store = await place.open()
    })
    afterEach(() => place.clear())

    test('loads what was put, the last of each client', async () => {
      store.sessions.put(session('a', { expirySeconds: 1 }))
      store.sessions.put(session('b', { username: 'ann', disconnectedAt: 1_700_000_000_000 }))
      store.sessions.put(session('a', { expirySeconds: 0xffffffff }))
      const sessions = (await store.sessions.load()).sort((a, b) => (a.clientId < b.clientId ? -1 : 1))
      expect(sessions).toEqual([
        { ...session('a', { expirySeconds: 0xffffffff }), received: [] },
        { ...session('b', { username: 'ann', disconnectedAt: 1_700_000_000_000 }), received: [] },
      ])
    })

    test.each([
      [
        'all that a will can have',
        { properties: Buffer.from([1, 1]), delaySeconds: 9, expirySeconds: 0, retain: true },
      ],
      ['an empty will without properties', { payload: Buffer.alloc(0), qos: 0 as const }],
      ['a will of any bytes', { payload: Buffer.from(Array.from({ length: 256 }, (_, i) => i)), topic: 'ä/\u{1f600}' }],
    ])('keeps %s', async (_what, fields) => {
      const left = will(fields)
      store.sessions.put(session('a', { will: left }))
      expect(await store.sessions.load()).toEqual([{ ...session('a', { will: left }), received: [] }])
      store.sessions.put(session('a'))
      expect(await store.sessions.load()).toMatchObject([{ will: null }])
    })

    test('keeps the received identifiers as they are when the turn ends', async () => {
      const identifiers = new Set([1, 2])
      store.sessions.put(session('a'))
      store.sessions.received('a', identifiers)
      identifiers.delete(1)
      identifiers.add(65_535)
      expect(await store.sessions.load()).toMatchObject([{ clientId: 'a', received: [2, 65_535] }])
      identifiers.clear()
      store.sessions.received('a', identifiers)
      expect(await store.sessions.load()).toMatchObject([{ clientId: 'a', received: [] }])
    })

    test('forgets all of a session, and what comes after is kept', async () => {
      store.sessions.put(session('a'))
      store.sessions.received('a', new Set([1]))
      appendAll(store.sessions.outgoing, 'a', ['old'])
      appendAll(store.sessions.outgoing, 'b', ['of another'])
      await store.durable()
      store.sessions.received('a', new Set([1, 2]))
      store.sessions.remove('a')
      expect(await store.sessions.load()).toEqual([])
      store.sessions.remove('a')
      store.sessions.put(session('a'))
      appendAll(store.sessions.outgoing, 'a', ['new'])
      expect(await store.sessions.load()).toMatchObject([{ clientId: 'a', received: [] }])
      expect(await readTexts(store.sessions.outgoing, 'a')).toEqual(['new'])
      expect(await readTexts(store.sessions.outgoing, 'b')).toEqual(['of another'])
    })

    test('does not mix up outgoing messages and queues of the same name', async () => {
      appendAll(store.sessions.outgoing, 'same', ['outgoing'])
      appendAll(store.queues, 'same', ['queue'])
      await store.durable()
      expect(await readTexts(store.sessions.outgoing, 'same')).toEqual(['outgoing'])
      expect(await readTexts(store.queues, 'same')).toEqual(['queue'])
    })

    test.runIf(harness.persistent)('holds what it held after the store was closed and opened', async () => {
      const left = will({ properties: Buffer.from([1, 1]) })
      store.sessions.put(session('a', { will: left }))
      store.sessions.put(session('b'))
      store.sessions.received('a', new Set([7]))
      store.sessions.received('b', new Set([8]))
      store = await place.open()
      store.sessions.received('b', new Set())
      store = await place.open()
      expect(await store.sessions.load()).toEqual([
        { ...session('a', { will: left }), received: [7] },
        { ...session('b'), received: [] },
      ])
    })
  })
}

function will(fields: Partial<Will>): Will {
  const rest = { qos: 2 as const, retain: false, delaySeconds: 0, expirySeconds: -1, properties: null }
  return { topic: 'will', payload: Buffer.from('gone'), ...rest, ...fields }
}

function session(clientId: string, fields: Partial<SessionRecord> = {}): SessionRecord {
  const subscription = {
    filter: 'a/+/#',
    qos: 1,
    noLocal: true,
    retainAsPublished: false,
    retainHandling: 2,
    identifier: 5,
  } as const
  const rest = { username: null, expirySeconds: 60, disconnectedAt: 0, subscriptions: [subscription], will: null }
  return { clientId, ...rest, ...fields }
}
