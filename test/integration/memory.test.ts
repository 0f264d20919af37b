/** What all clients together have the broker keep in memory is bounded, and no few of them can take it from the others. */

import { generate } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { definePlugin, type PluginContext } from '../../src/plugin.ts'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'
import { openWebSocket } from '../helpers/web-socket.ts'

const MAX = 1024 * 1024

/** A broker with a megabyte for all clients, and what of it is taken now. */
async function start(config: ConfigInput = {}) {
  const held: { context: PluginContext | null } = { context: null }
  const spy = definePlugin({
    name: 'spy',
    setup(context) {
      held.context = context
      return undefined
    },
  })
  const { limits, ...rest } = config
  const broker = await startBroker({ limits: { maxMemory: MAX, ...limits }, ...rest }, { plugins: [spy] })
  return { broker, port: broker.port, used: () => held.context!.gauges().clientMemory }
}

const LASTING = { protocolVersion: 5, properties: { sessionExpiryInterval: 3_600 } } as const

async function subscribe(client: RawClient, topic: string, qos: 0 | 1 | 2 = 1): Promise<unknown> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  return (await client.next('suback')).granted
}

/** A client that has subscribed, and is away. */
async function leave(port: number, clientId: string, filter: string): Promise<void> {
  const client = await connectRaw(port, { ...LASTING, clientId, clean: false })
  await subscribe(client, filter)
  client.send({ cmd: 'disconnect', reasonCode: 0 })
  await client.end()
}

describe('when there is no room for more', () => {
  it('messages that wait are dropped, first for those for whom most waits, and told', async () => {
    const { broker, port, used } = await start()
    const events = listenTo(broker, 'message.dropped', 'broker.memory-short')
    for (let i = 0; i < 10; i++) await leave(port, `greedy-${i}`, 'a/#')
    await leave(port, 'modest', 'b')
    const prompt = await connectRaw(port, { protocolVersion: 5 })
    await subscribe(prompt, 'a/#')
    for (let i = 0; i < 500; i++) {
      await broker.publish(`a/${i}`, 'x'.repeat(4_000), { qos: 1 })
      const { messageId } = await prompt.next('publish') // who takes its messages gets them all
      prompt.send({ cmd: 'puback', messageId: messageId! })
      expect(used()).toBeLessThan(MAX)
    }
    const dropped = events.of('message.dropped')
    expect(dropped.length).toBeGreaterThan(0)
    expect(dropped.every(({ reason, clientId }) => reason === 'no-room' && clientId.startsWith('greedy'))).toBe(true)
    expect(events.of('broker.memory-short')).toMatchObject([{ maxBytes: MAX }])

    await broker.publish('b', 'for the modest', { qos: 1 })
    const modest = await connectRaw(port, { ...LASTING, clientId: 'modest', clean: false })
    expect(String((await modest.next('publish')).payload)).toBe('for the modest')
  })

  it('a message for many is kept once: a thousand sessions are no thousand messages', async () => {
    const { broker, port, used } = await start()
    for (let i = 0; i < 50; i++) await leave(port, `away-${i}`, 'firmware')
    const events = listenTo(broker, 'message.dropped')
    await broker.publish('firmware', Buffer.alloc(100_000), { qos: 1 })
    expect(events.all).toEqual([])
    expect(used()).toBeLessThan(400_000)
  })

  it('messages for a group that is away are dropped', async () => {
    const { broker, port, used } = await start()
    const events = listenTo(broker, 'message.dropped')
    for (let i = 0; i < 20; i++) await leave(port, `member-${i}`, `$share/g${i}/a`)
    for (let i = 0; i < 50; i++) await broker.publish('a', Buffer.alloc(5_000), { qos: 1 })
    expect(used()).toBeLessThan(MAX)
    expect(events.of('message.dropped')[0]).toMatchObject({ clientId: '', reason: 'no-room' })
  })

  it('subscriptions are refused with 0x97, and others still have some', async () => {
    const { broker, port, used } = await start()
    const events = listenTo(broker, 'subscription.refused')
    const greedy = await connectRaw(port, { protocolVersion: 5 })
    const deep = (i: number): string => `${i}/`.repeat(200)
    let granted: unknown = [1]
    for (let i = 0; JSON.stringify(granted) === '[1]'; i++) granted = await subscribe(greedy, deep(i))
    expect(granted).toEqual([0x97])
    expect(used()).toBeLessThan(MAX / 4)
    expect(events.of('subscription.refused')).toMatchObject([{ reasonCode: 0x97 }])
    expect(await subscribe(greedy, deep(0))).toEqual([1]) // it has that
    const other = await connectRaw(port, { protocolVersion: 5 })
    expect(await subscribe(other, deep(0))).toEqual([1])
  })

  it('sessions with large wills are refused with 0x97, and who has one comes back', async () => {
    const { broker, port, used } = await start()
    const events = listenTo(broker, 'client.connecting-refused')
    const properties = { willDelayInterval: 3_600 }
    const will = { topic: 'w', payload: Buffer.alloc(50_000), qos: 0 as const, retain: false, properties }
    const connect = (clientId: string) => connectRaw(port, { ...LASTING, clientId, clean: false, will })
    const come = async (): Promise<number> => {
      for (let i = 0; ; i++) {
        const client = await connect(`c${i}`).catch(() => null)
        if (client === null) return i
        client.socket.destroy()
      }
    }
    expect(await come()).toBeGreaterThan(5)
    expect(used()).toBeLessThan(MAX)
    expect(events.all).toMatchObject([{ data: { reason: 'limit', reasonCode: 0x97 } }])
    await connect('c0')
    await connectRaw(port, { protocolVersion: 5 })
  })

  it.each(['tcp', 'ws'] as const)('packets that are not whole are given up (%s), and small ones pass', async (name) => {
    const { broker, used } = await start({ listeners: { tcp: { port: 0 }, ws: { port: 0 } } })
    const { port, url } = broker.listeners.find((listener) => listener.name === name)!
    const events = listenTo(broker, 'client.disconnected')
    const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clean: true } as const
    const packet = Buffer.concat([Buffer.from([0x30, 0x80, 0x80, 0x20]), Buffer.alloc(200_000)]) // 512 KB are to come
    for (let i = 0; events.all.length === 0; i++) {
      const hello = generate({ ...connect, clientId: `c${i}`, keepalive: 0 }, { protocolVersion: 5 })
      if (name === 'tcp') {
        const client = await openRaw(port, 5)
        client.sendBytes(hello)
        await client.next('connack')
        client.sendBytes(packet)
      } else {
        const { ws, mqtt } = await openWebSocket(url)
        ws.send(hello)
        await mqtt.next('connack')
        ws.send(packet, { fin: false }) // the last frame of it never comes
      }
      await until('it is there, or is sent away', () => used() > i * 100_000 || events.all.length > 0)
      expect(used()).toBeLessThan(2 * MAX)
    }
    expect(events.all[0]).toMatchObject({ data: { reason: 'quota', reasonCode: 0x97 } })
    const small = await connectRaw(broker.port, { protocolVersion: 5 })
    small.send({
      cmd: 'publish',
      topic: 'a',
      payload: 'x'.repeat(30_000),
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
    })
    await small.next('puback')
  })

  it('messages at QoS 2 that are never released are refused with 0x97, but for a few', async () => {
    const { port, used } = await start()
    const publish = (messageId: number) =>
      ({ cmd: 'publish', topic: 'a', payload: '', qos: 2, messageId, dup: false, retain: false }) as const
    const client = await connectRaw(port, { protocolVersion: 5 })
    client.sendTogether(...Array.from({ length: 10_000 }, (_, i) => publish(i + 1)))
    const codes = []
    for (let i = 0; i < 10_000; i++) codes.push((await client.next('pubrec')).reasonCode ?? 0)
    expect(codes.filter((code) => code < 0x80).length).toBeGreaterThan(1_000)
    expect(codes.at(-1)).toBe(0x97)
    expect(used()).toBeLessThan(MAX / 2)
    const other = await connectRaw(port, { protocolVersion: 5 })
    other.send(publish(1))
    expect((await other.next('pubrec')).reasonCode ?? 0).toBeLessThan(0x80)
  })

  it('who does not read has less kept for it', async () => {
    const { broker, port, used } = await start()
    const readers = await Promise.all(Array.from({ length: 20 }, () => connectRaw(port, { protocolVersion: 5 })))
    for (const reader of readers) {
      await subscribe(reader, 'a', 0)
      reader.socket.pause()
    }
    const events = listenTo(broker, 'message.dropped')
    // What the kernel keeps of each socket is megabytes.
    while (events.all.length < 2_000) await broker.publish('a', Buffer.alloc(50_000))
    expect(used()).toBeLessThan(2 * MAX)
    expect(events.of('message.dropped').every(({ reason }) => reason === 'slow')).toBe(true)
    for (const reader of readers) reader.socket.destroy()
  })
})

