/** Limits, and what is told, as they are after another configuration was read: for whoever comes next, or at once. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const BASE = { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' } } as const

/** A broker, and another configuration for it of which everything takes effect. */
async function start(config: ConfigInput = {}) {
  const broker = await startBroker(config)
  const change = async (next: ConfigInput): Promise<readonly string[]> => {
    const { changed, needRestart } = await broker.reload({ ...BASE, ...next })
    expect(needRestart).toEqual([])
    return changed
  }
  return { broker, port: broker.port, change }
}

async function subscribe(client: RawClient, ...topics: string[]): Promise<unknown> {
  const subscriptions = topics.map((topic) => ({ topic, qos: 0 as const }))
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  return (await client.next('suback')).granted
}

/** The reason code of the CONNACK that somebody gets who connects now. */
async function tried(port: number, more: object = {}): Promise<number | undefined> {
  const client = await openRaw(port, 5)
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'tried', clean: true } as const
  client.send({ ...connect, ...more })
  const { reasonCode } = await client.next('connack')
  client.send({ cmd: 'disconnect', reasonCode: 0 })
  await client.end()
  return reasonCode
}

describe('after a reload', () => {
  it('there may be fewer connections, or more; who is there counts, and stays', async () => {
    const { port, change } = await start({ limits: { maxConnections: null, maxConnectionsPerAddress: null } })
    const there = await Promise.all([1, 2].map(() => connectRaw(port, { protocolVersion: 5 })))
    expect(await change({ limits: { maxConnections: 2 } })).toContain('limits.maxConnections')
    expect(await tried(port)).toBe(0x97)
    await change({ limits: { maxConnectionsPerAddress: 2 } })
    expect(await tried(port)).toBe(0x97)
    await change({ limits: { maxConnections: 3 } })
    expect(await tried(port)).toBe(0)
    for (const client of there) await client.settled()
  })

  it('clients may come more slowly, or as fast as they like', async () => {
    const { port, change } = await start()
    await change({ limits: { connectRate: 1 } })
    const codes = []
    for (let i = 0; i < 11; i++) codes.push(await tried(port))
    expect(codes.filter((code) => code === 0x9f).length).toBeGreaterThan(0)
    await change({ limits: { connectRatePerAddress: null } })
    expect(await tried(port)).toBe(0)
  })

  it('fewer may be half-open: the oldest give way', async () => {
    const { broker, port, change } = await start()
    const events = listenTo(broker, 'client.connecting-refused')
    const silent = [await openRaw(port), await openRaw(port), await openRaw(port)]
    await change({ limits: { maxHalfOpen: 1 } })
    await openRaw(port)
    for (const client of silent) await client.end()
    expect(events.all).toHaveLength(3)
  })

  it('sessions, subscriptions and retained messages have other limits; what is there stays', async () => {
    const { port, change } = await start()
    const client = await connectRaw(port, { protocolVersion: 5 })
    expect(await subscribe(client, 'a', 'b')).toEqual([0, 0])
    await change({ limits: { maxSessions: 1, maxSubscriptions: 2, maxRetained: 1 } })
    expect(await tried(port)).toBe(0x97)
    expect(await subscribe(client, 'a', 'c')).toEqual([0, 0x97])
    const retain = async (topic: string) => {
      client.send({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId: 1, dup: false, retain: true })
      return (await client.next('puback')).reasonCode
    }
    expect(await retain('kept')).toBeLessThan(0x80)
    expect(await retain('too many')).toBe(0x97)
    await change({})
    expect(await retain('another')).toBeLessThan(0x80)
    expect(await subscribe(client, 'c')).toEqual([0])
  })

  it('topics and filters may have fewer levels and bytes', async () => {
    const { broker, port, change } = await start()
    const client = await connectRaw(port, { protocolVersion: 5 })
    await change({ mqtt: { maxTopicLevels: 3, maxTopicLength: 10 } })
    expect(await subscribe(client, 'a/b/c', 'a/b/c/d', '12345678901')).toEqual([0, 0x8f, 0x8f])
    await expect(broker.publish('a/b/c/d', '')).rejects.toMatchObject({ code: 0x90 })
    const next = await connectRaw(port, { protocolVersion: 5 })
    next.send({ cmd: 'publish', topic: 'a/b/c/d', payload: '', qos: 0, dup: false, retain: false })
    expect(await next.next('disconnect')).toMatchObject({ reasonCode: 0x90 })
  })

  it('guessing costs more, or nothing', async () => {
    const passwordFile = join(await temporaryFolder(), 'passwords')
    await writeFile(passwordFile, '')
    const { port, change } = await start({ access: { passwordFile, slowDown: { after: 1, initial: '1h', max: '1h' } } })
    const guess = () => tried(port, { username: 'ada', password: Buffer.from('guess') })
    expect([await guess(), await guess(), await guess()]).toEqual([0x86, 0x86, 0x9f])
    expect(await change({ access: { passwordFile, slowDown: { after: null } } })).toContain('access.slowDown.after')
    expect([await guess(), await guess()]).toEqual([0x86, 0x86])
    await change({ access: { passwordFile, slowDown: { after: 0, initial: '1h', max: '1h' } } })
    expect([await guess(), await guess()]).toEqual([0x86, 0x9f])
  })

  it('a listener asks others who somebody is, and one that nobody has heard of is refused', async () => {
    const passwordFile = join(await temporaryFolder(), 'passwords')
    await writeFile(passwordFile, '')
    const access = { passwordFile }
    const { broker, port, change } = await start({ access })
    expect(await tried(port)).toBe(0x87)
    await change({ access, listeners: { tcp: { port: 0, authenticators: ['anonymous'] } } })
    expect(await tried(port)).toBe(0)
    const unknown = { ...BASE, access, listeners: { tcp: { port: 0, authenticators: ['nobody'] } } }
    const text = /listeners\.tcp\.authenticators: expected names out of .*, found "nobody"/
    await expect(broker.reload(unknown)).rejects.toThrow(text)
    await change({ access })
    expect(await tried(port)).toBe(0x87)
  })

  it('$SYS is told as often as is said now, also where it was not told at all', async () => {
    const { port, change } = await start({ sys: { interval: 0 } })
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('$SYS/broker/uptime')
    expect(await change({ sys: { interval: '20ms' } })).toEqual(['sys.interval'])
    await until('it is told', () => reader.payloads.length > 0)
    await change({ sys: { interval: 0 } })
  })

  it('events are on another topic, more of them are kept, and those before with them', async () => {
    const { broker, port, change } = await start({ status: { recent: 2 } })
    expect(broker.status.recent()).toHaveLength(2)
    const [, last] = broker.status.recent()
    const reader = await connectClient(port)
    await reader.mqtt.subscribeAsync('$eventflow/mine')
    await broker.publish('a', 'x')
    expect(await change({ status: { topic: '$eventflow/mine', recent: 500, recentMessages: true } })).toHaveLength(3)
    await broker.publish('a', 'x')
    await until('it is told', () => reader.payloads.some((text) => text.includes('"message.published"')))
    expect(reader.payloads[0]).toContain('"config.reloaded"')
    const kept = broker.status.recent()
    expect(kept.map(({ type }) => type)).toContain('message.published')
    expect(kept.length).toBeGreaterThan(2)
    expect(Number(kept[0]!.sequence)).toBeGreaterThanOrEqual(Number(last!.sequence))
    const numbers = kept.map(({ sequence }) => Number(sequence))
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i))
    await change({ status: { recent: 0 } })
    expect(broker.status.recent()).toEqual([])
  })
})
