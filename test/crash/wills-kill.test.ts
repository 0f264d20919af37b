/** The broker is killed, or stopped: the clients that were connected are gone, and their wills say so, once. */

import type { IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { type BrokerProcess, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

function lasting(clientId: string, protocolVersion: 4 | 5): Partial<IConnectPacket> {
  const properties = { sessionExpiryInterval: 3600 }
  return { clientId, protocolVersion, clean: false, ...(protocolVersion === 5 ? { properties } : {}) }
}

function brief(clientId: string, protocolVersion: 4 | 5): Partial<IConnectPacket> {
  return { clientId, protocolVersion, clean: true }
}

/** The will of a client of this name, on a topic of that name. */
function will(name: string, more: Partial<NonNullable<IConnectPacket['will']>> = {}) {
  return { will: { topic: `wills/${name}`, payload: Buffer.from('gone'), qos: 1 as const, retain: false, ...more } }
}

/** Topics of the next messages, each acknowledged. */
async function take(client: RawClient, count: number): Promise<string[]> {
  const topics: string[] = []
  while (topics.length < count) {
    const { topic, messageId } = await client.next('publish')
    if (messageId !== undefined) client.send({ cmd: 'puback', messageId })
    topics.push(topic)
  }
  return topics.sort()
}

async function subscribe(client: RawClient, topic: string): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] })
  await client.next('suback')
}

describe.each(VERSIONS)('wills on MQTT $name', ({ version }) => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'of all who were connected are published once at %s',
    {
      timeout: 30_000,
    },
    async (signal) => {
      const folder = await temporaryFolder()
      let broker: BrokerProcess = await startProcess(folder)
      const { port } = broker
      await subscribe(await connectRaw(port, lasting('reader', version)), 'wills/#')
      // CONNACK is what they rely on: nothing else is waited for.
      await connectRaw(port, { ...brief('brief', version), ...will('brief') })
      await connectRaw(port, { ...lasting('kept', version), ...will('kept') })
      await connectRaw(port, { ...brief('retained', version), ...will('retained', { retain: true }) })
      await connectRaw(port, { ...brief('job', version), ...will('job', { topic: 'queue/deaths' }) })
      const polite = await connectRaw(port, { ...lasting('polite', version), ...will('polite') })
      polite.send({ cmd: 'disconnect' })
      await polite.end()
      // What was written with this is on disk, so what was written before is.
      await connectRaw(port, { ...lasting('last', version), ...will('last') })
      await broker.end(signal)

      broker = await startProcess(folder, {}, port)
      const reader = await connectRaw(port, lasting('reader', version))
      const said = await take(reader, 4)
      expect(said).toEqual(['wills/brief', 'wills/kept', 'wills/last', 'wills/retained'])
      await reader.settled()
      expect(reader.received).toEqual([])
      expect((await connectRaw(port, lasting('kept', version))).connack.sessionPresent).toBe(true)
      expect((await connectRaw(port, lasting('brief', version))).connack.sessionPresent).toBe(false)
      await broker.end('SIGKILL')

      await startProcess(folder, {}, port)
      const again = await connectRaw(port, lasting('reader', version))
      await again.settled()
      expect(again.received).toEqual([])
      const later = await connectRaw(port, brief('later', version))
      await subscribe(later, 'wills/#')
      await subscribe(later, 'queue/deaths')
      expect(await take(later, 2)).toEqual(['queue/deaths', 'wills/retained'])
      await later.settled()
      expect(later.received).toEqual([])
    },
  )
})

describe('wills with a delay', () => {
  it('wait for it after kill -9, and are not published of clients that are back in their session before', {
    timeout: 30_000,
  }, async () => {
    const folder = await temporaryFolder()
    const first = await startProcess(folder)
    const { port } = first
    const delayed = (name: string, seconds: number) => ({
      ...lasting(name, 5),
      ...will(name, { properties: { willDelayInterval: seconds } }),
    })
    await subscribe(await connectRaw(port, lasting('reader', 5)), 'wills/#')
    await connectRaw(port, delayed('returning', 3600))
    await connectRaw(port, delayed('connected', 3))
    await connectRaw(port, delayed('renewed', 3600))
    const away = await connectRaw(port, delayed('away', 3600))
    away.send({ cmd: 'disconnect', reasonCode: 0x04, properties: { sessionExpiryInterval: 4 } })
    await away.end()
    await connectRaw(port, lasting('last', 5))
    await first.end('SIGKILL')

    const second = await startProcess(folder, {}, port)
    const returned = await connectRaw(port, lasting('returning', 5))
    expect(returned.connack.sessionPresent).toBe(true)
    await connectRaw(port, brief('renewed', 5))
    const reader = await connectRaw(port, lasting('reader', 5))
    expect(await take(reader, 3)).toEqual(['wills/away', 'wills/connected', 'wills/renewed'])
    await reader.settled()
    expect(reader.received).toEqual([])
    // What the reader acknowledged is on disk with this: otherwise it may come again, as QoS 1 allows.
    await connectRaw(port, lasting('last', 5))
    await second.end('SIGKILL')

    // The end of its session would bring up a will that was not cancelled for good.
    await startProcess(folder, {}, port)
    await connectRaw(port, brief('returning', 5))
    const again = await connectRaw(port, lasting('reader', 5))
    await again.settled()
    expect(again.received).toEqual([])
  })
})

describe.each(VERSIONS)('what CONNACK says on MQTT $name', ({ version }) => {
  it('of a session that is kept holds after kill -9: the session is there, or is not', async () => {
    const folder = await temporaryFolder()
    const first = await startProcess(folder)
    const { port } = first
    const old = await connectRaw(port, lasting('renewed', version))
    await subscribe(old, 'news')
    old.socket.destroy()
    const [made, renewed] = await Promise.all([
      connectRaw(port, lasting('made', version)),
      connectRaw(port, brief('renewed', version)),
    ])
    expect([made.connack.sessionPresent, renewed.connack.sessionPresent]).toEqual([false, false])
    await first.end('SIGKILL')

    await startProcess(folder, {}, port)
    expect((await connectRaw(port, lasting('made', version))).connack.sessionPresent).toBe(true)
    expect((await connectRaw(port, lasting('renewed', version))).connack.sessionPresent).toBe(false)
  })
})
