/** What is damaged is set aside, told of, and never taken for anything else; the rest is served. */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sealed, unsealed } from '../../../src/store/level/checksum.ts'
import { logKeys, marksKey, packKey } from '../../../src/store/level/keys.ts'
import { LevelStore } from '../../../src/store/level/level-store.ts'
import { openStore } from '../../../src/store/open.ts'
import type { SessionRecord, Store } from '../../../src/store/store.ts'
import { appendAll, readTexts, stored } from '../../contract/harness.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeDatabase } from '../../helpers/fake-database.ts'

const ORDERS = logKeys('queue', 'orders')
const PACK = packKey(ORDERS, 1, 3)

function session(clientId: string): SessionRecord {
  return { clientId, username: null, expirySeconds: 1, disconnectedAt: 0, subscriptions: [], will: null }
}

describe('a damaged record', () => {
  let database: FakeDatabase
  let told: string[]

  async function open(): Promise<Store> {
    const onFault = (error: Error): void => {
      expect(error).toMatchObject({ code: 'STORE_CORRUPT' })
      told.push(error.message)
    }
    const options = { kind: 'test', database, path: 'memory', clock: new FakeClock(), onFault, onRecovered() {} }
    return LevelStore.open(options)
  }

  beforeEach(async () => {
    database = new FakeDatabase()
    told = []
    const store = await open()
    appendAll(store.queues, 'orders', ['a', 'b', 'c'])
    await store.durable()
    appendAll(store.queues, 'orders', ['d'])
    appendAll(store.sessions.outgoing, 'a', ['to a'])
    store.retained.put(stored('r', { topic: 'x' }).message)
    store.retained.put(stored('s', { topic: 'y' }).message)
    for (const clientId of ['a', 'b']) {
      store.sessions.put(session(clientId))
      store.sessions.received(clientId, new Set([7]))
    }
    await store.durable()
  })

  /** Change what is stored under `key`, and leave the sum as it is, or make it right for it. */
  async function damage(
    key: string,
    change: (bytes: Buffer) => void,
    sum: 'wrong' | 'right' = 'wrong',
  ): Promise<Buffer> {
    const bytes = Buffer.from((await database.get(key))!)
    change(bytes)
    const found = sum === 'wrong' ? bytes : sealed(key, bytes.subarray(0, -4))
    await database.put(key, found)
    return found
  }

  async function setAside(key: string): Promise<Buffer | undefined> {
    const found = await database.get(`damaged\u0000${key}`)
    return found === undefined ? undefined : unsealed(`damaged\u0000${key}`, found)
  }

  test('of messages is set aside as it was found, and told of once', async () => {
    const found = await damage(PACK, (pack) => {
      pack[20]! ^= 1
    })
    for (let round = 0; round < 2; round++) {
      const store = await open()
      expect(await readTexts(store.queues, 'orders')).toEqual(['d'])
      expect(store.queues.list().map(({ count }) => count)).toEqual([1])
      await store.durable()
      expect(told).toEqual(['3 messages of queue orders cannot be read, from 1 to 3: set aside.'])
    }
    expect(await setAside(PACK)).toEqual(found)
    expect(await database.get(PACK)).toBeUndefined()
  })

  test('costs only what cannot be read, where the sum is right and one message is not', async () => {
    await damage(
      PACK,
      (pack) => {
        pack[4 + pack.readUInt32BE(0) + 4] = 0xff
      },
      'right',
    )
    const store = await open()
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'c', 'd'])
    expect(told).toEqual(['1 messages of queue orders cannot be read, from 2 to 2: set aside.'])
    await damage(PACK, (pack) => pack.writeUInt32BE(1_000_000, 4 + pack.readUInt32BE(0)), 'right')
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'd'])
    expect(told).toHaveLength(2)
  })

  test('under a key that is another one is not served under it', async () => {
    await database.put(packKey(ORDERS, 10, 3), (await database.get(PACK))!)
    const store = await open()
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'b', 'c', 'd'])
    expect(told).toEqual(['3 messages of queue orders cannot be read, from 10 to 12: set aside.'])
  })

  test('under a key that is none of ours is set aside', async () => {
    const bad = `${packKey(ORDERS, 10, 3).slice(0, -2)}!!`
    await database.put(bad, Buffer.from('what'))
    const store = await open()
    await store.durable()
    expect(await setAside(bad)).toEqual(Buffer.from('what'))
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'b', 'c', 'd'])
    expect(told).toEqual(['Messages of a queue whose key is damaged are set aside.'])
  })

  test('of marks is set aside, and its messages come again', async () => {
    const store = await open()
    store.queues.remove('orders', 1)
    await store.durable()
    await damage(marksKey(ORDERS, 1), (marks) => {
      marks[0] = 0
    })
    for (let round = 0; round < 2; round++) {
      const again = await open()
      expect(await readTexts(again.queues, 'orders')).toEqual(['a', 'b', 'c', 'd'])
      await again.durable()
      expect(told).toHaveLength(1)
    }
    expect(await setAside(marksKey(ORDERS, 1))).toBeDefined()
  })

  test('of messages of a session is set aside; what is known of their identifiers is told to who reads them', async () => {
    const store = await open()
    const [first, second] = appendAll(store.sessions.outgoing, 'a', ['to a', 'to a again'])
    store.sessions.outgoing.mark('a', first!, 41)
    store.sessions.outgoing.mark('a', second!, 42)
    await store.durable()
    await damage(packKey(logKeys('outgoing', 'a'), first!, 2), (pack) => {
      pack[20]! ^= 1
    })
    const lost: number[] = []
    const again = await open()
    const entries = await again.sessions.outgoing.read('a', 0, 10, (mark) => lost.push(mark))
    expect(entries).toHaveLength(1)
    expect(lost).toEqual([41, 42])
  })

  test('of a retained message is set aside, and told of once', async () => {
    await damage('retained\u0000x', (bytes) => {
      bytes[0] = 0xff
    })
    for (let round = 0; round < 2; round++) {
      const store = await open()
      const topics: string[] = []
      for await (const { topic } of store.retained.load()) topics.push(topic)
      expect(topics).toEqual(['y'])
      await store.durable()
      expect(told).toEqual(['The retained message of x cannot be read: set aside.'])
    }
    expect(await setAside('retained\u0000x')).toBeDefined()
  })

  test('of a session is set aside with its messages, so that the client can begin anew', async () => {
    await damage('session\u0000a', (bytes) => {
      bytes[5]! ^= 1
    })
    for (let round = 0; round < 2; round++) {
      const store = await open()
      expect((await store.sessions.load()).map(({ clientId }) => clientId)).toEqual(['b'])
      await store.durable()
      expect(store.sessions.outgoing.list()).toEqual([])
      expect(told).toEqual(['The session of a cannot be read: set aside, with 1 messages at most.'])
    }
    const keys = (await database.allKeys()).filter((key) => key.startsWith('damaged'))
    expect(keys).toEqual([expect.stringMatching(/^damaged outgoing a \w+$/), 'damaged session a'])
    expect((await database.allKeys()).filter((key) => key.endsWith(' a') && !key.startsWith('damaged'))).toEqual([])
  })

  test('of received identifiers is set aside; the session goes on', async () => {
    await damage('received\u0000a', (bytes) => {
      bytes[1]! ^= 1
    })
    const sessions = await (await open()).sessions.load()
    expect(sessions.map(({ clientId, received }) => [clientId, received])).toEqual([
      ['a', []],
      ['b', [7]],
    ])
    expect(told).toHaveLength(1)
  })

  test('of the limit of ids makes them go on far beyond those in use', async () => {
    await damage('ids', (bytes) => {
      bytes[0]! ^= 1
    })
    const store = await open()
    const [id] = appendAll(store.queues, 'other', ['z'])
    expect(id).toBeGreaterThan(2 ** 45)
    await store.durable()
    const again = await open()
    expect(appendAll(again.queues, 'third', ['z'])[0]).toBeGreaterThan(id!)
    expect(told).toHaveLength(1)
  })

  test('in a block that the database cannot read is lost; what is in other blocks is not', async () => {
    const store = await open()
    const get = database.get.bind(database)
    const corruption = () => Object.assign(new Error('checksum mismatch'), { code: 'LEVEL_CORRUPTION' })
    database.getMany = async () => {
      throw corruption()
    }
    database.get = async (key) => {
      if (key === PACK) throw corruption()
      return get(key)
    }
    expect(await readTexts(store.queues, 'orders')).toEqual(['d'])
    expect(told).toEqual(['3 messages of queue orders cannot be read, from 1 to 3: lost.'])
  })

  test('is no disk that fails to read: that is STORE_FAILED, and nothing is dropped for it', async () => {
    const store = await open()
    const { getMany, get } = database
    const fail = async () => {
      throw new Error('input/output error')
    }
    Object.assign(database, { getMany: fail, get: fail })
    await expect(readTexts(store.queues, 'orders')).rejects.toMatchObject({ code: 'STORE_FAILED' })
    Object.assign(database, { getMany, get })
    expect(await readTexts(store.queues, 'orders')).toEqual(['a', 'b', 'c', 'd'])
  })
})

