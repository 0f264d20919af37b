import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Packet } from 'mqtt-packet'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Eventflow } from '../../src/index.ts'
import { definePlugin, type Plugin, ReasonCode, Refusal } from '../../src/plugin.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'

const ROOT = join(import.meta.dirname, '../..')

/** A plugin of docs/plugins.md, as it stands there. */
async function ofThePage(name: 'echo' | 'redirect' | 'banned', change = (source: string) => source) {
  const page = await readFile(join(ROOT, 'docs/plugins.md'), 'utf8')
  const sources = [...page.matchAll(/```js\n(import[\s\S]*?)```/g)].map(([, source]) => source!)
  const source = sources.find((one) => one.includes(`export const ${name} =`))
  if (source === undefined) throw new Error(`docs/plugins.md has no plugin '${name}' any more`)
  const file = join(ROOT, 'test', `${name}-${process.pid}.ts`)
  onTestFinished(() => rm(file, { force: true }))
  await writeFile(file, change(source.replace("'eventflow/plugin'", "'../src/plugin.ts'")))
  return (await import(file))[name] as Plugin<never>
}

describe('the echo plugin of docs/plugins.md', () => {
  it('owns its topics: answers what is published there, refuses what is too large and who subscribes', async () => {
    const { port } = await startBroker({}, { plugins: [await ofThePage('echo')] })
    const client = await connectRaw(port, { protocolVersion: 5 })
    const subscribe = (messageId: number, topic: string) =>
      client.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 1 }] })
    subscribe(1, 'echoed/#')
    expect((await client.next('suback')).granted).toEqual([1])
    subscribe(2, 'echo/#')
    expect((await client.next('suback')).granted).toEqual([0x87])
    const publish = (messageId: number, payload: string) =>
      client.send({ cmd: 'publish', topic: 'echo/a', payload, qos: 1, messageId, dup: false, retain: false })
    publish(3, 'hello')
    expect(await client.next('publish')).toMatchObject({ topic: 'echoed/a', payload: Buffer.from('hello') })
    expect((await client.next('puback')).reasonCode ?? 0).toBe(0)
    publish(4, 'x'.repeat(2000))
    expect((await client.next('puback')).reasonCode).toBe(0x97)
  })
})

describe('the banned plugin of docs/plugins.md', () => {
  it('takes its file again when it changes, and keeps the old one when it is not there', async () => {
    const file = join(await temporaryFolder(), 'banned')
    await writeFile(file, 'eve\n')
    const plugin = await ofThePage('banned', (source) => source.replace('/etc/eventflow/banned', file))
    const broker = await startBroker({}, { plugins: [plugin] })
    const events = listenTo(broker, 'config.reloaded')
    await expect(connectRaw(broker.port, { clientId: 'eve' })).rejects.toThrow()
    await writeFile(file, 'mallory\n')
    await events.find('config.reloaded')
    expect(events.of('config.reloaded')).toEqual([{ changed: [], needRestart: [], files: ['banned'] }])
    await connectRaw(broker.port, { clientId: 'eve' })
    await rm(file)
    await expect(broker.reload()).rejects.toThrow(/ENOENT/)
    await expect(connectRaw(broker.port, { clientId: 'mallory' })).rejects.toThrow()
  })
})

