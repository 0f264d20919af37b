/** The contract of RetainedStore. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Message, type MessageFields } from '../../src/core/message.ts'
import type { Store } from '../../src/store/store.ts'
import { Place, type StoreHarness } from './harness.ts'

export function retainedStoreContract(kind: string, harness: StoreHarness): void {
  describe(`retained store of ${kind}`, () => {
    let place: Place
    let store: Store

    beforeEach(async () => {
      place = new Place(harness)
      store = await place.open()
    })
    afterEach(() => place.clear())

    test('keeps the last message of each topic', async () => {
      put('a/b', 'old')
      put('a/c', 'other', { qos: 2, properties: Buffer.from([1, 1]), expiresAt: 5 })
      put('a/b', 'new')
      const messages = await load()
      expect([...messages.keys()].sort()).toEqual(['a/b', 'a/c'])
      expect(messages.get('a/b')!.payload.toString()).toBe('new')
      const { qos, retain, properties, expiresAt } = messages.get('a/c')!
      expect({ qos, retain, properties: [...properties!], expiresAt }).toEqual({
        qos: 2,
        retain: true,
        properties: [1, 1],
        expiresAt: 5,
      })
    })

    test('forgets', async () => {
      put('a', '1')
      put('b', '2')
      await store.durable()
      store.retained.remove('a')
      store.retained.remove('b')
      store.retained.remove('unknown')
      put('b', '3')
      expect([...(await load()).keys()]).toEqual(['b'])
    })

    test('copies what it needs', async () => {
      const payload = Buffer.from('before')
      store.retained.put(Message.of({ topic: 'a', payload, retain: true }))
      payload.write('after!')
      expect((await load()).get('a')!.payload.toString()).toBe('before')
    })

    test.runIf(harness.persistent)('holds what it held after the store was closed and opened', async () => {
      for (let index = 0; index < 2_500; index++) put(`topic/${index}`, `${index}`)
      store.retained.remove('topic/7')
      store = await place.open()
      const messages = await load()
      expect(messages.size).toBe(2_499)
      expect(messages.get('topic/2499')!.payload.toString()).toBe('2499')
    })

    function put(topic: string, text: string, fields: Partial<MessageFields> = {}): void {
      store.retained.put(Message.of({ topic, payload: Buffer.from(text), retain: true, ...fields }))
    }

    async function load(): Promise<Map<string, Message>> {
      const messages = new Map<string, Message>()
      for await (const message of store.retained.load()) messages.set(message.topic, message)
      return messages
    }
  })
}
