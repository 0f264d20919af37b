/** Another configuration while the broker runs: by SIGHUP, by files that change, and by programs. */

import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { putUser } from '../../plugins/access/password-file.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import { type BrokerProcess, startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import { tlsFiles } from '../helpers/tls.ts'
import { until } from '../helpers/until.ts'

const ALL = { allow: ['publish' as const, 'subscribe' as const], topics: ['#'] }

/** A password file with these users, whose passwords are their names. */
async function usersFile(folder: string, ...users: string[]): Promise<string> {
  const file = join(folder, 'passwords')
  await writeFile(file, '', { flag: 'a' })
  for (const user of users) await putUser(file, { user, password: user, iterations: 1 })
  return file
}

/** Lines of the log with this text, as objects. */
function lines(broker: BrokerProcess, text: string): Array<Record<string, unknown>> {
  const all = broker.output().split('\n').slice(0, -1)
  return all.filter((line) => line.includes(text)).map((line) => JSON.parse(line) as Record<string, unknown>)
}

const TAKEN = 'was read again'
const REFUSED = 'the configuration is not right'

/** The broker as a program of its own, whose configuration file can be written anew. */
async function start(config: ConfigInput, folder: string) {
  const broker = await startProcess(folder, config)
  const file = join(folder, 'eventflow.yaml')
  /** Write the file and send SIGHUP; resolves with what the log says of it. */
  const hangUp = async (next: ConfigInput | string) => {
    const before = [TAKEN, REFUSED].flatMap((text) => lines(broker, text)).length
    await writeFile(file, typeof next === 'string' ? next : JSON.stringify(next))
    broker.process.kill('SIGHUP')
    await until('it is heeded', () => [TAKEN, REFUSED].flatMap((text) => lines(broker, text)).length > before)
    return [TAKEN, REFUSED].flatMap((text) => lines(broker, text)).at(-1)!
  }
  return { broker, file, hangUp, port: broker.port }
}

