/** Backups as operators make them: while clients are busy, over HTTP and from the command line, and brokers made of them. */

import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { restoreBackup } from '../../src/store/level/backup/restore.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { finish } from '../helpers/program.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { smallDisk } from '../helpers/small-disk.ts'
import { until } from '../helpers/until.ts'

/** Unacknowledged messages of one producer. */
const WINDOW = 50

/** Publishes numbered messages to a topic at QoS 1 or 2 without a pause, until it is stopped. */
class Producer {
  /** The numbers that the broker has answered for: PUBACK, or PUBREC. */
  readonly acknowledged: number[] = []
  readonly #client: RawClient
  readonly #topic: string
  readonly #qos: 1 | 2
  readonly #inFlight = new Map<number, number>()
  #next = 1
  #stopped = false

  private constructor(client: RawClient, topic: string, qos: 1 | 2) {
    this.#client = client
    this.#topic = topic
    this.#qos = qos
  }

  static async start(port: number, clientId: string, topic: string, qos: 1 | 2) {
    const producer = new Producer(await connectRaw(port, { clientId, clean: false }), topic, qos)
    return { producer, ended: producer.#run() }
  }

  stop(): void {
    this.#stopped = true
  }

  async #run(): Promise<void> {
    while (!this.#stopped || this.#inFlight.size > 0) {
      while (!this.#stopped && this.#inFlight.size < WINDOW) this.#publish()
      const messageId = (await this.#client.next(this.#qos === 1 ? 'puback' : 'pubrec')).messageId!
      this.acknowledged.push(this.#inFlight.get(messageId)!)
      this.#inFlight.delete(messageId)
      if (this.#qos === 2) this.#client.send({ cmd: 'pubrel', messageId })
    }
  }

  #publish(): void {
    const number = this.#next++
    const messageId = (number % 60_000) + 1
    this.#inFlight.set(messageId, number)
    const payload = `${number} ${'x'.repeat(200)}`
    this.#client.send({
      cmd: 'publish',
      topic: this.#topic,
      payload,
      qos: this.#qos,
      messageId,
      dup: false,
      retain: false,
    })
  }
}

/** Everything in the order in which it comes, until `enough`. */
async function receive(client: RawClient, enough: (numbers: number[]) => boolean): Promise<number[]> {
  const numbers: number[] = []
  while (!enough(numbers)) {
    const { payload, messageId } = await client.next('publish')
    numbers.push(Number.parseInt(payload.toString(), 10))
    client.send({ cmd: 'puback', messageId: messageId! })
  }
  return numbers
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1)

async function subscribe(client: RawClient, topic: string, qos: 0 | 1 | 2 = 1): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  await client.next('suback')
}

/** A broker with its data on disk, which may write backups beside it. */
async function start(config: object = {}) {
  const folder = await temporaryFolder()
  const backups = join(folder, 'backups')
  const data = join(folder, 'data')
  const broker = await startBroker({
    http: { port: 0 },
    store: { path: data, backupPath: backups },
    ...config,
  })
  return { folder, backups, data, broker, port: broker.port }
}

async function startFrom(backup: string, data: string) {
  await restoreBackup(backup, data)
  return startBroker({ store: { path: data } })
}

