/** MQTT on a Unix socket: who may connect, and what a killed broker leaves behind. */

import { existsSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Eventflow } from '../../src/eventflow.ts'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { greet, RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const socketIn = async () => join(await temporaryFolder(), 'mqtt.sock')
const config = (path: string) => ({ listeners: { tcp: { port: 0 }, unix: { path, mode: '0600' } } })

async function openUnix(path: string): Promise<RawClient> {
  const socket = connect(path)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  onTestFinished(() => void socket.destroy())
  return new RawClient(socket, 4)
}

it('clients are served, the file has its mode, and is gone when the broker stops', async () => {
  const path = await socketIn()
  const broker = await startBroker(config(path))
  const events = listenTo(broker, 'client.connected')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  await greet(await openUnix(path))
  expect(events.of('client.connected')[0]!.address).toBe(`unix:${path}`)
  await broker.stop()
  expect(existsSync(path)).toBe(false)
})

it('what a killed broker left behind is replaced', async () => {
  const path = await socketIn()
  const killed = await startProcess(await temporaryFolder(), config(path))
  await killed.end('SIGKILL')
  expect(existsSync(path)).toBe(true)
  await startBroker(config(path))
  await greet(await openUnix(path))
})

it('what somebody listens on, and what is no socket, is left alone', async () => {
  const path = await socketIn()
  const first = await startBroker(config(path))
  const second = new Eventflow({ config: { ...config(path), store: { kind: 'memory' } } })
  await expect(second.start()).rejects.toMatchObject({ code: 'LISTEN_FAILED', message: expect.stringContaining(path) })
  await greet(await openUnix(path))
  await first.stop()
  writeFileSync(path, 'a file')
  await expect(second.start()).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  await until('the file is still there', () => existsSync(path))
})
