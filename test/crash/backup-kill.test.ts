/** kill -9 while a backup is written: the data is as it was, and what there is of the backup is not taken for one. */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { restoreBackup } from '../../src/store/level/backup/restore.ts'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const MESSAGES = 600
const BYTES = 100_000

it('a broker killed in the middle of a backup has lost nothing, and there is no half backup', {
  timeout: 90_000,
}, async () => {
  const folder = await temporaryFolder()
  const backupPath = join(folder, 'backups')
  const config = { http: { port: 0 }, store: { backupPath } }
  const broker = await startProcess(folder, config)
  const publisher = await connectRaw(broker.port)
  for (let n = 1; n <= MESSAGES; n++) {
    const payload = Buffer.concat([Buffer.from(`${n} `), randomBytes(BYTES)])
    publisher.send({ cmd: 'publish', topic: 'queue/q', payload, qos: 1, messageId: n, dup: false, retain: false })
  }
  for (let n = 1; n <= MESSAGES; n++) await publisher.next('puback')

  const url = /HTTP on (http:[^"]+)/.exec(broker.output())![1]!
  const partial = join(backupPath, 'b.partial')
  await fetch(`${url}/api/v1/backup?path=b`, { method: 'POST' })
  await until('the backup is being written', () => existsSync(join(partial, 'CURRENT')), 30_000)
  await broker.end('SIGKILL')
  expect(existsSync(partial), 'it was killed in the middle').toBe(true)
  expect(existsSync(join(backupPath, 'b'))).toBe(false)
  const restored = join(folder, 'restored')
  await expect(restoreBackup(partial, restored)).rejects.toMatchObject({ code: 'BACKUP_INVALID' })

  const again = await startBroker({ ...config, store: { path: join(folder, 'data'), backupPath } })
  expect(again.status.recent().map(({ type }) => type)).not.toContain('store.failed')
  expect(await again.queues.show('q')).toMatchObject({ length: MESSAGES })
  await again.backup(join(backupPath, 'b'))
  expect(existsSync(partial)).toBe(false)
  await again.stop()

  await restoreBackup(join(backupPath, 'b'), restored)
  const copy = await startBroker({ store: { path: restored } })
  const consumer = await connectRaw(copy.port)
  consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/q', qos: 1 }] })
  for (let n = 1; n <= MESSAGES; n++) {
    const { payload, messageId } = await consumer.next('publish')
    expect(Number.parseInt(payload.toString('latin1'), 10)).toBe(n)
    consumer.send({ cmd: 'puback', messageId: messageId! })
  }
})