describe('a backup under load', () => {
  it('has every message acknowledged before it, in order, with sessions, retained messages and wills', {
    timeout: 60_000,
  }, async () => {
    const { folder, broker, port } = await start()
    const away = await connectRaw(port, { clientId: 'away', clean: false })
    await subscribe(away, 'news')
    away.socket.destroy()
    const will = { topic: 'queue/wills', payload: Buffer.from('7 gone'), qos: 1 as const, retain: false }
    await connectRaw(port, { clientId: 'mortal', will })
    await broker.publish('lamp', 'on', { qos: 1, retain: true })
    const runs = await Promise.all([
      Producer.start(port, 'one', 'queue/one', 1),
      Producer.start(port, 'two', 'queue/two', 2),
      Producer.start(port, 'three', 'news', 1),
    ])
    const [one, two, three] = runs.map(({ producer }) => producer) as [Producer, Producer, Producer]
    const all = [one, two, three]
    await until('all are busy', () => all.every(({ acknowledged }) => acknowledged.length > 300))
    const before = all.map(({ acknowledged }) => acknowledged.length) as [number, number, number]
    const backup = join(folder, 'somewhere/else')
    const result = await broker.backup(backup)
    const during = all.map(({ acknowledged }) => acknowledged.length)
    // The load has gone on.
    await until('all are busy yet', () => all.every(({ acknowledged }, n) => acknowledged.length > during[n]!))
    for (const { producer, ended } of runs) {
      producer.stop()
      await ended
    }
    expect(result.damaged).toBe(0)
    await broker.stop()

    const copy = await startFrom(backup, join(folder, 'restored'))
    for (const [queue, count] of [
      ['one', before[0]],
      ['two', before[1]],
    ] as const) {
      const { length } = await copy.queues.show(queue)
      expect(length).toBeGreaterThanOrEqual(count)
      const consumer = await connectRaw(copy.port)
      await subscribe(consumer, `queue/${queue}`)
      expect(await receive(consumer, (numbers) => numbers.length === length)).toEqual(upTo(length))
    }
    const back = await connectRaw(copy.port, { clientId: 'away', clean: false })
    expect(back.connack.sessionPresent).toBe(true)
    expect(await receive(back, (numbers) => numbers.length >= before[2])).toEqual(upTo(before[2]))
    const reader = await connectRaw(copy.port)
    await subscribe(reader, 'lamp')
    expect((await reader.next('publish')).payload.toString()).toBe('on')
    await subscribe(reader, 'queue/wills')
    expect(await receive(reader, (numbers) => numbers.length === 1)).toEqual([7])
    expect(copy.status.recent().map(({ type }) => type)).not.toContain('store.failed')
  })

  it('what a publisher at QoS 2 had received for it is known to the copy: sent again it is stored once', async () => {
    const { folder, broker, port } = await start()
    const session = { clientId: 'p', clean: false }
    const publisher = await connectRaw(port, session)
    const packet = { cmd: 'publish', topic: 'queue/q', payload: 'once', qos: 2, messageId: 9, retain: false } as const
    publisher.send({ ...packet, dup: false })
    await publisher.next('pubrec')
    await broker.backup(join(folder, 'backup'))
    const copy = await startFrom(join(folder, 'backup'), join(folder, 'restored'))
    const again = await connectRaw(copy.port, session)
    again.send({ ...packet, dup: true })
    await again.next('pubrec')
    expect(await copy.queues.show('q')).toMatchObject({ length: 1 })
  })

  it('is one at a time', async () => {
    const { folder, broker } = await start()
    const first = broker.backup(join(folder, 'first'))
    const message = expect.stringContaining('is under way')
    await expect(broker.backup(join(folder, 'second'))).rejects.toMatchObject({ code: 'BACKUP_REFUSED', message })
    await first
    await broker.backup(join(folder, 'second'))
  })

  it('to a disk that is full fails with what is wrong, and the broker goes on', async (context) => {
    const disk = await smallDisk('1m')
    if (disk === null) return context.skip()
    const { broker, port } = await start()
    const events = listenTo(broker, 'backup.failed')
    const path = join(disk, 'backup')
    const message = expect.stringContaining('the disk is full')
    await expect(broker.backup(path)).rejects.toMatchObject({ code: 'BACKUP_FAILED', message })
    expect(await events.find('backup.failed')).toMatchObject({ code: 'BACKUP_FAILED', path, message })
    expect(await readdir(disk)).toEqual([])
    const publisher = await connectRaw(port)
    publisher.send({ cmd: 'publish', topic: 'queue/q', payload: 'x', qos: 1, messageId: 1, dup: false, retain: false })
    await publisher.next('puback')
  })
})

