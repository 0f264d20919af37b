/** Attempts to take more of the broker than there is for one: what they take is bounded, and others are served meanwhile. */

import { expect, it, vi } from 'vitest'
import { listenTo } from '../helpers/events.ts'
import { heldBytesWithBuffers as held } from '../helpers/heap.ts'
import { connectRaw, greet, openRaw } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'
import { Attacker, openArena } from './arena.ts'
import { connectPacket } from './refused.ts'
import { packet, varint } from './streams.ts'
import { more, withstand } from './withstand.ts'

vi.setConfig({ testTimeout: 60_000 })

const MEGABYTE = 1024 * 1024

const IDS = 1_000

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

/** PUBLISH of MQTT 5.0 at QoS 1, retained. */
const retained = (topic: string, id: number) =>
  packet(0x33, text(topic), Buffer.from([id >> 8, id & 0xff, 0]), Buffer.from('x'))

it('thousands of connections that send nothing: the oldest give way, and who means it gets in', async () => {
  const arena = await openArena({ limits: { maxHalfOpen: 100 }, mqtt: { connectTimeout: '10s' } })
  const events = listenTo(arena, 'client.connecting-refused')
  await withstand(arena, async () => {
    const silent: Attacker[] = []
    for (let i = 0; i < 2_000; i++) {
      silent.push(new Attacker(arena.port, false, arena.faults))
      if (i % 100 === 99) (await connectRaw(arena.port)).socket.destroy()
    }
    await until('all but a hundred are given up', () => events.all.length >= 1_900)
    expect(events.of('client.connecting-refused')[0]).toMatchObject({ clientId: '', reason: 'limit', reasonCode: 0x97 })
    for (const attacker of silent) attacker.end('destroy')
    await Promise.all(silent.map(({ closed }) => closed))
  })
})

it('CONNECTs that come byte by byte are closed when their time is up', async () => {
  const arena = await openArena({ mqtt: { connectTimeout: '500ms' } })
  await withstand(arena, async () => {
    const slow = Array.from({ length: 200 }, () => new Attacker(arena.port, true, arena.faults))
    const bytes = connectPacket(5, 'x'.repeat(60_000), true)
    let open = slow.length
    for (const { closed } of slow) void closed.then(() => open--)
    for (let i = 0; open > 0; i++) {
      for (const { socket } of slow) if (!socket.destroyed) socket.write(bytes.subarray(i, i + 1))
      await more(1)
    }
    expect(bytes.length).toBeGreaterThan(60_000) // none was through
  })
})

it('large CONNECTs that are not finished take a bounded memory together', async () => {
  const arena = await openArena({ mqtt: { connectTimeout: '10s' } })
  const events = listenTo(arena, 'client.connecting-refused')
  const bytes = Buffer.concat([Buffer.from([0x10]), varint(500_000), Buffer.alloc(499_000)])
  await withstand(arena, async () => {
    const before = held()
    const large = Array.from({ length: 300 }, () => new Attacker(arena.port, false, arena.faults))
    for (const { socket } of large) socket.write(bytes)
    // 150 MB were sent: what goes beyond 64 makes the oldest give way.
    await until('some have given way', () => events.all.length >= 300 - 140)
    expect(held() - before).toBeLessThan(100 * MEGABYTE)
    for (const attacker of large) attacker.end('destroy')
    await Promise.all(large.map(({ closed }) => closed))
  })
})

it('sessions under ever new client identifiers: no more are kept than may be, and those that are there go on', async () => {
  const arena = await openArena({ limits: { maxSessions: 500 } })
  const events = listenTo(arena, 'client.connecting-refused', 'session.created')
  await withstand(arena, async () => {
    for (let i = 0; i < 10_000; i += 100) {
      const all = Array.from({ length: 100 }, () => new Attacker(arena.port, true, arena.faults))
      for (const [j, { socket }] of all.entries()) socket.end(connectPacket(4, `random-${i + j}`, false))
      await Promise.all(all.map(({ closed }) => closed))
    }
    expect(events.of('session.created').length).toBeLessThanOrEqual(500)
    expect(events.of('client.connecting-refused').length).toBeGreaterThanOrEqual(9_500)
    expect(events.of('client.connecting-refused')[0]).toMatchObject({ reasonCode: 0x97 })
    const { socket } = await connectRaw(arena.port, { clientId: 'random-0', clean: false })
    socket.destroy()
  })
})

it('subscriptions by the hundred thousand: a client has no more than it may', async () => {
  const arena = await openArena({ limits: { maxSubscriptions: 1_000 } })
  const client = await connectRaw(arena.port, { protocolVersion: 5 })
  await withstand(arena, async () => {
    const levels = '/+'.repeat(100)
    let granted = 0
    for (let i = 0; i < 100_000; i += 2_000) {
      const filters = Array.from({ length: 2_000 }, (_, j) =>
        Buffer.concat([text(`${i + j}${levels}`), Buffer.from([0])]),
      )
      client.sendBytes(packet(0x82, Buffer.from([0, 1, 0]), ...filters))
      const codes = (await client.next('suback')).granted as number[]
      granted += codes.filter((code) => code === 0).length
      expect(new Set(codes.slice(1_000))).toEqual(new Set([0x97]))
      client.frames.length = 0
    }
    expect(granted).toBe(1_000)
    client.socket.destroy()
  })
})

it.each([
  ['by the hundred thousand', { maxRetained: 1_000 }, 100_000, '', 1_000, 1_000],
  [
    'on topics of a hundred levels, whose bytes are few',
    { maxRetainedBytes: '10MB' },
    20_000,
    '/a'.repeat(99),
    500,
    520,
  ],
] as const)('retained messages %s: no more are kept than may be', async (_what, limits, count, levels, least, most) => {
  const arena = await openArena({ limits })
  const client = await connectRaw(arena.port, { protocolVersion: 5 })
  const attack = async (): Promise<void> => {
    let taken = 0
    for (let i = 0; i < count; i += IDS) {
      const burst = Array.from({ length: IDS }, (_, j) => retained(`$flood/${i + j}${levels}`, j + 1))
      client.sendBytes(Buffer.concat(burst))
      for (let j = 0; j < IDS; j++) {
        const { reasonCode } = await client.next('puback')
        if (reasonCode !== 0x97) taken++
      }
      client.frames.length = 0
    }
    expect(taken).toBeGreaterThanOrEqual(least)
    expect(taken).toBeLessThanOrEqual(most)
  }
  await withstand(arena, attack, 24 * MEGABYTE)
})

it('a topic of thousands of levels is refused', async () => {
  const arena = await openArena()
  const events = listenTo(arena, 'client.disconnected')
  await withstand(arena, async () => {
    for (const version of [4, 5] as const) {
      const client = await openRaw(arena.port, version)
      await greet(client, { clientId: `deep-${version}` })
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '+/'.repeat(30_000), qos: 0 }] })
      expect((await client.next('suback')).granted).toEqual([version === 5 ? 0x8f : 0x80])
      client.send({ cmd: 'publish', topic: '/'.repeat(65_535), payload: 'x', qos: 0, retain: true, dup: false })
      await client.end()
      await events.find('client.disconnected', { clientId: `deep-${version}`, reasonCode: 0x90 })
    }
  })
})
