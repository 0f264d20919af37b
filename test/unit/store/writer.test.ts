import { beforeEach, describe, expect, test } from 'vitest'
import { Operations } from '../../../src/store/level/operations.ts'
import { SLOW_MS, Writer } from '../../../src/store/level/writer.ts'
import { turns } from '../../contract/harness.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeDatabase } from '../../helpers/fake-database.ts'

const VALUE = Buffer.from('value')

let database: FakeDatabase
let clock: FakeClock
let told: string[]
let writer: Writer

beforeEach(() => {
  database = new FakeDatabase()
  clock = new FakeClock()
  told = []
  const onFault = (error: Error) => told.push(error.message)
  const onRecovered = (durationMs: number) => told.push(`recovered after ${durationMs}`)
  writer = new Writer({ database, clock, onFault, onRecovered })
})

/** Keys to put; with a minus before them, to remove. */
function write(keys: string, sync: boolean): Promise<void> {
  const operations = new Operations()
  for (const key of keys.split(' ')) {
    if (key.startsWith('-')) operations.del(key.slice(1))
    else operations.put(key, VALUE)
  }
  return writer.write(operations, sync)
}

describe('a disk that fails', () => {
  test('is tried again, after longer and longer pauses, each time on a database opened anew', async () => {
    database.failing = true
    const written = write('a', true)
    await turns(1)
    for (const [before, pauseMs] of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].entries()) {
      clock.advance(pauseMs - 1)
      await turns(1)
      expect(database.reopens).toBe(before)
      clock.advance(1)
      await turns(1)
    }
    database.failing = false
    clock.advance(5_000)
    await written
    expect(database.reopens).toBe(9)
    expect(await database.values('a')).toEqual([VALUE])
  })

  test('is told of once, with what the system said, and once when it works again', async () => {
    expect(writer.fault).toBeNull()
    database.failing = true
    const written = write('a', true)
    await turns(1)
    clock.advance(100)
    await turns(1)
    expect(writer.fault).toMatchObject({ code: 'STORE_FAILED', cause: { message: 'disk full' } })
    database.failing = false
    clock.advance(200)
    await written
    expect(told).toEqual(['The store cannot write: disk full', 'recovered after 300'])
    expect(writer.fault).toBeNull()
  })

  test('is told what it may have lost once more: all since the last sync, in order, and synced', async () => {
    await write('old', true)
    await write('a b', false)
    await write('-b c', false)
    database.failing = true
    const written = write('d', false)
    await turns(1)
    database.failing = false
    clock.advance(100)
    await written
    expect(database.batches.at(-1)).toEqual({ keys: ['a', 'b', '-b', 'c', 'd'], sync: true })
    expect(writer.unsynced).toBe(false)
  })

  test('is tried once more when the writer is stopped, and then no more', async () => {
    database.failing = true
    const written = write('a', true)
    await turns(1)
    writer.stop()
    await expect(written).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(write('b', true)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(clock.pending).toBe(0)
  })

  test('may have come back just in time for the last attempt', async () => {
    database.failing = true
    const written = write('a', true)
    await turns(1)
    database.failing = false
    writer.stop()
    await written
    expect(await database.values('a')).toEqual([VALUE])
  })

  test('may show in any call: a database that throws when a batch is made is tried again too', async () => {
    const { batch } = database
    Object.assign(database, {
      batch: () => {
        throw new Error('not open')
      },
    })
    const written = write('a', true)
    await turns(1)
    expect(told).toEqual(['The store cannot write: not open'])
    Object.assign(database, { batch })
    clock.advance(100)
    await written
    expect(await database.values('a')).toEqual([VALUE])
  })
})

test('a disk that hangs is told of after a while, and when it goes on', async () => {
  const release = database.hold()
  const written = write('a', true)
  await turns(1)
  clock.advance(SLOW_MS - 1)
  expect(writer.fault).toBeNull()
  clock.advance(1)
  expect(writer.fault).toMatchObject({ code: 'STORE_FAILED' })
  release()
  await written
  expect(writer.fault).toBeNull()
  expect(told).toEqual(['The store cannot write: the disk takes over 5 s.', 'recovered after 0'])
  expect(clock.pending).toBe(0)
})

test('what nobody waits for is synced all the same once there is much of it', async () => {
  for (let n = 0; n < 5_000; n++) await write(`${n}`, false)
  expect(database.batches.filter(({ sync }) => sync)).toHaveLength(1)
})

describe('the time that commits take', () => {
  test('is measured of those that are synced, with all that had to be tried again', async () => {
    let now = 7
    const quiet = () => {}
    writer = new Writer({ database, clock, onFault: quiet, onRecovered: quiet, uptime: () => now })
    await write('a', false)
    expect(writer.times.count).toBe(0)
    await write('b', true)
    expect([writer.times.count, writer.times.sum]).toEqual([1, 0])
    database.failing = true
    const written = write('c', true)
    await turns(1)
    now += 1_500
    database.failing = false
    clock.advance(100)
    await written
    expect([writer.times.count, writer.times.sum]).toEqual([2, 1.5])
    expect(writer.times.counts[writer.times.bounds.indexOf(2)]).toBe(1)
  })

  test('is not that of a commit with nothing in it', async () => {
    await writer.write(new Operations(), true)
    expect(writer.times.count).toBe(0)
  })
})