describe('over HTTP', () => {
  const ask = async (url: string, method: string, path: string | null = null, token = '') => {
    const query = path === null ? '' : `?path=${encodeURIComponent(path)}`
    const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
    const answer = await fetch(`${url}/api/v1/backup${query}`, { method, headers })
    return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) }
  }

  it('one is begun, and how it goes is told', async () => {
    const { broker, backups } = await start()
    const url = broker.httpUrl!
    expect(await ask(url, 'GET')).toMatchObject({ status: 404, code: 'BACKUP_NONE' })
    const finished = listenTo(broker, 'backup.finished')
    const path = join(backups, 'monday')
    expect(await ask(url, 'POST', 'monday')).toMatchObject({ status: 200, state: 'running', path, endedAt: null })
    await finished.find('backup.finished')
    expect(await ask(url, 'GET')).toMatchObject({ state: 'finished', path, damaged: 0, fault: null })
    expect(await readdir(backups)).toEqual(['monday'])
  })

  it.each(['', '.', '..', '../data', '/etc/eventflow', 'a/../..', 'a\u0000b'])(
    'none is written elsewhere than below store.backupPath: %j',
    async (path) => {
      const { broker, folder } = await start()
      const { status } = await ask(broker.httpUrl!, 'POST', path)
      expect(status).toBe(path === '' ? 400 : 409)
      expect((await readdir(folder)).sort()).toEqual(['data'])
    },
  )

  it('a token that may only look begins none', async () => {
    const folder = await temporaryFolder()
    const tokenFile = join(folder, 'tokens')
    await writeFile(tokenFile, 'a read aaaaaaaaaaaaaaaa\nb operate bbbbbbbbbbbbbbbb\n')
    await chmod(tokenFile, 0o600)
    const { broker } = await start({ http: { port: 0, tokenFile } })
    expect((await ask(broker.httpUrl!, 'POST', 'x')).status).toBe(401)
    expect((await ask(broker.httpUrl!, 'POST', 'x', 'aaaaaaaaaaaaaaaa')).status).toBe(403)
    expect((await ask(broker.httpUrl!, 'POST', 'x', 'bbbbbbbbbbbbbbbb')).status).toBe(200)
  })
})

describe('from the command line', () => {
  it('the broker that runs writes it, a stopped one is backed up all the same, and both are restored', {
    timeout: 60_000,
  }, async () => {
    const { broker, folder, data, backups } = await start()
    await broker.publish('queue/q', 'first', { qos: 1 })
    const env = { EVENTFLOW_STORE_BACKUP_PATH: backups }
    const { port } = new URL(broker.httpUrl!)
    const online = await finish(['backup', 'online', '--data', data], { env: { ...env, EVENTFLOW_HTTP_PORT: port } })
    expect(online).toMatchObject({ code: 0, stderr: '' })
    expect(online.stdout).toMatch(new RegExp(`^\\d+ records, \\d+\\.\\d MB written to ${join(backups, 'online')}\\n$`))
    const taken = await finish(['backup', 'online', '--url', broker.httpUrl!], { env })
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining('is not empty') })
    await broker.publish('queue/q', 'second', { qos: 1 })
    await broker.stop()
    const offline = await finish(['backup', 'offline', '--data', data, '--json'], { env })
    expect(offline).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(offline.stdout)).toMatchObject({ path: join(backups, 'offline'), damaged: 0 })
    for (const [name, length] of [
      ['online', 1],
      ['offline', 2],
    ] as const) {
      const restored = join(folder, `restored-${name}`)
      const { code, stdout } = await finish(['restore', join(backups, name), '--data', restored])
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`restored to ${restored}`) })
      const copy = await startBroker({ store: { path: restored } })
      expect(await copy.queues.show('q')).toMatchObject({ length })
    }
  })

  it('says what is wrong: no data and no broker, no backup, a directory that is used', {
    timeout: 60_000,
  }, async () => {
    const { folder, data, broker, backups } = await start()
    const nowhere = await finish(['backup', 'x', '--data', join(folder, 'none')], { env: { EVENTFLOW_HTTP_PORT: '1' } })
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer') })
    expect(await readdir(folder)).not.toContain('none')
    expect(await finish(['backup'])).toMatchObject({ code: 2 })
    const none = await finish(['restore', folder, '--data', join(folder, 'new')])
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('is no backup') })
    await mkdir(backups)
    await broker.backup(join(backups, 'b'))
    const used = await finish(['restore', join(backups, 'b'), '--data', data])
    expect(used).toMatchObject({ code: 1, stderr: expect.stringContaining('is not empty') })
  })
})
