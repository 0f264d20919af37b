/** A broker that is asked to stop: it says goodbye, loses nothing that it acknowledged, and ends well. */

import { describe, expect, it } from 'vitest'
import { startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('sends MQTT 5.0 clients away with 0x8B, closes the others, and exits with 0', async () => {
    const broker = await startProcess(await temporaryFolder())
    const newer = await connectRaw(broker.port, { protocolVersion: 5 })
    const older = await connectRaw(broker.port)
    const ended = broker.end(signal)
    expect(await newer.next('disconnect')).toMatchObject({ reasonCode: 0x8b })
    await newer.end()
    await older.end()
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(broker.output()).toContain('"stopping"')
    expect(broker.output().trimEnd().split('\n').at(-1)).toContain('"stopped"')
  })

  it('loses nothing that was acknowledged: queues, retained messages, sessions', async () => {
    const folder = await temporaryFolder()
    const before = await startProcess(folder)
    const lasting = { clientId: 'lasting', clean: false }
    const subscriber = await connectRaw(before.port, lasting)
    subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news', qos: 1 }] })
    await subscriber.next('suback')
    subscriber.send({ cmd: 'disconnect' })
    await subscriber.end()
    const producer = await connectRaw(before.port)
    const message = { cmd: 'publish', payload: 'kept', qos: 1, dup: false, retain: false } as const
    producer.send({ ...message, topic: 'queue/work', messageId: 1 })
    producer.send({ ...message, topic: 'state', messageId: 2, retain: true })
    producer.send({ ...message, topic: 'news', messageId: 3 })
    for (let i = 0; i < 3; i++) await producer.next('puback')
    await before.end(signal)

    const { port } = await startProcess(folder)
    const back = await connectRaw(port, lasting)
    expect(await back.next('publish')).toMatchObject({ topic: 'news' })
    const reader = await connectRaw(port)
    const subscriptions = ['queue/work', 'state'].map((topic) => ({ topic, qos: 0 as const }))
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    const topics = [await reader.next('publish'), await reader.next('publish')].map(({ topic }) => topic)
    expect(topics.sort()).toEqual(['queue/work', 'state'])
  })

  it('under load loses nothing that was acknowledged', { timeout: 40_000 }, async () => {
    const folder = await temporaryFolder()
    const before = await startProcess(folder)
    const acknowledged = new Set<string>()
    const producers = await Promise.all(['a', 'b', 'c'].map(() => connectRaw(before.port, { protocolVersion: 5 })))
    const running = producers.map((client, i) => flood(client, String(i), acknowledged))
    await until('there is load', () => acknowledged.size > 500)
    expect(await before.end(signal)).toEqual({ code: 0, signal: null })
    await Promise.all(running)

    const { port } = await startProcess(folder)
    const consumer = await connectRaw(port)
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/work', qos: 1 }] })
    for (const missing = new Set(acknowledged); missing.size > 0; ) {
      const { payload, messageId } = await consumer.next('publish')
      missing.delete(payload.toString())
      consumer.send({ cmd: 'puback', messageId: messageId! })
    }
  })
})

/** Publish with fifty messages in flight until the connection ends. */
async function flood(client: RawClient, name: string, acknowledged: Set<string>): Promise<void> {
  const inFlight = new Map<number, string>()
  try {
    for (let sent = 0; ; ) {
      while (inFlight.size < 50) {
        const messageId = (sent % 65_535) + 1
        const payload = `${name} ${sent++}`
        inFlight.set(messageId, payload)
        client.send({ cmd: 'publish', topic: 'queue/work', payload, qos: 1, messageId, dup: false, retain: false })
      }
      const { messageId } = await client.next('puback')
      acknowledged.add(inFlight.get(messageId!)!)
      inFlight.delete(messageId!)
    }
  } catch {
    // The broker has gone.
  }
}