describe('the redirect plugin of docs/plugins.md', () => {
  const there = { serverReference: 'eu.example.com:1883', reasonString: 'served in Europe' }
  const connect = (protocolVersion: 4 | 5): Packet => ({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clientId: 'eu-1', clean: true, keepalive: 0 },
  })

  it('sends clients elsewhere that connect, where they can be told', async () => {
    const broker = await startBroker({}, { plugins: [await ofThePage('redirect')] })
    const events = listenTo(broker, 'client.connecting-refused')
    const client = await openRaw(broker.port, 5)
    client.send(connect(5))
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x9c, sessionPresent: false, properties: there })
    await client.end()
    const older = await openRaw(broker.port, 4)
    older.send(connect(4))
    expect(await older.next('connack')).toMatchObject({ returnCode: 3 })
    await older.end()
    expect(events.of('client.connecting-refused')).toMatchObject([{ reasonCode: 0x9c }, { reasonCode: 0x9c }])
  })

  it.each([4, 5] as const)(
    'sends clients elsewhere that are connected, on level %i, with their wills',
    async (level) => {
      const broker = await startBroker({}, { plugins: [await ofThePage('redirect')] })
      const events = listenTo(broker, 'client.disconnected')
      const operator = await connectRaw(broker.port)
      operator.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'will', qos: 0 }] })
      await operator.next('suback')
      const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0, retain: false } as const
      const client = await connectRaw(broker.port, { protocolVersion: level, clientId: 'c/1', will })
      const publish = { cmd: 'publish', topic: 'move/c/1', payload: '', qos: 1, dup: false, retain: false } as const
      operator.send({ ...publish, messageId: 1 })
      if (level === 5) expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x9c, properties: there })
      await client.end()
      expect((await operator.next('publish')).payload.toString()).toBe('gone')
      expect(events.of('client.disconnected')).toMatchObject([{ clientId: 'c/1', reason: 'kicked', reasonCode: 0x9c }])
      operator.send({ ...publish, messageId: 2 })
      await operator.next('puback')
    },
  )

  it('leaves out the way that a client does not take for its size', async () => {
    const { port } = await startBroker({}, { plugins: [await ofThePage('redirect')] })
    const client = await openRaw(port, 5)
    client.send({ ...connect(5), properties: { maximumPacketSize: 30 } } as Packet)
    const { reasonCode, properties } = await client.next('connack')
    expect([reasonCode, properties]).toEqual([0x9c, { serverReference: 'eu.example.com:1883' }])
  })
})

describe('a plugin', () => {
  it('sends a publisher elsewhere by refusing its message with a server reference', async () => {
    const plugin = definePlugin<never>({
      name: 'moved',
      setup(context) {
        const moved = () => new Refusal(ReasonCode.ServerMoved, 'moved', 'new.example.com')
        context.namespace('moved/', {
          accept: ({ topic }) => {
            if (topic === 'moved/later') return Promise.reject(moved())
            throw moved()
          },
          subscribe: () => undefined,
          unsubscribe() {},
        })
        return undefined
      },
    })
    const { port } = await startBroker({}, { plugins: [plugin] })
    for (const [topic, qos] of [
      ['moved/now', 0],
      ['moved/now', 2],
      ['moved/later', 1],
    ] as const) {
      const client = await connectRaw(port, { protocolVersion: 5 })
      client.send({ cmd: 'publish', topic, payload: 'x', qos, messageId: 1, dup: false, retain: false })
      const properties = { serverReference: 'new.example.com', reasonString: 'moved' }
      expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x9d, properties })
      await client.end()
      expect(client.received).toEqual([])
    }
  })

  it('that fails keeps the broker from starting, and is named', async () => {
    const plugin = definePlugin<never>({
      name: 'broken',
      setup() {
        throw new Error('no such luck')
      },
    })
    const broker = new Eventflow({
      config: { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' } },
      plugins: [plugin],
    })
    await expect(broker.start()).rejects.toMatchObject({ code: 'PLUGIN_FAILED', message: /'broken'.*no such luck/ })
  })

  it('decides about access before the built-in rules', async () => {
    const plugin = definePlugin<never>({
      name: 'no-secrets',
      setup({ authorizer }) {
        authorizer({ name: 'no-secrets', authorize: (_, __, topic) => (topic.startsWith('secret/') ? 'deny' : null) })
        return undefined
      },
    })
    const { port } = await startBroker({}, { plugins: [plugin] })
    const client = await connectRaw(port, { protocolVersion: 5 })
    const topics = ['secret/a', 'open/a']
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: topics.map((topic) => ({ topic, qos: 0 as const })) })
    expect((await client.next('suback')).granted).toEqual([0x87, 0])
  })
})