describe('damaged files', () => {
  const root = mkdtempSync(join(tmpdir(), 'eventflow-damage-'))
  const whole = join(root, 'whole')
  const path = join(root, 'damaged')
  const sent: string[] = []
  let told: string[]

  async function open(where = path): Promise<Store> {
    return openStore({ kind: 'level', path: where, onFault: (error) => told.push(error.message) })
  }

  /** Twice a thousand messages, the first in a table, the others in the log. */
  beforeAll(async () => {
    for (let part = 0; part < 2; part++) {
      const store = await open(whole)
      for (let batch = 0; batch < 50; batch++) {
        const texts = Array.from({ length: 20 }, (_, n) => `${part} ${batch} ${n} ${'x'.repeat(60)}`)
        appendAll(store.queues, 'orders', texts)
        sent.push(...texts)
        await store.durable()
      }
      await store.close()
    }
  })
  beforeEach(() => {
    told = []
    rmSync(path, { recursive: true, force: true })
    cpSync(whole, path, { recursive: true })
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  /** The largest file of that name. */
  function file(pattern: RegExp): string {
    const files = readdirSync(path).filter((name) => pattern.test(name))
    return files.map((name) => join(path, name)).sort((a, b) => statSync(b).size - statSync(a).size)[0]!
  }

  function change(pattern: RegExp, edit: (bytes: Buffer) => void): void {
    const bytes = readFileSync(file(pattern))
    edit(bytes)
    writeFileSync(file(pattern), bytes)
  }

  const TABLE = /\.ldb$/
  const LOG = /\.log$/

  test('are never misread: whatever bit is wrong, all that is served is what was stored, or nothing is', async () => {
    const known = new Set(sent)
    const { size } = statSync(file(TABLE))
    for (const [pattern, end] of [
      [TABLE, size],
      [LOG, statSync(file(LOG)).size],
    ] as const) {
      for (let at = 100; at < end; at += Math.floor(end / 12)) {
        rmSync(path, { recursive: true, force: true })
        cpSync(whole, path, { recursive: true })
        told = []
        change(pattern, (bytes) => {
          bytes[at]! ^= 1 << (at % 8)
        })
        try {
          const store = await open()
          const texts = await readTexts(store.queues, 'orders')
          await store.close()
          expect(texts.filter((text) => !known.has(text))).toEqual([])
          expect(texts.length < sent.length).toBe(told.length > 0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'STORE_CORRUPT', message: expect.stringContaining(path) })
        }
      }
    }
  })

  test.each<[string, () => void]>([
    ['a table of garbage', () => change(TABLE, (bytes) => bytes.fill(0x55))],
    ['a table that is gone', () => rmSync(file(TABLE))],
    ['a manifest of garbage', () => change(/^MANIFEST/, (bytes) => bytes.fill(0x55))],
    ['a manifest that ends early', () => truncateSync(file(/^MANIFEST/), 20)],
    ['CURRENT of garbage', () => writeFileSync(file(/^CURRENT$/), 'x')],
    ['CURRENT that is gone', () => rmSync(file(/^CURRENT$/))],
  ])('%s is refused by the name of its directory, and left as it is', async (_, damage) => {
    damage()
    const tables = readdirSync(path).filter((name) => TABLE.test(name))
    for (let round = 0; round < 2; round++) {
      await expect(open()).rejects.toMatchObject({ code: 'STORE_CORRUPT', message: expect.stringContaining(path) })
    }
    expect(readdirSync(path)).toEqual(expect.arrayContaining(tables))
  })

  test('a table that ends early is refused by the name of its directory', async () => {
    truncateSync(file(TABLE), statSync(file(TABLE)).size >> 1)
    await expect(open()).rejects.toMatchObject({
      code: expect.stringMatching(/STORE_CORRUPT|STORE_FAILED/),
      message: expect.stringContaining(path),
    })
  })

  test('a log with garbage in it costs what is there, and is told of', async () => {
    change(LOG, (bytes) => bytes.fill(0x55, 40_000, 40_100))
    const store = await open()
    const texts = await readTexts(store.queues, 'orders')
    expect(texts.length).toBeGreaterThan(1_000)
    expect(texts.length).toBeLessThan(2_000)
    expect(told).toEqual([expect.stringMatching(/^\d+ bytes of the log in .* cannot be read/)])
    await store.close()
  })

  test('a log that ends early is what a power loss leaves: nothing to tell of', async () => {
    truncateSync(file(LOG), statSync(file(LOG)).size - 1_000)
    const store = await open()
    expect(await readTexts(store.queues, 'orders')).toEqual(sent.slice(0, 1_980))
    expect(told).toEqual([])
    await store.close()
  })

  test('that cannot be opened can be repaired as far as they can be read, with what LevelDB has for it', async () => {
    change(TABLE, (bytes) => bytes.fill(0x55, 3_000, 3_100))
    rmSync(file(/^CURRENT$/))
    await expect(open()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await ClassicLevel.repair(path)
    const store = await open()
    const texts = await readTexts(store.queues, 'orders')
    expect(texts.length).toBeGreaterThan(1_000)
    expect(texts.filter((text) => !sent.includes(text))).toEqual([])
    await store.close()
  })
})
