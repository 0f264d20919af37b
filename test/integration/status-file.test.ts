/** `status.file`: the events of a broker as lines of JSON, and a disk that is in nobody's way. */

import { readFileSync } from 'node:fs'
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Eventflow } from '../../src/eventflow.ts'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { smallDisk } from '../helpers/small-disk.ts'
import { until } from '../helpers/until.ts'

interface Line {
  specversion: string
  type: string
  sequence: string
  data: Record<string, unknown>
}

async function linesOf(path: string): Promise<Line[]> {
  const text = await readFile(path, 'utf8')
  expect(text.endsWith('\n')).toBe(true)
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

describe('a broker with a file of events', () => {
  it('has a line for each, from its start until its clients are gone, but none for each message', async () => {
    const path = join(await temporaryFolder(), 'log', 'events.jsonl')
    const broker = await startBroker({ status: { file: { path } } })
    const client = await connectClient(broker.port, { clientId: 'me' })
    await client.mqtt.publishAsync('queue/a', 'x', { qos: 1 })
    await broker.stop()
    const lines = await linesOf(path)
    const types = lines.map(({ type }) => type)
    for (const type of ['config.loaded', 'store.opened', 'plugin.started', 'listener.listening', 'broker.started']) {
      expect(types).toContain(type)
    }
    for (const type of [
      'client.connected',
      'queue.created',
      'broker.stopping',
      'client.disconnected',
      'session.expired',
    ]) {
      expect(types).toContain(type)
    }
    expect(types.filter((type) => type.startsWith('message.'))).toEqual([])
    const numbers = lines.map(({ sequence }) => Number(sequence))
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i))
  })

  it('writes what was asked for: areas and events', async () => {
    const path = join(await temporaryFolder(), 'events.jsonl')
    const broker = await startBroker({ status: { recent: 0, file: { path, types: ['message', 'client.connected'] } } })
    expect(broker.events.wants('queue.created')).toBe(false)
    const client = await connectClient(broker.port, { clientId: 'me' })
    await client.mqtt.publishAsync('a', 'secret', { qos: 1 })
    await broker.stop()
    expect((await linesOf(path)).map(({ type }) => type)).toEqual(['client.connected', 'message.published'])
    expect(await readFile(path, 'utf8')).not.toContain('secret')
  })

  it('does not start when the file cannot be written, and says why', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), '')
    const path = join(folder, 'file', 'events.jsonl')
    const broker = new Eventflow({
      config: { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' }, status: { file: { path } } },
    })
    await expect(broker.start()).rejects.toMatchObject({ message: expect.stringContaining(`cannot write ${path}`) })
    const [failed] = broker.status.recent({ type: 'plugin.failed' })
    expect(failed?.data).toMatchObject({ plugin: 'status-file', message: expect.stringContaining(path) })
  })

  it('serves its clients when the file can be written no longer, and tells of it once', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'events.jsonl')
    const broker = await startBroker({ status: { file: { path, maxSize: '1KB', maxFiles: 1 } } })
    const events = listenTo(broker, 'plugin.failed')
    await mkdir(join(folder, 'events.jsonl.1', 'in the way'), { recursive: true })
    let clients = 0
    await until('it fails', () => {
      if (clients < 50) void connectClient(broker.port, { clientId: `c${clients++}` })
      return events.all.length > 0
    })
    const client = await connectClient(broker.port)
    await client.mqtt.publishAsync('queue/a', 'x', { qos: 1 })
    expect(events.of('plugin.failed')).toEqual([
      { plugin: 'status-file', message: expect.stringContaining(`cannot write ${path}`) },
    ])
  })

  it('on a disk that is full serves its clients, and writes what waited when there is space', async ({ skip }) => {
    const folder = await smallDisk('1m')
    if (folder === null) return skip('needs the right to mount a small disk')
    const path = join(folder, 'events.jsonl')
    const broker = await startBroker({ status: { file: { path, types: ['message.published', 'plugin'] } } })
    const events = listenTo(broker, 'plugin.failed')
    const client = await connectClient(broker.port)
    const topic = 'x'.repeat(5_000)
    let published = 0
    while (events.all.length === 0) {
      await client.mqtt.publishAsync(topic, String(++published), { qos: 1 })
    }
    expect(events.of('plugin.failed')[0]!.message).toMatch(/ENOSPC/)
    await client.mqtt.publishAsync('afterwards', 'x', { qos: 1 })
    await truncate(path) // there is space again
    await until('it is written', () => readFileSync(path, 'utf8').includes('"afterwards"'))
    expect(events.all.length).toBe(1)
  })

  it('is off unless it is asked for', async () => {
    const broker = await startBroker()
    const started = broker.status
      .recent({ type: 'plugin.started' })
      .map(({ data }) => (data as { plugin: string }).plugin)
    expect(started).toEqual(['queue', 'delayed', 'status', 'sys', 'access'])
  })
})

it('after kill -9 the file has whole lines but perhaps the last, and the next run goes on in it', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'events.jsonl')
  const config = { status: { file: { path } } }
  const before = await startProcess(folder, config)
  await connectClient(before.port, { clientId: 'first' })
  await before.end('SIGKILL')
  const { port, end } = await startProcess(folder, config)
  await connectClient(port, { clientId: 'second' })
  await end('SIGTERM')
  const text = await readFile(path, 'utf8')
  const whole = text
    .trimEnd()
    .split('\n')
    .filter((line) => line.endsWith('}'))
  const started = whole.map((line) => JSON.parse(line) as Line).filter(({ type }) => type === 'broker.started')
  expect(started.length).toBe(2)
  expect(text).toContain('"second"')
})