describe('SIGHUP', { timeout: 60_000 }, () => {
  it('puts new users, rules, queue policies, limits and the log level in force, and who is connected stays', async () => {
    const folder = await temporaryFolder()
    const passwordFile = await usersFile(folder, 'ada')
    const access = { passwordFile, rules: [{ ...ALL, user: 'ada' }] }
    const { broker, hangUp, port } = await start({ access }, folder)
    const ada = await connectClient(port, { username: 'ada', password: 'ada', protocolVersion: 5 })
    await ada.mqtt.publishAsync('news', 'x', { qos: 1 })
    expect(ada.connack.properties?.maximumPacketSize).toBe(10 * 1024 * 1024)

    await usersFile(folder, 'bob')
    const next = {
      access: {
        passwordFile,
        rules: [{ deny: 'publish' as const, topics: ['news'] }, ...access.rules, { ...ALL, user: 'bob' }],
      },
      queue: { policies: [{ match: 'small', maxLength: 1 }] },
      mqtt: { maxPacketSize: 5_000 },
      log: { level: 'debug' as const },
    }
    expect(await hangUp(next)).toMatchObject({
      changed: ['log.level', 'mqtt.maxPacketSize', 'queue.policies', 'access.rules'],
      needRestart: [],
      files: ['access'],
    })

    await expect(ada.mqtt.publishAsync('news', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
    await ada.mqtt.publishAsync('queue/small', 'x', { qos: 1 })
    await expect(ada.mqtt.publishAsync('queue/small', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x97 })
    await ada.mqtt.publishAsync('large', 'x'.repeat(50_000), { qos: 1 }) // as large as it was told that it may be
    const bob = await connectClient(port, { username: 'bob', password: 'bob', protocolVersion: 5 })
    expect(bob.connack.properties?.maximumPacketSize).toBe(5_000)
    expect(ada.mqtt.connected).toBe(true)
    expect((await broker.end('SIGTERM')).code).toBe(0)
  })

  it('with a broken file changes nothing, whatever else is right, and says which line it is', async () => {
    const folder = await temporaryFolder()
    const passwordFile = await usersFile(folder, 'ada')
    const { file, hangUp, port } = await start({ access: { passwordFile, rules: [ALL] } }, folder)

    expect(await hangUp('mqtt:\n  maxPacketSize: 5000\nqueue:\n  prefetch: many\n')).toMatchObject({
      level: 'error',
      problems: [`queue.prefetch: expected a whole number from 1 to 65535, found "many" (${file}:4)`],
    })
    expect((await hangUp('mqtt: [')).problems).toEqual([expect.stringMatching(/eventflow\.yaml: line 1, column \d+: /)])

    await writeFile(passwordFile, `${await readFile(passwordFile, 'utf8')}bob:secret\n`)
    const refused = await hangUp({ access: { passwordFile, rules: [] }, mqtt: { maxPacketSize: 5_000 } })
    expect(refused.problems).toEqual([`${passwordFile}: line 2 has no password hash that starts with $7$ or $6$`])
    expect(JSON.stringify(refused)).not.toContain('secret')

    const ada = await connectClient(port, { username: 'ada', password: 'ada', protocolVersion: 5 })
    expect(ada.connack.properties?.maximumPacketSize).toBe(10 * 1024 * 1024)
    await ada.mqtt.publishAsync('news', 'x', { qos: 1 })
  })

  it('names the options that wait for a restart, and takes the rest', async () => {
    const folder = await temporaryFolder()
    const { hangUp, port } = await start({ node: 'one' }, folder)
    const next = { node: 'two', listeners: { ws: { port: 0 } }, mqtt: { receiveMaximum: 7 } }
    const taken = { changed: ['mqtt.receiveMaximum'], needRestart: ['node', 'listeners.ws'] }
    expect(await hangUp(next)).toMatchObject({ ...taken, level: 'warn' })
    expect((await connectClient(port, { protocolVersion: 5 })).connack.properties?.receiveMaximum).toBe(7)
    expect(await hangUp(next)).toMatchObject({ changed: [], needRestart: ['node', 'listeners.ws'] })
  })

  it('is refused when what waits for a restart and what does not would not go together until then', async () => {
    const folder = await temporaryFolder()
    const passwordFile = await usersFile(folder, 'ada')
    const { hangUp, port } = await start(
      {
        listeners: { tls: { ...(await tlsFiles()).options, host: '0.0.0.0' } },
        access: { passwordFile, rules: [ALL] },
      },
      folder,
    )
    const { problems } = await hangUp({})
    expect(problems).toEqual([expect.stringMatching(/^listeners\.tls\.host: expected a loopback address/)])
    await expect(connectClient(port)).rejects.toThrow()
  })

  it('many times in a row is heeded once or twice, the last time with what the file says in the end', async () => {
    const folder = await temporaryFolder()
    const { broker, file, port } = await start({}, folder)
    for (let i = 1; i <= 30; i++) {
      await writeFile(file, JSON.stringify({ mqtt: { receiveMaximum: i } }))
      broker.process.kill('SIGHUP')
    }
    const receiveMaximum = async () => {
      const client = await connectClient(port, { protocolVersion: 5 })
      await client.mqtt.endAsync()
      return client.connack.properties?.receiveMaximum
    }
    let last: number | undefined
    while (last !== 30) last = await receiveMaximum()
    expect(lines(broker, REFUSED)).toEqual([])
  })

  it('while it stops does no harm', async () => {
    const folder = await temporaryFolder()
    const passwordFile = await usersFile(folder, 'ada')
    const { broker, port } = await start({ access: { passwordFile, rules: [ALL] } }, folder)
    await connectClient(port, { username: 'ada', password: 'ada' })
    const signals = ['SIGHUP', 'SIGTERM', 'SIGHUP', 'SIGHUP'] as const
    for (const signal of signals) broker.process.kill(signal)
    const ended = await new Promise((resolve) => broker.process.once('exit', resolve))
    expect(ended).toBe(0)
    expect(lines(broker, REFUSED)).toEqual([])
  })
})

describe('a file that changes', { timeout: 60_000 }, () => {
  it('of users is noticed, also when another is put in its place', async () => {
    const folder = await temporaryFolder()
    const passwordFile = await usersFile(folder, 'ada')
    const broker = await startBroker({ access: { passwordFile, rules: [ALL] } })
    const events = listenTo(broker, 'config.reloaded', 'config.rejected', 'client.disconnected')
    const ada = await connectClient(broker.port, { username: 'ada', password: 'ada' })

    const other = await temporaryFolder()
    await rename(await usersFile(other, 'bob'), passwordFile)
    await events.find('config.reloaded')
    expect(events.of('config.reloaded')).toEqual([{ changed: [], needRestart: [], files: ['access'] }])
    await connectClient(broker.port, { username: 'bob', password: 'bob' })
    await expect(connectClient(broker.port, { username: 'ada', password: 'ada' })).rejects.toThrow()

    await writeFile(passwordFile, 'nothing of the kind')
    await events.find('config.rejected')
    const problem = `${passwordFile}: line 1 is not of the form user:hash`
    expect(events.of('config.rejected')).toEqual([{ problems: [problem] }])
    await connectClient(broker.port, { username: 'bob', password: 'bob' })
    expect(ada.mqtt.connected).toBe(true)
  })

  it('is noticed behind a symbolic link that is turned to another folder, as Kubernetes does with secrets', async () => {
    const folder = await temporaryFolder()
    const version = async (name: string, user: string): Promise<void> => {
      await mkdir(join(folder, name))
      await usersFile(join(folder, name), user)
      await symlink(name, join(folder, '..data.new'))
      await rename(join(folder, '..data.new'), join(folder, '..data'))
    }
    await version('..1', 'ada')
    const passwordFile = join(folder, 'passwords')
    await symlink('..data/passwords', passwordFile)
    const broker = await startBroker({ access: { passwordFile, rules: [ALL] } })
    const events = listenTo(broker, 'config.reloaded')
    await version('..2', 'bob')
    await events.find('config.reloaded')
    await connectClient(broker.port, { username: 'bob', password: 'bob' })
  })

  it('is the configuration itself: it is read again whole', async () => {
    const folder = await temporaryFolder()
    const { broker, file, port } = await start({}, folder)
    await writeFile(file, JSON.stringify({ access: { rules: [{ allow: 'publish', topics: ['a'] }] } }))
    await until('it is noticed', () => lines(broker, TAKEN).length > 0)
    expect(lines(broker, TAKEN)).toMatchObject([{ changed: ['access.rules'] }])
    const client = await connectRaw(port, { protocolVersion: 5 })
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] })
    expect(await client.next('suback')).toMatchObject({ granted: [0x87] })
  })

  it('does not wait for the rest to be right: a certificate is renewed while the configuration is broken', async () => {
    const files = await tlsFiles()
    const folder = await temporaryFolder()
    const { broker, hangUp } = await start({ listeners: { tls: files.options } }, folder)
    expect((await hangUp('nonsense: 1')).level).toBe('error')
    await files.renew()
    await until('it is noticed', () => lines(broker, TAKEN).length > 0)
    expect(lines(broker, TAKEN)).toMatchObject([{ files: ['listeners.tls'] }])
  })
})

