/** The broker, its listeners, plugins, store and configuration. */

import { createServer } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Eventflow } from '../../../src/eventflow.ts'
import { definePlugin } from '../../../src/plugin.ts'
import { LevelStore } from '../../../src/store/level/level-store.ts'
import { startBroker, temporaryFolder } from '../../helpers/broker.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeDatabase } from '../../helpers/fake-database.ts'
import { connectRaw } from '../../helpers/raw-client.ts'
import { tlsFiles } from '../../helpers/tls.ts'
import { until } from '../../helpers/until.ts'
import { onMqtt, publishPacket, type Scene } from './scene.ts'

const MEMORY = { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' } } as const

/** Its namespace is not what it says. */
const broken = definePlugin({
  name: 'broken',
  setup: ({ namespace }) => {
    const accept = () => {
      throw new TypeError('a fault')
    }
    namespace('broken/', { accept, subscribe: () => undefined, unsubscribe() {} })
    return undefined
  },
})

const failing = definePlugin({
  name: 'failing',
  setup: () => {
    throw new Error('no luck')
  },
})

/** Keep the event loop from anything else for so long. */
function block(forMs: number): void {
  const end = performance.now() + forMs
  while (performance.now() < end);
}

export const BROKER_SCENES: readonly Scene[] = [
  {
    name: 'a broker starts and stops',
    async play() {
      const broker = new Eventflow({ config: MEMORY, configFile: 'config/eventflow.yaml' })
      await broker.start()
      await broker.stop()
      return () => broker.status.recent()
    },
    sees: {
      'config.loaded': { file: 'config/eventflow.yaml' },
      'store.opened': { kind: 'memory', sessions: 0, retained: 0 },
      'plugin.started': { plugin: 'queue' },
      'listener.listening': { listener: 'tcp', host: '127.0.0.1' },
      'broker.started': { node: 'eventflow' },
      'broker.stopping': {},
      'listener.closed': { listener: 'tcp', host: '127.0.0.1' },
      'plugin.stopped': { plugin: 'queue' },
      'broker.stopped': {},
    },
  },
  {
    name: 'a broker cannot start, since its port is taken',
    async play() {
      const server = createServer().listen(0, '127.0.0.1')
      onTestFinished(() => void server.close())
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as { port: number }
      const broker = new Eventflow({ config: { ...MEMORY, listeners: { tcp: { port } } } })
      await broker.start().catch(() => {})
      return () => broker.status.recent()
    },
    sees: { 'listener.failed': { listener: 'tcp', host: '127.0.0.1' } },
  },
  {
    name: 'a broker cannot start, since a plugin fails',
    async play() {
      const broker = new Eventflow({ config: MEMORY, plugins: [failing] })
      await broker.start().catch(() => {})
      return () => broker.status.recent()
    },
    sees: { 'plugin.failed': { plugin: 'failing' } },
  },
  {
    name: 'a broker has more to do than it can, for a while',
    play: onMqtt(
      async ({ broker, told }) => {
        while (!broker.status.recent().some(({ type }) => type === 'broker.overloaded')) {
          block(200)
          await new Promise((resolve) => setImmediate(resolve))
        }
        await told('broker.relieved')
      },
      { overload: { lag: 150, period: 100 } },
    ),
    sees: { 'broker.overloaded': { limitMs: 150 }, 'broker.relieved': {} },
  },
  {
    name: 'there is no room for more of what clients have it keep',
    play: onMqtt(
      async ({ client, raw }) => {
        const away = await client('away', { clean: false, properties: { sessionExpiryInterval: 3600 } })
        await away.mqtt.subscribeAsync('a', { qos: 1 })
        await away.mqtt.endAsync()
        const publisher = await raw('publisher')
        for (let i = 0; i < 20; i++) publisher.send(publishPacket('a', { payload: 'x'.repeat(20_000) }))
      },
      { limits: { maxMemory: '1MB' } },
    ),
    sees: {
      'broker.memory-short': { maxBytes: 1024 * 1024 },
      'message.dropped': { clientId: 'away', topic: 'a', reason: 'no-room' },
    },
  },
  {
    name: 'a plugin has a fault',
    play: onMqtt(
      async ({ raw }) => {
        const client = await raw('producer')
        client.send(publishPacket('broken/x'))
        await client.next('puback')
      },
      {},
      { plugins: [broken] },
    ),
    sees: { 'broker.error': { code: 'UNEXPECTED' }, 'message.refused': { topic: 'broken/x', reasonCode: 0x80 } },
  },
  {
    name: 'the disk fails, and works again',
    async play() {
      const [database, clock] = [new FakeDatabase(), new FakeClock()]
      let store!: LevelStore
      const broker = await startBroker(
        { shutdownTimeout: 10 },
        {
          openStore: async ({ path, onFault, onRecovered = () => {} }) => {
            store = await LevelStore.open({ kind: 'test', database, path, clock, onFault, onRecovered })
            return store
          },
        },
      )
      const client = await connectRaw(broker.port)
      database.failing = true
      client.send(publishPacket('queue/work'))
      await until('the disk fails', () => store.fault !== null)
      database.failing = false
      await until('the disk works', () => {
        clock.advance(5_000)
        return store.fault === null
      })
      return () => broker.status.recent()
    },
    sees: { 'store.failed': { code: 'STORE_FAILED' }, 'store.recovered': {} },
  },
  {
    name: 'backups are written, and are not',
    async play() {
      const path = join(await temporaryFolder(), 'backup')
      const broker = await startBroker()
      await broker.backup(path)
      await broker.backup(path).catch(() => {})
      return () => broker.status.recent()
    },
    sees: { 'backup.finished': { damaged: 0 }, 'backup.failed': { code: 'BACKUP_REFUSED' } },
  },
  {
    name: 'certificates change, well and badly',
    async play() {
      const files = await tlsFiles()
      const broker = await startBroker({ listeners: { tcp: { port: 0 }, tls: files.options } })
      await files.renew()
      await broker.reload()
      await files.write('cert.pem', 'nothing of the kind')
      await broker.reload().catch(() => {})
      return () => broker.status.recent()
    },
    sees: { 'config.reloaded': { files: ['listeners.tls'] }, 'config.rejected': {} },
  },
]
