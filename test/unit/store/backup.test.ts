/** Backups of a store on disk, and stores made of them. */

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/core/clock.ts'
import { Message } from '../../../src/core/message.ts'
import { restoreBackup } from '../../../src/store/level/backup/restore.ts'
import { openLevel } from '../../../src/store/level/level-database.ts'
import { LevelStore } from '../../../src/store/level/level-store.ts'
import { openStore } from '../../../src/store/open.ts'
import type { Store } from '../../../src/store/store.ts'
import { temporaryFolder } from '../../helpers/broker.ts'
import { smallDisk } from '../../helpers/small-disk.ts'

async function open(path: string, faults: Error[] = []): Promise<Store> {
  const store = await openStore({ kind: 'level', path, onFault: (error) => faults.push(error) })
  onTestFinished(() => store.close())
  return store
}

function append(store: Store, name: string, payload: string): number {
  const message = Message.of({ topic: `queue/${name}`, payload: Buffer.from(payload), qos: 1 })
  return store.queues.append(name, { message, qos: 1, retain: false, identifiers: null })
}

async function payloads(store: Store, name: string): Promise<string[]> {
  const entries = await store.queues.read(name, 0, 1_000_000)
  return entries.map(({ message }) => message.payload.toString())
}

/** A store with ten messages in it, and its backup. */
async function backedUp() {
  const folder = await temporaryFolder()
  const [data, path, restored] = ['data', 'backup', 'restored'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const store = await open(data)
  for (let n = 0; n < 10; n++) append(store, 'work', `${n}`)
  const result = await store.backup!({ path })
  return { folder, data, path, restored, store, result }
}

/** Change records of a store that is closed. */
async function tamper(path: string, change: (level: ClassicLevel<string, Buffer>) => Promise<void>): Promise<void> {
  const level = new ClassicLevel<string, Buffer>(path, { keyEncoding: 'utf8', valueEncoding: 'buffer' })
  await change(level)
  await level.close()
}

const TEN = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']

describe('a backup', () => {
  it('has what was written before it was asked for, in order, and can be restored', async () => {
    const { path, restored, store, result } = await backedUp()
    append(store, 'work', 'later')
    expect(result).toMatchObject({ damaged: 0, damagedKeys: [] })
    expect(await restoreBackup(path, restored)).toMatchObject({
      records: result.records,
      bytes: result.bytes,
      damaged: 0,
    })
    expect(await payloads(await open(restored), 'work')).toEqual(TEN)
  })

  it('is of one moment: of what moves meanwhile from one queue to another, each is in one of them', async () => {
    const { folder, store } = await backedUp()
    const ids = Array.from({ length: 2_000 }, (_, n) => append(store, 'from', `${n} ${'x'.repeat(1_000)}`))
    await store.durable()
    let over = false
    const taken = store.backup!({ path: join(folder, 'second') }).finally(() => {
      over = true
    })
    for (let n = 0; n < ids.length && !over; n++) {
      store.queues.remove('from', ids[n]!)
      append(store, 'to', `${n} moved`)
      await new Promise(setImmediate)
    }
    await taken
    await restoreBackup(join(folder, 'second'), join(folder, 'restored'))
    const copy = await open(join(folder, 'restored'))
    const left = await payloads(copy, 'from')
    const moved = await payloads(copy, 'to')
    expect(left.length + moved.length).toBe(ids.length)
    expect(new Set([...left, ...moved].map((text) => text.split(' ')[0])).size).toBe(ids.length)
  })

  it('is refused in a directory that is not empty, and where it could be taken for half a one', async () => {
    const { path, data, store } = await backedUp()
    await expect(store.backup!({ path })).rejects.toMatchObject({ code: 'BACKUP_REFUSED' })
    await expect(store.backup!({ path: data })).rejects.toMatchObject({ code: 'BACKUP_REFUSED' })
    await expect(store.backup!({ path: join(path, 'backup.json') })).rejects.toMatchObject({ code: 'BACKUP_REFUSED' })
    await expect(store.backup!({ path: `${path}.partial` })).rejects.toMatchObject({ code: 'BACKUP_REFUSED' })
  })

  it('takes the place of an empty directory, and of what an attempt that was killed has left', async () => {
    const { folder, store } = await backedUp()
    const path = join(folder, 'again')
    await mkdir(path)
    await tamper(`${path}.partial`, (level) => level.put('half', Buffer.from('a backup')))
    await store.backup!({ path })
    await restoreBackup(path, join(folder, 'restored'))
    expect(await payloads(await open(join(folder, 'restored')), 'work')).toEqual(TEN)
    expect((await readdir(folder)).sort()).toEqual(['again', 'backup', 'data', 'restored'])
  })

  it('removes no files that are not of a backup', async () => {
    const { folder, store } = await backedUp()
    const path = join(folder, 'mine')
    await mkdir(`${path}.partial`)
    await writeFile(join(`${path}.partial`, 'diary.txt'), 'dear diary')
    await expect(store.backup!({ path })).rejects.toMatchObject({ code: 'BACKUP_FAILED' })
    expect(await readFile(join(`${path}.partial`, 'diary.txt'), 'utf8')).toBe('dear diary')
  })

  it('names what is damaged in the store, and copies it as it is', async () => {
    const { folder, data, store } = await backedUp()
    await store.close()
    await tamper(data, (level) => level.put('retained\u0000a/b', Buffer.from('nothing of the kind')))
    const path = join(folder, 'second')
    const result = await (await open(data)).backup!({ path })
    expect(result).toMatchObject({ damaged: 1, damagedKeys: ['retained a/b'] })
    expect(await restoreBackup(path, join(folder, 'restored'))).toMatchObject({ damaged: 1 })
    const faults: Error[] = []
    const copy = await open(join(folder, 'restored'), faults)
    for await (const _ of copy.retained.load()) throw new Error('it is delivered')
    expect(faults).toMatchObject([{ code: 'STORE_CORRUPT' }])
  })

  it('is given up when the store is closed, and nothing is left of it', async () => {
    const { folder, store } = await backedUp()
    for (let n = 0; n < 2_000; n++) append(store, 'large', 'x'.repeat(1_000))
    let closing: Promise<void> | null = null
    const path = join(folder, 'second')
    const taken = store.backup!({
      path,
      onProgress: () => {
        closing ??= store.close()
      },
    })
    await expect(taken).rejects.toMatchObject({ code: 'BACKUP_FAILED', message: expect.stringContaining('was closed') })
    await closing
    expect((await readdir(folder)).sort()).toEqual(['backup', 'data'])
  })

  it('is given up when the disk of the store fails and the database is opened anew', async () => {
    const folder = await temporaryFolder()
    const database = await openLevel(join(folder, 'data'))
    const faults = { onFault: () => {}, onRecovered: () => {} }
    const store = await LevelStore.open({ kind: 'test', database, path: folder, clock: systemClock, ...faults })
    onTestFinished(() => store.close())
    for (let n = 0; n < 2_000; n++) append(store, 'large', 'x'.repeat(1_000))
    let reopened: Promise<void> | null = null
    const onProgress = (): void => {
      reopened ??= database.release() // what it comes to, once the disk works
    }
    const taken = store.backup({ path: join(folder, 'backup'), onProgress })
    await expect(taken).rejects.toMatchObject({ code: 'BACKUP_FAILED' })
    await reopened
    expect(await readdir(folder)).toEqual(['data'])
    await store.backup({ path: join(folder, 'backup') })
  })

  it('on a disk that fills up says so, leaves nothing there, and room for others; the store goes on', async (context) => {
    const disk = await smallDisk('80m')
    if (disk === null) return context.skip()
    const { store } = await backedUp()
    for (let n = 0; n < 1_000; n++) {
      append(store, 'large', randomBytes(50_000).toString('latin1')) // does not compress
    }
    const path = join(disk, 'backup')
    const message = expect.stringMatching(/^The backup .* cannot be written: the disk is full/)
    await expect(store.backup!({ path })).rejects.toMatchObject({ code: 'BACKUP_FAILED', message })
    expect(await readdir(disk)).toEqual([])
    append(store, 'work', 'after')
    await store.durable()
    expect(store.fault).toBeNull()
  })
})

describe('restoring', () => {
  it('is refused where there is something', async () => {
    const { path, data } = await backedUp()
    await expect(restoreBackup(path, data)).rejects.toMatchObject({ code: 'BACKUP_REFUSED' })
  })

  it('is refused for what is no backup', async () => {
    const { data, restored } = await backedUp()
    await expect(restoreBackup(data, restored)).rejects.toMatchObject({ code: 'BACKUP_INVALID' })
    await expect(restoreBackup('/nowhere', restored)).rejects.toMatchObject({ code: 'BACKUP_INVALID' })
  })

  it('to a disk that is too small says so, and leaves no store there', async (context) => {
    const disk = await smallDisk('64k')
    if (disk === null) return context.skip()
    const { folder, store } = await backedUp()
    for (let n = 0; n < 100; n++) append(store, 'large', randomBytes(2_000).toString('latin1'))
    await store.backup!({ path: join(folder, 'second') })
    const message = expect.stringContaining('ENOSPC')
    await expect(restoreBackup(join(folder, 'second'), disk)).rejects.toMatchObject({ code: 'BACKUP_FAILED', message })
    expect(await readdir(disk)).toEqual([])
  })

  it('goes on after an attempt that was killed', async () => {
    const { path, restored } = await backedUp()
    await mkdir(join(restored, 'restoring'), { recursive: true })
    await writeFile(join(restored, 'restoring', '000005.ldb'), 'half a file')
    await restoreBackup(path, restored)
    expect(await payloads(await open(restored), 'work')).toEqual(TEN)
  })

  it('leaves the backup as it was', async () => {
    const { folder, path, restored } = await backedUp()
    const before = (await readdir(path)).sort()
    for (const name of before) await chmod(join(path, name), 0o400)
    await restoreBackup(path, restored)
    expect((await readdir(path)).sort()).toEqual(before)
    await restoreBackup(path, join(folder, 'another'))
  })

  it('is refused for another format, and tells both', async () => {
    const { path, restored } = await backedUp()
    const file = join(path, 'backup.json')
    await writeFile(file, (await readFile(file, 'utf8')).replace(/"format": \d+/, '"format": 99'))
    const message = expect.stringMatching(/has format 99; .* reads format \d+ only/)
    await expect(restoreBackup(path, restored)).rejects.toMatchObject({ code: 'STORE_VERSION', message })
  })

  it.each([
    ['lacks a record', (path: string) => tamper(path, (level) => level.del('ids'))],
    ['has one more', (path: string) => tamper(path, (level) => level.put('one', Buffer.from('more')))],
    ['has another value', (path: string) => tamper(path, (level) => level.put('ids', Buffer.from('another')))],
    ['lacks the end of its log', cutLog],
    ['lacks its list of files', async (path: string) => truncate(join(path, await nameOf(path, /^MANIFEST/)), 1)],
    ['has a bad description', (path: string) => writeFile(join(path, 'backup.json'), '{"format":')],
  ])('is refused for a backup that %s, and nothing is left', async (_, damage) => {
    const { path, restored } = await backedUp()
    await damage(path)
    await expect(restoreBackup(path, restored)).rejects.toMatchObject({ code: 'BACKUP_INVALID' })
    expect(await readdir(restored).catch(() => [])).toEqual([])
  })
})

async function nameOf(path: string, pattern: RegExp): Promise<string> {
  return (await readdir(path)).find((name) => pattern.test(name))!
}

async function cutLog(path: string): Promise<void> {
  const log = join(path, await nameOf(path, /\.log$/))
  await truncate(log, (await readFile(log)).length - 10)
}