describe('a program that embeds the broker', () => {
  it('gives another configuration, which its clients see, and is told what became of it', async () => {
    const broker = await startBroker({ session: { maxQueued: 100 } })
    const events = listenTo(broker, 'config.reloaded')
    const away = { clientId: 'away', clean: false }
    const client = await connectRaw(broker.port, away)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news', qos: 1 }] })
    await client.next('suback')
    client.send({ cmd: 'disconnect' })
    await client.end()

    const next: ConfigInput = {
      listeners: { tcp: { port: 0 } },
      store: { kind: 'memory' },
      session: { maxQueued: 2 },
      http: { mqtt: false },
    }
    const result = await broker.reload(next)
    expect(result).toEqual({ changed: ['session.maxQueued'], needRestart: ['http.mqtt'], files: [] })
    expect(events.of('config.reloaded')).toEqual([result])
    expect([broker.config.session.maxQueued, broker.config.http.mqtt]).toEqual([2, true])
    for (const payload of ['1', '2', '3']) await broker.publish('news', payload, { qos: 1 })
    const back = await connectRaw(broker.port, away)
    await back.next('publish')
    await back.next('publish')
    await back.settled()
    expect(back.received).toEqual([])
    expect(await broker.reload()).toEqual({ changed: [], needRestart: ['http.mqtt'], files: [] })
    await broker.stop()
    await broker.start()
    expect(broker.config.http.mqtt).toBe(false)
    expect(await broker.reload()).toEqual({ changed: [], needRestart: [], files: [] })
  })

  it('changes how many connections a listener has, and how long a handshake may take', async () => {
    const { options } = await tlsFiles()
    const listeners = { tcp: { port: 0 }, tls: options }
    const broker = await startBroker({ listeners })
    const { port } = broker.listeners[1]!
    const events = listenTo(broker, 'client.connecting-refused')
    const mqtt = { connectTimeout: '100ms' }
    const change = (tls: ConfigInput['listeners']) =>
      broker.reload({ store: { kind: 'memory' }, listeners: { ...listeners, ...tls }, mqtt })

    expect((await change({ tls: { ...options, maxConnections: 1 } })).changed).toHaveLength(2)
    const silent = await openRaw(port)
    const dropped = await openRaw(port)
    await dropped.end()
    await events.find('client.connecting-refused', { reasonCode: 0x97 })
    await silent.end()
    await events.find('client.connecting-refused', { reason: 'timeout' })

    await change({ tls: { ...options, maxConnections: null } })
    await Promise.all([1, 2, 3].map(() => openRaw(port)))
    await until(
      'three more were too slow',
      () => events.of('client.connecting-refused').filter(({ reason }) => reason === 'timeout').length === 4,
    )
    expect(events.of('client.connecting-refused')).toHaveLength(5)
  })

  it('is told of all that is wrong, and of a broker that does not run', async () => {
    const broker = await startBroker()
    const wrong = { queue: { prefetch: 0 }, node: '' } as ConfigInput
    await expect(broker.reload(wrong)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: /^node: .*\nqueue\.prefetch: /,
    })
    await broker.stop()
    await expect(broker.reload()).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  })
})
