/** The contract of MessageLog. `log` picks the one to test from a store. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Message } from '../../src/core/message.ts'
import type { MessageLog, Store } from '../../src/store/store.ts'
import { appendAll, Place, readAll, readTexts, type StoreHarness, stored, textOf } from './harness.ts'

export function messageLogContract(kind: string, harness: StoreHarness, pick: (store: Store) => MessageLog): void {
  describe(`message log of ${kind}`, () => {
    let place: Place
    let store: Store
    let log: MessageLog

    async function open(): Promise<void> {
      store = await place.open()
      log = pick(store)
    }

    beforeEach(async () => {
      place = new Place(harness)
      await open()
    })
    afterEach(() => place.clear())

    test('reads entries in the order in which they were appended, before and after they are written', async () => {
      const ids = appendAll(log, 'orders', ['a', 'b', 'c'])
      expect(ids).toEqual([...ids].sort((a, b) => a - b))
      expect(await readTexts(log, 'orders')).toEqual(['a', 'b', 'c'])
      await store.durable()
      appendAll(log, 'orders', ['d'])
      const entries = await readAll(log, 'orders')
      expect(entries.map(textOf)).toEqual(['a', 'b', 'c', 'd'])
      expect(entries.slice(0, 3).map((entry) => entry.id)).toEqual(ids)
    })

    test('keeps everything about a message', async () => {
      const message = Message.of({
        topic: 'größe/€/🙂',
        payload: Buffer.from([0, 1, 255]),
        qos: 2,
        retain: true,
        properties: Buffer.from([1, 1]),
        from: 'publisher',
        receivedAt: 1_700_000_000_123.5,
        expiresAt: 1_800_000_000_000,
      })
      const [share, identifiers, reference] = ['$share/größe/#', [1, 268_435_455], Number.MAX_SAFE_INTEGER]
      log.append('orders', { message, qos: 1, retain: true, identifiers, share, reference })
      for (const written of [false, true]) {
        if (written) await store.durable()
        const [entry] = await readAll(log, 'orders')
        expect(entry).toMatchObject({ qos: 1, retain: true, identifiers, share, reference, mark: 0 })
        const { topic, qos, retain, properties, from, receivedAt, expiresAt, payload } = entry!.message
        expect({ topic, qos, retain, from, receivedAt, expiresAt }).toEqual({
          topic: 'größe/€/🙂',
          qos: 2,
          retain: true,
          from: 'publisher',
          receivedAt: 1_700_000_000_123.5,
          expiresAt: 1_800_000_000_000,
        })
        expect([[...properties!], [...payload]]).toEqual([
          [1, 1],
          [0, 1, 255],
        ])
      }
    })

    test('copies what it needs: the bytes may change after the append', async () => {
      const payload = Buffer.from('before')
      log.append('orders', stored('', { payload }))
      payload.write('after!')
      expect(await readTexts(log, 'orders')).toEqual(['before'])
    })

    test('gives messages memory that few share, not all that was written together', async () => {
      appendAll(
        log,
        'orders',
        Array.from({ length: 500 }, (_, index) => `message ${index}`),
      )
      for (const written of [false, true]) {
        if (written) await store.durable()
        const [entry] = await readAll(log, 'orders')
        expect(entry!.message.bytes.buffer.byteLength).toBeLessThanOrEqual(8_192)
      }
    })

    test('reads a part: from an id on, at most so many', async () => {
      const ids = appendAll(log, 'orders', ['a', 'b', 'c'])
      await store.durable()
      ids.push(...appendAll(log, 'orders', ['d', 'e']))
      expect((await log.read('orders', ids[1]!, 3)).map(textOf)).toEqual(['b', 'c', 'd'])
      expect((await log.read('orders', ids[4]!, 3)).map(textOf)).toEqual(['e'])
      expect(await log.read('orders', ids[4]! + 1, 3)).toEqual([])
      expect(await log.read('orders', 0, 0)).toEqual([])
      expect(await log.read('unknown', 0, 10)).toEqual([])
    })

    test('removes one by one from anywhere, in the same turn and later', async () => {
      const ids = appendAll(log, 'orders', ['a', 'b', 'c', 'd', 'e'])
      log.remove('orders', ids[1]!)
      await store.durable()
      log.remove('orders', ids[3]!)
      log.remove('orders', ids[3]!)
      log.remove('orders', 1_000_000)
      log.remove('unknown', 1)
      expect(await readTexts(log, 'orders')).toEqual(['a', 'c', 'e'])
      log.remove('orders', ids[0]!)
      expect(log.list()).toEqual([{ name: 'orders', count: 2, firstId: ids[2], nextId: ids[4]! + 1 }])
    })

    test('serves as many as are there when some are removed while it reads', async () => {
      const ids = appendAll(log, 'orders', ['a', 'b'])
      await store.durable()
      appendAll(log, 'orders', ['c', 'd'])
      await store.durable()
      const reading = log.read('orders', 0, 2)
      log.remove('orders', ids[0]!)
      log.remove('orders', ids[1]!)
      expect((await reading).map(textOf)).toEqual(['c', 'd'])
    })

    test('keeps a mark with an entry', async () => {
      const ids = appendAll(log, 'orders', ['a', 'b', 'c'])
      log.mark('orders', ids[0]!, 7)
      await store.durable()
      log.mark('orders', ids[2]!, 4_294_967_295)
      log.mark('orders', 1_000_000, 1)
      log.remove('orders', ids[1]!)
      log.mark('orders', ids[1]!, 1)
      expect((await readAll(log, 'orders')).map(({ mark }) => mark)).toEqual([7, 4_294_967_295])
    })

    test('lists the logs that hold an entry', async () => {
      const [first] = appendAll(log, 'orders', ['a', 'b'])
      const [other] = appendAll(log, 'eu/orders', ['c'])
      expect(log.list()).toHaveLength(2)
      expect(log.list()).toContainEqual({ name: 'orders', count: 2, firstId: first, nextId: first! + 2 })
      log.remove('eu/orders', other!)
      expect(log.list().map(({ name }) => name)).toEqual(['orders'])
    })

    test('removes a range, whether it is written or not, and what is left can be read', async () => {
      const written = appendAll(log, 'orders', ['a', 'b', 'c'])
      await store.durable()
      const ids = [...written, ...appendAll(log, 'orders', ['d', 'e', 'f'])]
      log.removeRange('orders', ids[1]!, ids[4]!)
      log.removeRange('unknown', 0, 10)
      log.removeRange('orders', ids[5]! + 1, ids[5]! + 10)
      expect(await readTexts(log, 'orders')).toEqual(['a', 'e', 'f'])
      await store.durable()
      log.removeRange('orders', 0, ids[5]!)
      await store.durable()
      expect(await readTexts(log, 'orders')).toEqual(['f'])
      log.removeRange('orders', 0, ids[5]! + 1)
      await store.durable()
      expect(log.list()).toEqual([])
    })

    test('clears a log, whether it is written or not', async () => {
      const ids = appendAll(log, 'orders', ['a', 'b'])
      await store.durable()
      log.remove('orders', ids[0]!)
      appendAll(log, 'orders', ['c'])
      appendAll(log, 'other', ['z'])
      log.clear('orders')
      log.clear('unknown')
      expect(await readAll(log, 'orders')).toEqual([])
      const [next] = appendAll(log, 'orders', ['d'])
      expect(next).toBeGreaterThan(ids[1]! + 1)
      await store.durable()
      expect(await readTexts(log, 'orders')).toEqual(['d'])
      expect(await readTexts(log, 'other')).toEqual(['z'])
    })

    test('never gives an id out twice, not even after the log was empty', async () => {
      let last = -1
      for (let round = 0; round < 5; round++) {
        const [id] = appendAll(log, 'orders', ['a'])
        expect(id).toBeGreaterThan(last)
        last = id!
        if (round % 2 === 0) await store.durable()
        log.remove('orders', id!)
        await store.durable()
      }
    })

    test('holds more than fits in one piece', async () => {
      const texts = Array.from({ length: 5_000 }, (_, index) => `${index}`)
      appendAll(log, 'orders', texts)
      log.append('orders', stored('x'.repeat(1_000_000)))
      log.append('orders', stored('end'))
      await store.durable()
      const read = await readTexts(log, 'orders')
      expect(read.slice(0, 5_000)).toEqual(texts)
      expect(read[5_000]).toHaveLength(1_000_000)
      expect(read[5_001]).toBe('end')
    })

    describe.runIf(harness.persistent)('after the store was closed and opened', () => {
      test('holds what it held', async () => {
        const ids = appendAll(log, 'orders', ['a', 'b', 'c', 'd'])
        await store.durable()
        log.remove('orders', ids[0]!)
        log.mark('orders', ids[1]!, 9)
        appendAll(log, 'eu/orders', ['z'])
        await open()
        expect(log.list()).toContainEqual({ name: 'orders', count: 3, firstId: ids[1], nextId: expect.any(Number) })
        const entries = await readAll(log, 'orders')
        expect(entries.map(textOf)).toEqual(['b', 'c', 'd'])
        expect(entries.map(({ mark }) => mark)).toEqual([9, 0, 0])
        log.remove('orders', ids[1]!)
        await open()
        expect(await readTexts(log, 'orders')).toEqual(['c', 'd'])
        expect(await readTexts(log, 'eu/orders')).toEqual(['z'])
      })

      test('never gives an id out twice', async () => {
        const [a, b] = appendAll(log, 'orders', ['a', 'b'])
        await store.durable()
        log.remove('orders', b!)
        const [gone] = appendAll(log, 'gone', ['c'])
        log.clear('gone')
        await open()
        expect(log.list()).toEqual([{ name: 'orders', count: 1, firstId: a, nextId: expect.any(Number) }])
        const announced = log.list()[0]!.nextId
        expect(appendAll(log, 'orders', ['d'])).toEqual([announced])
        expect(announced).toBeGreaterThan(b!)
        expect(appendAll(log, 'gone', ['e'])[0]).toBeGreaterThan(gone!)
      })

      test('has forgotten what was cleared', async () => {
        const ids = appendAll(log, 'orders', ['a', 'b'])
        await store.durable()
        log.mark('orders', ids[0]!, 1)
        await store.durable()
        log.clear('orders')
        await open()
        expect(log.list()).toEqual([])
      })
    })
  })
}
