import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { logKeys, packKey } from '../../../src/store/level/keys.ts'
import { LevelStore } from '../../../src/store/level/level-store.ts'
import { openStore } from '../../../src/store/open.ts'
import { appendAll, readTexts, stored, turns } from '../../contract/harness.ts'
import { FakeDatabase } from './fake-database.ts'

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
    const store = await openOn(database, faults)
    const ids = appendAll(store.queues, 'orders', ['a', 'b'])
    await store.durable()
    database.failing = true
    store.queues.remove('orders', ids[0]!)
    appendAll(store.queues, 'orders', ['c', 'd'])
    store.sessions.received('client', new Set([1]))
    await expect(store.durable()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(await readTexts(store.queues, 'orders')).toEqual(['b', 'c', 'd'])
    database.failing = false
    store.queues.remove('orders', ids[1]! + 1)
    await store.durable()
    expect(await readTexts(store.queues, 'orders')).toEqual(['b', 'd'])
    const again = await openOn(database, faults)
    expect(await readTexts(again.queues, 'orders')).toEqual(['b', 'd'])
    expect(faults).toHaveLength(1)
  })
})

test('what is removed while a write is under way that fails is removed all the same', async () => {
  const database = new FakeDatabase()
  const store = await openOn(database, [])
  const release = database.hold()
  const ids = appendAll(store.queues, 'orders', ['a', 'b'])
  await turns(2)
  store.queues.remove('orders', ids[0]!)
  database.failing = true
  const durable = store.durable()
  release()
  await expect(durable).rejects.toThrow()
  database.failing = false
  await store.durable()
  const again = await openOn(database)
  expect(await readTexts(again.queues, 'orders')).toEqual(['b'])
})

describe('damaged data', () => {
  let database: FakeDatabase
  let faults: Error[]

  beforeEach(async () => {
    database = new FakeDatabase()
    faults = []
    const store = await openOn(database)
    appendAll(store.queues, 'orders', ['a', 'b', 'c'])
    await store.durable()
    appendAll(store.queues, 'orders', ['d'])
    store.retained.put(stored('r', { topic: 'x' }).message)
    store.retained.put(stored('s', { topic: 'y' }).message)
    store.sessions.put({
      clientId: 'a',
      username: null,
      expirySeconds: 1,
      disconnectedAt: 0,
      subscriptions: [],
      will: null,
    })
    store.sessions.put({
      clientId: 'b',
      username: null,
      expirySeconds: 1,
      disconnectedAt: 0,
      subscriptions: [],
      will: null,
    })
    await store.durable()
  })

  test('a message that cannot be read is skipped and dropped, reported once', async () => {
    await damage((pack) => {
      const second = 4 + pack.readUInt32BE(0)
      pack[second + 4] = 0xff
    })
    const store = await openOn(database, faults)
    for (let round = 0; round < 2; round++) {
      expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'c', 'd'])
      expect(faults).toEqual([expect.objectContaining({ code: 'STORE_CORRUPT' })])
    }
    expect(store.queues.list()[0]!.count).toBe(3)
  })

  test('where a length is broken, so is the rest of the pack', async () => {
    await damage((pack) => pack.writeUInt32BE(1_000_000, 4 + pack.readUInt32BE(0)))
    const store = await openOn(database, faults)
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'd'])
    expect(faults).toHaveLength(1)
  })

  test('marks that cannot be read are as if there were none', async () => {
    const marks = `queue-marks\u0000orders\u0000${(1).toString(36).padStart(11, '0')}`
    await database.put(marks, Buffer.from([1, 2, 3]))
    const store = await openOn(database, faults)
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'b', 'c', 'd'])
    expect(faults).toHaveLength(1)
  })

  test('a block that the database cannot read costs what is in it, and no more', async () => {
    const store = await openOn(database, faults)
    const bad = packKey(logKeys('queue', 'orders'), 1, 3)
    const get = database.get.bind(database)
    database.getMany = async () => {
      throw corruption()
    }
    database.get = async (key) => {
      if (key === bad) throw corruption()
      return get(key)
    }
    expect(await readTexts(store.queues, 'orders')).toEqual(['d'])
    expect(faults).toHaveLength(1)
  })

  test('a disk that fails to read is STORE_FAILED, and nothing is dropped for it', async () => {
    const store = await openOn(database, faults)
    const { getMany, get } = database
    const fail = async () => {
      throw new Error('input/output error')
    }
    Object.assign(database, { getMany: fail, get: fail })
    await expect(readTexts(store.queues, 'orders')).rejects.toMatchObject({ code: 'STORE_FAILED' })
    Object.assign(database, { getMany, get })
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'b', 'c', 'd'])
  })

  test('a retained message or a session that cannot be read is skipped and reported', async () => {
    await database.put('retained\u0000x', Buffer.from([0xff]))
    await database.put('session\u0000a', Buffer.from('{'))
    const store = await openOn(database, faults)
    const topics: string[] = []
    for await (const { topic } of store.retained.load()) topics.push(topic)
    expect(topics).toEqual(['y'])
    expect((await store.sessions.load()).map(({ clientId }) => clientId)).toEqual(['b'])
    expect(faults).toHaveLength(2)
  })

  async function damage(change: (pack: Buffer) => void): Promise<void> {
    const key = packKey(logKeys('queue', 'orders'), 1, 3)
    const pack = Buffer.from((await database.get(key))!)
    change(pack)
    await database.put(key, pack)
  }
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

  test('is refused when it was written in another format, and left as it is', async () => {
    await (await openLevel()).close()
    const database = new ClassicLevel(path)
    await database.put('version', '3')
    await database.close()
    for (let round = 0; round < 2; round++) {
      await expect(openLevel()).rejects.toMatchObject({
        code: 'STORE_VERSION',
        message: `The store in ${path} has format 3; this version of Eventflow reads formats 1 and 2.`,
      })
    }
  })

  test('of format 1 is read, and is of the present one from then on, so that an older broker refuses it', async () => {
    const older = await openLevel()
    appendAll(older.queues, 'orders', ['a'])
    await older.close()
    const database = new ClassicLevel(path)
    await database.put('version', '1')
    await database.close()
    const store = await openLevel()
    expect(await readTexts(store.queues, 'orders')).toEqual(['a'])
    await store.close()
    await database.open()
    expect(await database.get('version')).toBe('2')
    await database.close()
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

function corruption(): Error {
  return Object.assign(new Error('checksum mismatch'), { code: 'LEVEL_CORRUPTION' })
}

function onFault(error: Error): void {
  throw error
}

function openOn(database: FakeDatabase, faults?: Error[]): Promise<LevelStore> {
  const report = faults === undefined ? onFault : (error: Error) => faults.push(error)
  return LevelStore.open({ kind: 'test', database, path: 'memory', onFault: report })
}
