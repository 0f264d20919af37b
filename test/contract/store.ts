/**
 * The contract of a store. An implementation runs it all in two lines:
 *
 *     import { storeContract } from '../contract/store.ts'
 *     storeContract('mine', { persistent: true, open: (place) => openMine(place) })
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { appendAll, Place, readTexts, type StoreHarness } from './harness.ts'
import { messageLogContract } from './message-log.ts'
import { retainedStoreContract } from './retained-store.ts'
import { sessionStoreContract } from './session-store.ts'

export function storeContract(kind: string, harness: StoreHarness): void {
  messageLogContract(`${kind}: queues`, harness, (store) => store.queues)
  messageLogContract(`${kind}: outgoing`, harness, (store) => store.sessions.outgoing)
  sessionStoreContract(kind, harness)
  retainedStoreContract(kind, harness)

  describe(`store of ${kind}`, () => {
    let place: Place
    let store: Store

    beforeEach(async () => {
      place = new Place(harness)
      store = await place.open()
    })
    afterEach(() => place.clear())

    test('is durable at once when nothing was written', async () => {
      await store.durable()
      await store.durable()
    })

    test('gives one promise to all who ask in a turn', async () => {
      appendAll(store.queues, 'a', ['1'])
      const first = store.durable()
      store.sessions.received('client', new Set([1]))
      expect(store.durable()).toBe(first)
      await first
    })

    test('tells how long commits take, one time for all who wait for the same', async () => {
      const before = store.commitTimes.count
      appendAll(store.queues, 'a', ['1', '2', '3'])
      await Promise.all([store.durable(), store.durable()])
      await store.durable() // there is nothing more to write
      expect(store.commitTimes.count).toBe(before + 1)
      expect(store.commitTimes.sum).toBeGreaterThan(0)
    })

    test('is durable when all that was written was taken back', async () => {
      const [id] = appendAll(store.queues, 'a', ['1'])
      store.queues.remove('a', id!)
      await store.durable()
      expect(store.queues.list()).toEqual([])
    })

    test('closes twice', async () => {
      appendAll(store.queues, 'a', ['1'])
      await Promise.all([store.close(), store.close()])
      await store.close()
    })

    test.runIf(harness.persistent)('writes what is waiting before it closes', async () => {
      appendAll(store.queues, 'a', ['1'])
      await store.close()
      store = await place.open()
      expect(await readTexts(store.queues, 'a')).toEqual(['1'])
    })
  })
}
