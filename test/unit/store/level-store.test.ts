import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LevelStore } from '../../../src/store/level/level-store.ts'
import { openStore } from '../../../src/store/open.ts'
import { appendAll, readTexts, stored, turns } from '../../contract/harness.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeDatabase } from '../../helpers/fake-database.ts'

describe('what a turn costs the database', () => {
  let database: FakeDatabase
  let store: LevelStore

  beforeEach(async () => {
    database = new FakeDatabase()
    store = await openOn(database)
    appendAll(store.queues, 'first', ['reserves ids'])
    await store.durable()
    store.queues.clear('first')
    await store.durable()
    database.batches.length = 0
  })

  test('a pack for many messages, and its key away again with the last of them', async () => {
    const ids = appendAll(store.queues, 'orders', ['a', 'b', 'c'])
    await store.durable()
    for (const id of ids) store.queues.remove('orders', id)
    await store.durable()
    expect(database.batches.map(({ keys }) => keys.length)).toEqual([1, 1])
    expect(await database.allKeys()).toEqual(['ids', 'version'])
  })

  test('one small value for what was removed and marked', async () => {
    const ids = appendAll(store.queues, 'orders', ['a', 'b', 'c'])
    await store.durable()
    store.queues.remove('orders', ids[0]!)
    store.queues.mark('orders', ids[1]!, 1)
    await store.durable()
    expect(database.batches[1]!.keys).toHaveLength(1)
    store.queues.remove('orders', ids[1]!)
    store.queues.remove('orders', ids[2]!)
    await store.durable()
    expect(await database.allKeys()).toEqual(['ids', 'version'])
  })

  test('nothing for what was appended and removed in the same turn', async () => {
    for (let round = 0; round < 3; round++) {
      const ids = appendAll(store.queues, 'orders', ['a', 'b'])
      for (const id of ids) store.queues.remove('orders', id)
    }
    await store.durable()
    expect(database.batches).toEqual([])
  })

  test('nothing for QoS 2 identifiers that came and went in the same turn', async () => {
    const identifiers = new Set([1])
    store.sessions.received('client', identifiers)
    identifiers.delete(1)
    store.sessions.received('client', identifiers)
    await store.durable()
    expect(database.batches).toEqual([])
  })

  test('one batch for a move from one queue to another with the record of a session', async () => {
    const [id] = appendAll(store.queues, 'orders', ['a'])
    await store.durable()
    database.batches.length = 0
    store.queues.remove('orders', id!)
    appendAll(store.queues, 'dead/orders', ['a'])
    store.sessions.received('client', new Set([1]))
    await store.durable()
    expect(database.batches).toHaveLength(1)
    expect(database.batches[0]!.keys).toHaveLength(3)
  })
})

