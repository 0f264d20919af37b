import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Eventflow } from '../../src/index.ts'
import { definePlugin, type Plugin } from '../../src/plugin.ts'
import { startBroker } from '../helpers/broker.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const ROOT = join(import.meta.dirname, '../..')

/** The plugin of docs/plugins.md, as it stands there. */
async function echoOfThePage(): Promise<Plugin<never>> {
  const page = await readFile(join(ROOT, 'docs/plugins.md'), 'utf8')
  const source = /```js\n(import[\s\S]*?)```/.exec(page)?.[1]
  if (source === undefined) throw new Error('docs/plugins.md has no plugin any more')
  const file = join(ROOT, 'test', `echo-${process.pid}.ts`)
  onTestFinished(() => rm(file, { force: true }))
  await writeFile(file, source.replace("'eventflow/plugin'", "'../src/plugin.ts'"))
  return (await import(file)).echo
}

describe('the plugin of docs/plugins.md', () => {
  it('owns its topics: answers what is published there, refuses what is too large and who subscribes', async () => {
    const { port } = await startBroker({}, { plugins: [await echoOfThePage()] })
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

describe('a plugin', () => {
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
