import { beforeEach, describe, expect, test } from 'vitest'
import { Commit } from '../../../src/store/level/commit.ts'
import { turns } from '../../contract/harness.ts'
import { FakeDatabase } from './fake-database.ts'

const VALUE = Buffer.from('value')

describe('group commit', () => {
  let database: FakeDatabase
  let faults: Error[]
  let commit: Commit

  beforeEach(() => {
    database = new FakeDatabase()
    faults = []
    commit = new Commit({ database, onFault: (error) => faults.push(error) })
  })

  test('what is written in one turn is one batch, the last write of a key wins', async () => {
    commit.put('a', VALUE)
    commit.put('b', VALUE)
    await Promise.resolve()
    commit.del('a')
    await commit.durable()
    expect(database.batches).toEqual([{ keys: ['-a', 'b'], sync: true }])
  })

  test('what is put as a function is made once a batch, when it is closed', async () => {
    let made = 0
    const make = () => Buffer.from([++made])
    for (let i = 0; i < 100; i++) commit.put('a', make)
    expect(made).toBe(0)
    await commit.durable()
    expect([made, database.batches]).toEqual([1, [{ keys: ['a'], sync: true }]])
  })

  test('while one batch is written the next one fills, and goes at once when it is done', async () => {
    const release = database.hold()
    commit.put('a', VALUE)
    await turns(2)
    commit.put('b', VALUE)
    await turns(2)
    commit.put('c', VALUE)
    await turns(2)
    expect(database.batches.map(({ keys }) => keys)).toEqual([['a']])
    release()
    await turns(3)
    expect(database.batches.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c']])
  })

  test('syncs only when somebody waits', async () => {
    commit.put('a', VALUE)
    await turns(3)
    commit.put('b', VALUE)
    await commit.durable()
    expect(database.batches.map(({ sync }) => sync)).toEqual([false, true])
  })

  test('durable() shares one promise among all who ask about one batch, also while it is written', async () => {
    const release = database.hold()
    commit.put('a', VALUE)
    const first = commit.durable()
    commit.put('b', VALUE)
    expect(commit.durable()).toBe(first)
    await turns(2)
    expect(database.batches).toHaveLength(1)
    expect(commit.durable()).toBe(first)
    commit.put('c', VALUE)
    expect(commit.durable()).not.toBe(first)
    release()
    await commit.durable()
  })

  test('durable() covers what was written before without sync, though nothing is waiting any more', async () => {
    commit.put('a', VALUE)
    await turns(3)
    await commit.durable()
    await commit.durable()
    expect(database.batches).toEqual([
      { keys: ['a'], sync: false },
      { keys: ['sync'], sync: true },
    ])
  })

  test('durable() covers a batch that is being written without sync', async () => {
    const release = database.hold()
    commit.put('a', VALUE)
    await turns(2)
    let done = false
    const durable = commit.durable().then(() => {
      done = true
    })
    await turns(3)
    expect(done).toBe(false)
    release()
    await durable
    expect(database.batches.map(({ sync }) => sync)).toEqual([false, true])
  })

  test('a part writes once a batch, what it decides when the batch is closed', async () => {
    let value = 'early'
    const part = { seal: (chain: { put(key: string, value: Buffer): unknown }) => chain.put('p', Buffer.from(value)) }
    commit.join(part)
    commit.join(part)
    value = 'late'
    await commit.durable()
    expect(database.batches).toEqual([{ keys: ['p'], sync: true }])
    expect((await database.get('p'))!.toString()).toBe('late')
  })

  test('a failed write is told to who waits and to onFault, with its cause', async () => {
    database.failing = true
    commit.put('a', VALUE)
    const durable = commit.durable()
    await expect(durable).rejects.toMatchObject({ code: 'STORE_FAILED', cause: { message: 'disk full' } })
    expect(faults).toEqual([expect.objectContaining({ code: 'STORE_FAILED' })])
  })

  test('a failed write that nobody waits for is told to onFault only', async () => {
    database.failing = true
    commit.put('a', VALUE)
    await turns(3)
    expect(faults).toHaveLength(1)
  })

  test('what could not be written rides along with the next batch, the later write winning', async () => {
    database.failing = true
    commit.put('a', VALUE)
    commit.put('b', VALUE)
    await expect(commit.durable()).rejects.toThrow()
    database.failing = false
    commit.del('b')
    commit.put('c', VALUE)
    await commit.durable()
    expect(await database.getMany(['a', 'b', 'c'])).toEqual([VALUE, undefined, VALUE])
    await commit.durable()
    expect(database.batches).toHaveLength(2)
  })

  test('durable() after a failure tries again, though nothing new was written', async () => {
    database.failing = true
    commit.put('a', VALUE)
    await turns(3)
    database.failing = false
    await commit.durable()
    expect(await database.get('a')).toEqual(VALUE)
  })

  test('a database that throws when a batch is made is a failed write like any other', async () => {
    const broken = Object.assign(new FakeDatabase(), {
      batch: () => {
        throw new Error('not open')
      },
    })
    commit = new Commit({ database: broken, onFault: (error) => faults.push(error) })
    commit.put('a', VALUE)
    await expect(commit.durable()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  test('drains what is waiting and what comes meanwhile, and ends though it fails', async () => {
    const release = database.hold()
    commit.put('a', VALUE)
    const draining = commit.drain()
    await turns(2)
    commit.put('b', VALUE)
    release()
    await draining
    expect(await database.getMany(['a', 'b'])).toEqual([VALUE, VALUE])
    database.failing = true
    commit.put('c', VALUE)
    await commit.drain()
    expect(faults).toHaveLength(1)
  })
})