describe('when a write fails', () => {
  test('the store goes on with the same content, in memory and on disk', async () => {
    const database = new FakeDatabase()
    const faults: Error[] = []
    const clock = new FakeClock()
    const store = await openOn(database, faults, clock)
    const ids = appendAll(store.queues, 'orders', ['a', 'b'])
    await store.durable()
    database.failing = true
    store.queues.remove('orders', ids[0]!)
    appendAll(store.queues, 'orders', ['c', 'd'])
    store.sessions.received('client', new Set([1]))
    const durable = store.durable()
    await turns(3)
    expect(store.fault).toMatchObject({ code: 'STORE_FAILED' })
    expect(await readTexts(store.queues, 'orders')).toEqual(['b', 'c', 'd'])
    store.queues.remove('orders', ids[1]! + 1)
    database.failing = false
    clock.advance(100)
    await durable
    await store.durable()
    expect(store.fault).toBeNull()
    expect(await readTexts(store.queues, 'orders')).toEqual(['b', 'd'])
    const again = await openOn(database, faults)
    expect(await readTexts(again.queues, 'orders')).toEqual(['b', 'd'])
    expect(faults).toHaveLength(1)
  })

  test('it takes messages until there is no more room for them in memory, and again when the disk does', async () => {
    const database = new FakeDatabase()
    const clock = new FakeClock()
    const store = await openOn(database, [], clock)
    database.failing = true
    let accepted = 0
    for (; store.accepting && accepted < 1_000; accepted++) {
      store.queues.append('orders', stored('x'.repeat(1_000_000)))
      await turns(1)
    }
    expect(accepted).toBeGreaterThan(60)
    expect(accepted).toBeLessThan(70)
    database.failing = false
    clock.advance(100)
    await store.durable()
    expect(store.accepting).toBe(true)
    expect(store.queues.list()[0]!.count).toBe(accepted)
  })

  test('a store that is closed tries once more, and then closes all the same', async () => {
    for (const comesBack of [true, false]) {
      const database = new FakeDatabase()
      const store = await openOn(database, [])
      database.failing = true
      appendAll(store.queues, 'orders', ['a'])
      const durable = store.durable()
      await turns(2)
      database.failing = !comesBack
      await store.close()
      if (comesBack) await durable
      else await expect(durable).rejects.toMatchObject({ code: 'STORE_FAILED' })
      database.failing = false
      await database.reopen()
      expect(await readTexts((await openOn(database)).queues, 'orders')).toEqual(comesBack ? ['a'] : [])
    }
  })

  test('a store on a disk that hangs can be closed, which tells that it did not end well', async () => {
    const database = new FakeDatabase()
    const clock = new FakeClock()
    const store = await openOn(database, [], clock)
    database.hold()
    appendAll(store.queues, 'orders', ['a'])
    const closing = store.close()
    await turns(2)
    clock.advance(5_000)
    await expect(closing).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})

test('what is removed while a write is under way that fails is removed all the same', async () => {
  const database = new FakeDatabase()
  const clock = new FakeClock()
  const store = await openOn(database, [], clock)
  const release = database.hold()
  const ids = appendAll(store.queues, 'orders', ['a', 'b'])
  await turns(2)
  store.queues.remove('orders', ids[0]!)
  database.failing = true
  const durable = store.durable()
  release()
  await turns(2)
  database.failing = false
  clock.advance(100)
  await durable
  const again = await openOn(database)
  expect(await readTexts(again.queues, 'orders')).toEqual(['b'])
})

describe('a data directory', () => {
  let path: string

  beforeEach(() => {
    path = join(mkdtempSync(join(tmpdir(), 'eventflow-store-')), 'data', 'store')
  })
  afterEach(() => rmSync(join(path, '..', '..'), { recursive: true, force: true }))

  test('is refused while another has it open, by name', async () => {
    const store = await openLevel()
    await expect(openLevel()).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(path),
    })
    await store.close()
    await (await openLevel()).close()
  })

  test.each(['1', '3', '10'])('is refused when it was written in format %s, and left as it is', async (version) => {
    await (await openLevel()).close()
    const database = new ClassicLevel(path)
    await database.put('version', version)
    await database.close()
    for (let round = 0; round < 2; round++) {
      await expect(openLevel()).rejects.toMatchObject({
        code: 'STORE_VERSION',
        message: `The store in ${path} has format ${version}; this version of Eventflow reads format 2 only.`,
      })
    }
  })

  test('is refused when it holds a database that is not ours', async () => {
    const database = new ClassicLevel(path)
    await database.put('hello', 'world')
    await database.close()
    await expect(openLevel()).rejects.toMatchObject({ code: 'STORE_VERSION' })
  })

  test('is STORE_FAILED when it cannot be made', async () => {
    const file = new URL(import.meta.url).pathname
    await expect(openStore({ kind: 'level', path: `${file}/x`, onFault })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    })
  })

  function openLevel() {
    return openStore({ kind: 'level', path, onFault })
  }
})

test('the logs that became empty are forgotten', async () => {
  const store = await openOn(new FakeDatabase())
  for (let index = 0; index < 100; index++) {
    const [id] = appendAll(store.sessions.outgoing, `client ${index}`, ['a'])
    await turns(1)
    store.sessions.outgoing.remove(`client ${index}`, id!)
  }
  await store.durable()
  expect(store.sessions.outgoing.list()).toEqual([])
})

function onFault(error: Error): void {
  throw error
}

function openOn(database: FakeDatabase, faults?: Error[], clock = new FakeClock()): Promise<LevelStore> {
  const report = faults === undefined ? onFault : (error: Error) => faults.push(error)
  return LevelStore.open({ kind: 'test', database, path: 'memory', clock, onFault: report, onRecovered: () => {} })
}