it('nothing is counted any more of clients that are gone', async () => {
  const { broker, port, used } = await start({ limits: { maxMemory: null } })
  const ended = listenTo(broker, 'session.expired')
  const before = used()
  for (let round = 0; round < 3; round++) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        connectRaw(port, {
          protocolVersion: 5,
          clientId: `c${i}`,
          will: { topic: 'w', payload: Buffer.alloc(100), qos: 1, retain: false },
          properties: { sessionExpiryInterval: i % 2 === 0 ? 3_600 : 0, topicAliasMaximum: 5 },
        }),
      ),
    )
    for (const [i, client] of clients.entries()) {
      await subscribe(client, i % 3 === 0 ? '$share/g/a/#' : 'a/#', (i % 3) as 0 | 1 | 2)
      client.send({ cmd: 'publish', topic: `a/${i}`, payload: 'x', qos: 2, messageId: 9, dup: false, retain: false })
      if (i % 4 === 0) client.socket.pause()
    }
    for (let i = 0; i < 30; i++) await broker.publish('a/b', Buffer.alloc(20_000), { qos: (i % 3) as 0 | 1 | 2 })
    for (const [i, client] of clients.entries()) {
      client.sendBytes([0x30, 0xff, 0x7f, 0, 1, 0x61])
      if (i % 2 === 0) client.socket.destroy()
      else client.socket.resetAndDestroy()
    }
    expect(used()).toBeGreaterThan(before)
    await until('they are gone', () => ended.all.length >= 10 * (round + 1))
  }
  for (let i = 0; i < 20; i += 2) {
    const client = await connectRaw(port, { protocolVersion: 5, clientId: `c${i}`, clean: true })
    client.send({ cmd: 'disconnect', reasonCode: 0 })
    await client.end()
  }
  await until(`all is let go of`, () => used() === before)
})
