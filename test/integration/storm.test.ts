/**
 * Thousands of clients that connect at once: those who are in already go on. What is measured is not time but turns: how many
 * were let in between two messages of those inside.
 */

import { expect, it, vi } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import { storm } from '../helpers/storm.ts'

vi.setConfig({ testTimeout: 60_000 })

const CLIENTS = 5_000

/** Two clients inside, who play ball: the next message is sent when the one before has come. */
async function players(port: number) {
  const reader = await connectRaw(port, { clientId: 'reader' })
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'ball', qos: 0 }] })
  await reader.next('suback')
  const writer = await connectRaw(port, { clientId: 'writer' })
  return async (): Promise<void> => {
    writer.send({ cmd: 'publish', topic: 'ball', payload: 'x', qos: 0, retain: false, dup: false })
    await reader.next('publish')
    reader.frames.length = 0
  }
}

/** While it lasts those inside play on: returns how many were let in between two of their messages, at most. */
async function playDuring(
  broker: Awaited<ReturnType<typeof startBroker>>,
  exchange: () => Promise<void>,
  clean: boolean,
) {
  let connected = 0
  broker.events.listen(['client.connected'], () => void connected++)
  const { over } = storm(broker.port, CLIENTS, clean)
  let isOver = false
  void over.then(() => {
    isOver = true
  })
  let most = 0
  while (!isOver) {
    const before = connected
    await exchange()
    most = Math.max(most, connected - before)
  }
  return { ...(await over), most }
}

it('a storm of 5,000 clients is let in, a few between two messages of those inside', async () => {
  const broker = await startBroker()
  const exchange = await players(broker.port)
  await exchange()
  const events = listenTo(broker, 'client.connecting-refused')
  const { most, welcome } = await playDuring(broker, exchange, true)
  expect(events.all).toEqual([])
  expect(welcome).toBeGreaterThan(0.99 * CLIENTS) // the system may lose one before we see it
  expect(most).toBeLessThan(100)
})

it('so is one of clients whose sessions are put on disk first', async () => {
  const broker = await startBroker({ store: { kind: 'level', path: await temporaryFolder() } })
  const exchange = await players(broker.port)
  await exchange()
  const { most, welcome } = await playDuring(broker, exchange, false)
  expect(welcome).toBeGreaterThan(0.99 * CLIENTS)
  expect(most).toBeLessThan(100)
})

it('a storm beyond what may connect is turned away, and those inside play on', async () => {
  const broker = await startBroker({ limits: { connectRatePerAddress: 10, maxConnections: 1_000 } })
  const events = listenTo(broker, 'client.connecting-refused', 'client.disconnected')
  const exchange = await players(broker.port)
  await exchange()
  const { welcome, closed } = await playDuring(broker, exchange, true)
  expect(welcome).toBeLessThan(1_000)
  expect(welcome + closed).toBe(CLIENTS)
  expect(events.of('client.connecting-refused')).toHaveLength(closed)
  expect(new Set(events.of('client.connecting-refused').map(({ reasonCode }) => reasonCode))).toEqual(new Set([0x9f]))
  expect(events.of('client.disconnected')).toEqual([])
})
