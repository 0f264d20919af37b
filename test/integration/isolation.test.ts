/**
 * Fifty who read beside one who never does: the fifty are waited for by nobody but themselves. Nothing here is timed: the
 * stuck one does not read at all, so a delivery that waited for it would never come. test/bench/isolation.ts has the times.
 */

import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { heldBytesWithBuffers as held } from '../helpers/heap.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

const READERS = 50
const MEGABYTE = 1024 * 1024

async function subscribed(
  port: number,
  version: 4 | 5,
  qos: 0 | 1 | 2,
  clientId: string,
  filter: string,
): Promise<RawClient> {
  const client = await connectRaw(port, { protocolVersion: version, clientId })
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos }] })
  await client.next('suback')
  return client
}

/** The number that the next message begins with; acknowledged as its QoS asks for. */
async function next(client: RawClient): Promise<number> {
  const { payload, qos, messageId } = await client.next('publish')
  if (qos === 1) client.send({ cmd: 'puback', messageId: messageId! })
  if (qos === 2) {
    client.send({ cmd: 'pubrec', messageId: messageId! })
    await client.next('pubrel')
    client.send({ cmd: 'pubcomp', messageId: messageId! })
  }
  return Number.parseInt(payload.toString(), 10)
}

describe.each(VERSIONS)('a client on MQTT $name that never reads, beside fifty that do', ({ version }) => {
  it.each([
    [0, 'slow'],
    [1, 'session-full'],
    [2, 'session-full'],
  ] as const)(
    'at QoS %i: they get every message, in order; its own are bounded, dropped and told',
    async (qos, reason) => {
      const session = { maxSocketBuffer: '256KB', maxInflight: 20, maxQueued: 50 } as const
      const broker = await startBroker({ session })
      const events = listenTo(broker, 'message.dropped', 'client.disconnected')
      const stuck = await subscribed(broker.port, version, qos, 'stuck', 'shared/#')
      stuck.socket.pause()
      const readers = await Promise.all(
        Array.from({ length: READERS }, (_, i) => subscribed(broker.port, version, qos, `reader-${i}`, 'shared/for/#')),
      )
      // At QoS 0 nothing is dropped before the kernel's part of its socket is full, and ours.
      while (qos === 0 && events.all.length < 20) {
        await broker.publish('shared/not', Buffer.alloc(MEGABYTE), { qos })
        await readers[0]!.settled() // so that sockets are written to
      }
      const total = 200
      for (let i = 0; i < total; i++) {
        await broker.publish(`shared/for/${i % 3}`, `${i} ${'x'.repeat(2_000)}`, { qos })
        // The next one is not published before all fifty have this one: none of them waits for the stuck one.
        expect(await Promise.all(readers.map(next))).toEqual(Array.from({ length: READERS }, () => i))
      }
      const dropped = events.of('message.dropped')
      expect(dropped.length).toBeGreaterThanOrEqual(100)
      expect(new Set(dropped.map((one) => `${one.clientId} ${one.qos} ${one.reason}`))).toEqual(
        new Set([`stuck ${qos} ${reason}`]),
      )
      if (qos > 0) expect(dropped).toHaveLength(total - session.maxInflight - session.maxQueued)
      expect(events.of('client.disconnected')).toEqual([])
      // 40 MB more go by, and nothing of them is kept for it.
      const before = held()
      for (let i = 0; i < 40; i++) await broker.publish('shared/not', Buffer.alloc(MEGABYTE), { qos })
      await until('what went by is collected', () => held() - before < 5 * MEGABYTE)
    },
  )
})
