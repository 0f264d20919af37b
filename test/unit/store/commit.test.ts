import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Commit } from '../../../src/store/level/commit.ts'
import { Writer } from '../../../src/store/level/writer.ts'
import { turns } from '../../contract/harness.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeDatabase } from '../../helpers/fake-database.ts'
import { until } from '../../helpers/until.ts'

const VALUE = Buffer.from('value')

describe('group commit', () => {
  let database: FakeDatabase
  let clock: FakeClock
  let writer: Writer
  let commit: Commit

  beforeEach(() => {
    database = new FakeDatabase()
    clock = new FakeClock()
    writer = new Writer({ database, clock, onFault: () => {}, onRecovered: () => {} })
    commit = new Commit(writer)
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
    void commit.durable()
    await turns(2)
    commit.put('b', VALUE)
    void commit.durable()
    await turns(2)
    commit.put('c', VALUE)
    await turns(2)
    expect(database.batches.map(({ keys }) => keys)).toEqual([['a']])
    release()
    await turns(3)
    expect(database.batches.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c']])
  })

  test('what nobody waits for goes with what somebody waits for', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }) // five milliseconds are soon over on a busy machine
    onTestFinished(() => void vi.useRealTimers())
    commit.put('a', VALUE)
    await turns(3)
    commit.put('b', VALUE)
    await commit.durable()
    expect(database.batches).toEqual([{ keys: ['a', 'b'], sync: true }])
  })

  test('what nobody waits for is written soon though nobody does, and is not synced', async () => {
    commit.put('a', VALUE)
    await until('it is handed over', () => database.batches.length === 1)
    expect(database.batches).toEqual([{ keys: ['a'], sync: false }])
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
    await until('it is written', () => writer.unsynced)
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
    await until('it is handed over', () => database.batches.length === 1)
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
    expect(String(await database.values('p'))).toBe('late')
  })

  test('who waits for a disk that fails waits on; what comes meanwhile goes with the next batch', async () => {
    database.failing = true
    commit.put('a', VALUE)
    const durable = commit.durable()
    await turns(3)
    commit.put('b', VALUE)
    commit.del('a')
    const later = commit.durable()
    database.failing = false
    clock.advance(100)
    await durable
    expect(await database.values('a', 'b')).toEqual([VALUE, undefined])
    await later
    expect(await database.values('a', 'b')).toEqual([undefined, VALUE])
  })

  test('counts the bytes that are not written yet, as far as it is told', async () => {
    const part = { seal: () => {} }
    commit.join(part)
    commit.grow(3)
    commit.grow(4)
    expect(commit.bytes).toBe(7)
    await commit.durable()
    expect(commit.bytes).toBe(0)
  })

  test('drains what is waiting and what comes meanwhile, and ends though it fails', async () => {
    const release = database.hold()
    commit.put('a', VALUE)
    const draining = commit.drain()
    await turns(2)
    commit.put('b', VALUE)
    release()
    await draining
    expect(await database.values('a', 'b')).toEqual([VALUE, VALUE])
    database.failing = true
    commit.put('c', VALUE)
    const durable = commit.durable()
    writer.stop()
    await commit.drain()
    await expect(durable).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})
