import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Counters } from '../../../src/core/counters.ts'
import { Message, type QoS } from '../../../src/core/message.ts'
import { DELIVERY_BYTES, MESSAGE_BYTES, SharedRoom } from '../../../src/core/shared-room.ts'
import { Outbox, type OutboxLimits } from '../../../src/session/outbox.ts'
import type { Store } from '../../../src/store/store.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { turn } from '../../helpers/slow-sink.ts'
import { outcome } from '../wire/support.ts'
import { Connection, type ConnectionOptions, memoryStore, message, recordedEvents, Settlements } from './support.ts'

const LIMITS: OutboxLimits = { maxInflight: 100, maxQueued: 1_000, maxQueuedBytes: 1_000_000 }

interface Options {
  limits?: Partial<OutboxLimits>
  persistent?: boolean
  store?: Store
  room?: SharedRoom
}

async function make({ limits = {}, persistent = false, store, room = new SharedRoom() }: Options = {}) {
  const { events, heard } = recordedEvents()
  const clock = new FakeClock()
  const known = store ?? (await memoryStore())
  const log = known.sessions.outgoing
  const durable = () => known.durable()
  const counters = new Counters()
  const parts = { clientId: 'me', events, counters, now: clock.now, log, durable, room }
  const outbox = new Outbox({ ...parts, limits: { ...LIMITS, ...limits } })
  outbox.persistent = persistent
  const connect = (options: ConnectionOptions = {}): Connection => {
    const connection = new Connection({ ...options, settled: durable })
    outbox.attach(connection)
    return connection
  }
  const enqueue = (payload: string, qos: QoS = 1) => outbox.enqueue(message(payload, { qos }), qos, false, null)
  /** How many messages the store keeps for this client. */
  const stored = () => log.list().find(({ name }) => name === 'me')?.count ?? 0
  /** The entries as they would be found after a restart. */
  const entries = () => log.read('me', 0, 1_000_000)
  return { outbox, connect, enqueue, stored, entries, heard, clock, counters, room, store: known }
}

function deliver(
  outbox: Outbox,
  receiver: Settlements | null,
  token: string,
  qos: QoS,
  given: Message = message(token),
  reference = 0,
) {
  outbox.deliver({
    message: given,
    qos,
    retain: false,
    identifiers: null,
    properties: null,
    receiver,
    token,
    reference,
  })
}

describe('a message at QoS 0', () => {
  it('goes straight out', async () => {
    const { outbox, connect } = await make()
    const connection = connect()
    expect(outbox.send(message('now'), true, [7])).toBe(true)
    expect(await connection.packets()).toMatchObject([
      { cmd: 'publish', qos: 0, retain: true, properties: { subscriptionIdentifier: 7 } },
    ])
    expect(outbox.size).toBe(0)
  })

  it('is dropped when the client is not connected', async () => {
    const { outbox } = await make()
    expect([outbox.writable, outbox.send(message('now'), false, null)]).toEqual([false, false])
  })

  it('is dropped while the socket is congested', async () => {
    const { outbox, connect } = await make()
    const connection = connect({ slow: true, maxSocketBuffer: 10 })
    expect([outbox.writable, outbox.send(message('more than ten'), false, null)]).toEqual([true, true])
    await turn()
    expect([outbox.writable, outbox.send(message('now'), false, null)]).toEqual([false, false])
    connection.sink.catchUp()
    await turn()
    expect([outbox.writable, outbox.send(message('now'), false, null)]).toEqual([true, true])
  })

  it('is dropped when it is larger than the client takes [MQTT-3.1.2-24]', async () => {
    const { outbox, connect } = await make()
    const connection = connect({ maximumPacketSize: 20 })
    expect(outbox.send(message('x'.repeat(30)), false, null)).toBe(false)
    expect(await connection.received()).toEqual([])
  })
})

describe('the window', () => {
  it.each([
    ['what the broker allows', { maxInflight: 2 }, 65_535],
    ['the Receive Maximum of the client [MQTT-3.3.4-9]', {}, 2],
  ])('is as wide as %s, and keeps the order when it opens', async (_whose, limits, receiveMaximum) => {
    const { outbox, connect, enqueue } = await make({ limits })
    const connection = connect({ receiveMaximum })
    for (const payload of ['a', 'b', 'c', 'd', 'e']) expect(enqueue(payload)).toBe('sent')
    expect(await connection.received()).toEqual(['PUBLISH 1 a', 'PUBLISH 2 b'])
    expect(outbox.size).toBe(5)
    outbox.acknowledged(2, 0)
    expect(await connection.received()).toEqual(['PUBLISH 3 c'])
    outbox.acknowledged(1, 0)
    outbox.acknowledged(3, 0)
    expect(await connection.received()).toEqual(['PUBLISH 4 d', 'PUBLISH 5 e'])
    outbox.acknowledged(4, 0)
    outbox.acknowledged(5, 0)
    expect(outbox.size).toBe(0)
  })

  it('at QoS 2 has room again when PUBCOMP has come', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxInflight: 1 } })
    const connection = connect()
    enqueue('a', 2)
    enqueue('b', 2)
    outbox.received(1, 0)
    expect(await connection.received()).toEqual(['PUBLISH 1 a', 'PUBREL 1'])
    outbox.completed(1)
    expect(await connection.received()).toEqual(['PUBLISH 2 b'])
  })

  it('is not opened by what was not sent, nor by the same PUBACK twice', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxInflight: 1 } })
    const connection = connect()
    for (const payload of ['a', 'b', 'c']) enqueue(payload)
    outbox.acknowledged(9, 0)
    expect(await connection.received()).toEqual(['PUBLISH 1 a'])
    outbox.acknowledged(1, 0)
    outbox.acknowledged(1, 0)
    expect(await connection.received()).toEqual(['PUBLISH 2 b'])
  })

  it('waits for a congested socket, and goes on when it has drained', async () => {
    const { connect, enqueue } = await make()
    const connection = connect({ slow: true, maxSocketBuffer: 10 })
    enqueue('more than ten')
    await turn()
    enqueue('b')
    enqueue('c')
    await turn()
    connection.sink.catchUp()
    await turn()
    expect(await connection.received()).toEqual(['PUBLISH 1 more than ten', 'PUBLISH 2 b', 'PUBLISH 3 c'])
  })

  it('lets no message overtake another, whatever its QoS and wherever it is from', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxInflight: 1 } })
    const connection = connect()
    enqueue('a')
    enqueue('b')
    deliver(outbox, new Settlements(), 'c', 0)
    enqueue('d', 2)
    expect(await connection.received()).toEqual(['PUBLISH 1 a'])
    outbox.acknowledged(1, 0)
    expect(await connection.received()).toEqual(['PUBLISH 2 b', 'PUBLISH c'])
    outbox.acknowledged(2, 0)
    expect(await connection.received()).toEqual(['PUBLISH 3 d'])
  })
})

describe('packet identifiers', () => {
  it('go from 1 to 65,535 and round, past those that are in flight [MQTT-2.2.1-4]', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxInflight: 10 } })
    const connection = connect()
    enqueue('stays')
    enqueue('stays too')
    const used: number[] = []
    await connection.received()
    for (let i = 0; i < 65_533; i++) {
      enqueue('x')
      outbox.acknowledged(i + 3, 0)
    }
    expect(outbox.size).toBe(2)
    await connection.received()
    for (let i = 0; i < 3; i++) enqueue('y')
    for (const packet of await connection.packets()) used.push(packet.messageId!)
    expect(used).toEqual([3, 4, 5])
  })

  it('are never used for two messages at once', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxInflight: 5 } })
    const connection = connect()
    const open = new Map<number, string>()
    const steps = fc.sample(fc.nat(10), 2_000)
    for (const [i, step] of steps.entries()) {
      if (step < 5) enqueue(String(i))
      else {
        const id = [...open.keys()][step % Math.max(open.size, 1)]
        if (id === undefined) continue
        open.delete(id)
        outbox.acknowledged(id, 0)
      }
      for (const packet of await connection.packets()) {
        expect(open.has(packet.messageId!)).toBe(false)
        open.set(packet.messageId!, String(i))
        expect(open.size).toBeLessThanOrEqual(5)
      }
    }
  })
})

describe('a message at QoS 2', () => {
  it('goes through PUBREC, PUBREL and PUBCOMP [MQTT-4.3.3-1]', async () => {
    const { outbox, connect, enqueue, heard } = await make()
    const connection = connect()
    enqueue('a', 2)
    outbox.received(1, 0)
    expect(heard.at(-1)).toEqual({ type: 'message.acknowledged', clientId: 'me', topic: 't', qos: 2 })
    outbox.completed(1)
    expect(await connection.received()).toEqual(['PUBLISH 1 a', 'PUBREL 1'])
    expect(outbox.size).toBe(0)
  })

  it('is released again for a PUBREC that comes twice, and counted once', async () => {
    const { outbox, connect, enqueue, heard } = await make()
    const connection = connect()
    enqueue('a', 2)
    outbox.received(1, 0)
    outbox.received(1, 0)
    expect(await connection.received()).toEqual(['PUBLISH 1 a', 'PUBREL 1', 'PUBREL 1'])
    expect(heard.filter(({ type }) => type === 'message.acknowledged').length).toBe(1)
  })

  it('ends with a PUBREC of 0x80 or more, and its identifier is free [MQTT-4.3.3-4]', async () => {
    const { outbox, connect, enqueue, heard } = await make({ limits: { maxInflight: 1 } })
    const connection = connect()
    enqueue('a', 2)
    enqueue('b', 2)
    outbox.received(1, 0x97)
    expect(await connection.received()).toEqual(['PUBLISH 1 a', 'PUBLISH 2 b'])
    expect(heard.some(({ type }) => type === 'message.acknowledged')).toBe(false)
  })

  it('that nobody knows is released with 0x92 for MQTT 5.0, and plainly before [MQTT 5.0, 4.3.3]', async () => {
    const { outbox, connect } = await make()
    const five = connect({ version: 5 })
    outbox.received(9, 0)
    outbox.received(9, 0x80)
    expect(await five.received()).toEqual(['PUBREL 9 0x92'])
    const four = connect({ version: 4 })
    outbox.received(9, 0)
    expect(await four.received()).toEqual(['PUBREL 9'])
  })

  it('is completed late without harm', async () => {
    const { outbox, connect } = await make()
    connect()
    expect(() => outbox.completed(9)).not.toThrow()
  })

  it.each<[string, QoS, (outbox: Outbox) => void]>([
    ['PUBACK for QoS 2', 2, (outbox) => outbox.acknowledged(1, 0)],
    ['PUBREC for QoS 1', 1, (outbox) => outbox.received(1, 0)],
    ['PUBCOMP before PUBREC', 2, (outbox) => outbox.completed(1)],
    ['PUBCOMP for QoS 1', 1, (outbox) => outbox.completed(1)],
  ])('or 1 is not settled with the wrong packet, which is a protocol error: %s', async (_what, qos, act) => {
    const { outbox, connect, enqueue } = await make()
    connect()
    enqueue('a', qos)
    expect(outcome(() => act(outbox))).toBe(0x82)
  })
})

describe('a client that comes back to its session', () => {
  it('gets what it has not settled, in order, with DUP or as PUBREL, before anything new [MQTT-4.4.0-1]', async () => {
    const { outbox, connect, enqueue } = await make({ persistent: true, limits: { maxInflight: 4 } })
    const first = connect()
    enqueue('a')
    enqueue('b', 2)
    enqueue('c', 2)
    enqueue('d')
    enqueue('e')
    outbox.received(2, 0)
    await first.received()
    outbox.detach(false)
    enqueue('f')
    const second = connect()
    expect(await second.received()).toEqual(['PUBLISH DUP 1 a', 'PUBREL 2', 'PUBLISH DUP 3 c', 'PUBLISH DUP 4 d'])
    outbox.acknowledged(1, 0)
    outbox.completed(2)
    expect(await second.received()).toEqual(['PUBLISH 5 e', 'PUBLISH 6 f'])
  })

  it('as often as it comes', async () => {
    const { outbox, connect, enqueue } = await make({ persistent: true })
    enqueue('a')
    expect(await connect().received()).toEqual(['PUBLISH 1 a'])
    for (let i = 0; i < 3; i++) {
      outbox.detach(false)
      expect(await connect().received()).toEqual(['PUBLISH DUP 1 a'])
    }
  })

  it('with another version of MQTT gets it in that', async () => {
    const { outbox, connect, enqueue } = await make({ persistent: true })
    connect({ version: 5 })
    enqueue('a')
    outbox.detach(false)
    const [packet] = await connect({ version: 4 }).packets()
    expect(packet).toMatchObject({ cmd: 'publish', dup: true, messageId: 1 })
  })

  it('gets what came while it was away, from the bytes of the message and not of the chunk', async () => {
    const { outbox, connect } = await make({ persistent: true })
    const chunk = Buffer.alloc(65_536, 'a')
    outbox.enqueue(message(chunk.subarray(0, 5)), 1, false, null)
    const given = message('')
    Object.assign(given, { bytes: chunk, start: 0, payloadStart: 0, end: 3, kept: false })
    outbox.enqueue(given, 1, false, null)
    chunk.fill('z')
    expect(await connect().received()).toEqual(['PUBLISH 1 aaaaa', 'PUBLISH 2 aaa'])
  })

  it('with a smaller Receive Maximum is not sent more than that at once [MQTT-3.3.4-9]', async () => {
    const { outbox, connect, enqueue } = await make({ persistent: true })
    connect()
    for (const payload of ['a', 'b', 'c']) enqueue(payload)
    outbox.detach(false)
    const connection = connect({ receiveMaximum: 1 })
    expect(await connection.received()).toEqual(['PUBLISH DUP 1 a'])
    outbox.acknowledged(1, 0)
    expect(await connection.received()).toEqual(['PUBLISH DUP 2 b'])
  })

  it('with less room in its packets loses what no longer fits, and nothing else', async () => {
    const { outbox, connect, enqueue, stored, heard } = await make({ persistent: true })
    connect()
    enqueue('x'.repeat(50))
    enqueue('b')
    outbox.detach(false)
    expect(await connect({ maximumPacketSize: 20 }).received()).toEqual(['PUBLISH DUP 2 b'])
    expect([outbox.size, stored()]).toEqual([1, 1])
    expect(heard.at(-2)).toMatchObject({ type: 'message.dropped', reason: 'packet-too-large' })
  })
})

describe('the messages of a persistent session', () => {
  it('are stored until they are settled', async () => {
    const { outbox, connect, enqueue, stored } = await make({ persistent: true })
    expect([enqueue('a'), enqueue('b', 2), stored()]).toEqual(['stored', 'stored', 2])
    connect()
    expect(stored()).toBe(2)
    outbox.acknowledged(1, 0)
    expect(stored()).toBe(1)
    outbox.received(2, 0)
    expect(stored()).toBe(1)
    outbox.completed(2)
    expect(stored()).toBe(0)
  })

  it('are forgotten when the client refuses them', async () => {
    const { outbox, connect, enqueue, stored } = await make({ persistent: true })
    enqueue('a')
    enqueue('b', 2)
    connect()
    outbox.acknowledged(1, 0x97)
    outbox.received(2, 0x97)
    expect([stored(), outbox.size]).toEqual([0, 0])
  })

  it('that cannot be read any more leave their identifiers in use, until the client has given them back', async () => {
    const before = await make({ persistent: true })
    before.connect()
    for (const payload of ['a', 'b']) before.enqueue(payload, 2)
    await turn()
    const marks = (await before.entries()).map(({ mark }) => mark)
    const store = await memoryStore()
    for (let restart = 0; restart < 2; restart++) {
      const { outbox, connect, entries, enqueue, stored, counters } = await make({ persistent: true, store })
      if (restart === 0) outbox.restore([], [...marks, 0])
      else outbox.restore(await entries())
      expect(stored()).toBe(2)
      if (restart === 0) continue
      const connection = connect()
      enqueue('c', 2)
      await turn()
      expect(await connection.received()).toEqual(['PUBREL 1', 'PUBREL 2', 'PUBLISH 3 c'])
      outbox.completed(1)
      outbox.completed(2)
      expect(stored()).toBe(1)
      expect(counters.queuedMessages).toBe(1)
    }
  })

  it('are restored as they were: identifiers, states and order', async () => {
    const before = await make({ persistent: true, limits: { maxInflight: 3 } })
    before.connect()
    for (const payload of ['a', 'b', 'c', 'd']) before.enqueue(payload, 2)
    before.outbox.received(2, 0)
    const after = await make({ persistent: true, store: before.store })
    after.outbox.restore(await before.entries())
    expect(after.outbox.size).toBe(4)
    const connection = after.connect()
    expect(await connection.received()).toEqual(['PUBLISH DUP 1 a', 'PUBREL 2', 'PUBLISH DUP 3 c', 'PUBLISH 4 d'])
    after.outbox.completed(2)
    after.outbox.received(4, 0)
    after.outbox.completed(4)
    expect(after.stored()).toBe(2)
    after.enqueue('e', 2)
    expect(await connection.received()).toEqual(['PUBREL 4', 'PUBLISH 5 e'])
  })

  it('that were sent before a restart keep the identifiers that new ones would have had', async () => {
    const before = await make({ persistent: true })
    before.connect()
    for (const payload of ['a', 'b', 'c']) before.enqueue(payload)
    before.outbox.acknowledged(2, 0)
    const after = await make({ persistent: true, store: before.store })
    after.outbox.restore(await before.entries())
    const connection = after.connect()
    after.enqueue('new')
    expect(await connection.received()).toEqual(['PUBLISH DUP 1 a', 'PUBLISH DUP 3 c', 'PUBLISH 2 new'])
  })

  it('are counted while they are stored or in flight, in any course of events', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('enqueue' as const), qos: fc.constantFrom<QoS>(1, 2), size: fc.nat(40) }),
        fc.record({ do: fc.constant('settle' as const), id: fc.nat(6), code: fc.constantFrom(0, 0x80) }),
        fc.record({ do: fc.constantFrom('attach' as const, 'detach' as const, 'restart' as const, 'time' as const) }),
      ),
      { maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        let made = await make({ persistent: true, limits: { maxInflight: 3, maxQueued: 6 } })
        let attached = false
        for (const step of all) {
          const { outbox, clock, connect } = made
          if (step.do === 'enqueue') {
            const expiresAt = step.size % 4 === 0 ? clock.now() + 1_000 : 0
            outbox.enqueue(message('x'.repeat(step.size), { expiresAt }), step.qos, false, null)
          } else if (step.do === 'settle') {
            outcome(() => outbox.acknowledged(step.id, step.code))
            outcome(() => outbox.received(step.id, step.code))
            outcome(() => outbox.completed(step.id))
          } else if (step.do === 'time') clock.advance(1_000)
          else if (step.do === 'restart') {
            const entries = await made.entries()
            made = await make({ persistent: true, store: made.store, limits: { maxInflight: 3, maxQueued: 6 } })
            made.outbox.restore(entries)
            attached = false
          } else if (attached !== (step.do === 'attach')) {
            if (attached) outbox.detach(false)
            else connect({ maximumPacketSize: 30 })
            attached = !attached
          }
          const entries = await made.entries()
          const bytes = entries.reduce((sum, entry) => sum + entry.message.payloadLength, 0)
          expect([made.counters.queuedMessages, made.counters.queuedBytes]).toEqual([entries.length, bytes])
          expect(made.counters.inflight).toBe(made.outbox.inflight)
          // What is released is kept as an identifier, without its message.
          const whole = entries
            .filter(({ mark }) => (mark & 3) !== 2)
            .map(({ message: { topic, payloadLength } }) => topic.length + payloadLength)
          const memory = whole.reduce((sum, size) => sum + size + MESSAGE_BYTES + DELIVERY_BYTES, 0)
          expect(made.room.used).toBe(memory)
        }
        made.outbox.detach(true)
        const { queuedMessages, queuedBytes, inflight } = made.counters
        expect([queuedMessages, queuedBytes, inflight, made.room.used]).toEqual([0, 0, 0, 0])
      }),
      { numRuns: 100 },
    )
  })

  it('of a session that is not persistent are not stored', async () => {
    const { enqueue, stored, connect } = await make()
    connect()
    expect([enqueue('a'), stored()]).toEqual(['sent', 0])
  })
})

describe('what waits is limited', () => {
  it('by number, beyond those in flight', async () => {
    const { outbox, connect, enqueue, stored } = await make({
      persistent: true,
      limits: { maxInflight: 1, maxQueued: 2 },
    })
    connect()
    expect(['a', 'b', 'c', 'd'].map((payload) => enqueue(payload))).toEqual(['stored', 'stored', 'stored', 'dropped'])
    expect([outbox.size, stored()]).toEqual([3, 3])
    outbox.acknowledged(1, 0)
    expect(enqueue('e')).toBe('stored')
  })

  it('by bytes of payload: one may go beyond, none after it', async () => {
    const { enqueue } = await make({ limits: { maxQueuedBytes: 10 } })
    expect(['123456', '1234567', '1'].map((payload) => enqueue(payload))).toEqual(['sent', 'sent', 'dropped'])
  })

  it('by what is left for all: who has much is stopped before who has little, and who reads is not', async () => {
    const room = new SharedRoom(100_000)
    const [much, little] = [await make({ room, persistent: true }), await make({ room, persistent: true })]
    let kept = 0
    while (much.enqueue('x'.repeat(1_000)) === 'stored') kept++
    expect(kept).toBeGreaterThan(5)
    expect(much.enqueue('x')).toBe('no-room')
    expect(little.enqueue('x'.repeat(1_000))).toBe('stored')
    expect(room.used).toBeLessThan(100_000)

    room.max = room.used
    const reading = await make({ room, persistent: true })
    const connection = reading.connect()
    expect(reading.enqueue('now')).toBe('stored')
    expect(await connection.received()).toEqual(['PUBLISH 1 now'])
    expect(reading.enqueue('x'.repeat(70_000))).toBe('stored')
    expect(reading.enqueue('now')).toBe('no-room') // it has not acknowledged what is much
    expect(little.enqueue('x')).toBe('no-room')
    for (const { outbox } of [much, little, reading]) outbox.detach(true)
    expect(room.used).toBe(0)
  })

  it('by memory that a message for many takes once', async () => {
    const room = new SharedRoom()
    const all = [await make({ room }), await make({ room }), await make({ room })]
    const given = message('x'.repeat(10_000))
    for (const { outbox } of all) outbox.enqueue(given, 1, false, null)
    expect(room.used).toBeLessThan(11_500)
    for (const { outbox } of all) outbox.detach(true)
    expect(room.used).toBe(0)
  })

  it('and what left makes room', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxQueuedBytes: 10, maxInflight: 1 } })
    enqueue('1234567890')
    expect(enqueue('1')).toBe('dropped')
    connect()
    expect(enqueue('1234567890')).toBe('sent')
    expect(enqueue('1')).toBe('dropped')
    outbox.acknowledged(1, 0)
    expect(enqueue('1')).toBe('sent')
  })
})

describe('a message whose time is up', () => {
  it('is not sent, nor kept [MQTT-3.3.2-5]', async () => {
    const { outbox, connect, enqueue, stored, clock, heard } = await make({ persistent: true })
    outbox.enqueue(message('late', { expiresAt: clock.now() + 5_000 }), 1, false, null)
    enqueue('b')
    clock.advance(5_000)
    expect(await connect().received()).toEqual(['PUBLISH 1 b'])
    expect([outbox.size, stored()]).toEqual([1, 1])
    expect(heard).toContainEqual({ type: 'message.expired', clientId: 'me', topic: 't' })
  })

  it('takes no room from one that comes after its time [MQTT-3.3.2-5]', async () => {
    const { outbox, connect, enqueue, stored, clock, heard } = await make({
      persistent: true,
      limits: { maxQueued: 3 },
    })
    const expiring = (payload: string, seconds: number) =>
      outbox.enqueue(message(payload, { expiresAt: clock.now() + seconds * 1000 }), 1, false, null)
    expect([expiring('a', 5), enqueue('b'), expiring('c', 9), enqueue('d')]).toEqual([
      ...['stored', 'stored', 'stored', 'dropped'],
    ])
    clock.advance(5_000)
    expect([enqueue('e'), enqueue('f')]).toEqual(['stored', 'dropped'])
    expect([outbox.size, stored()]).toEqual([3, 3])
    clock.advance(4_000)
    expect([enqueue('g'), enqueue('h')]).toEqual(['stored', 'dropped'])
    expect(heard.filter(({ type }) => type === 'message.expired')).toHaveLength(2)
    expect(await connect().received()).toEqual(['PUBLISH 1 b', 'PUBLISH 2 e', 'PUBLISH 3 g'])
  })

  it('takes no bytes from it either, and is not looked for while none can be due', async () => {
    const { outbox, clock } = await make({ limits: { maxQueuedBytes: 10 } })
    const big = message(Buffer.alloc(10), { expiresAt: clock.now() + 1_000 })
    expect(outbox.enqueue(big, 1, false, null)).toBe('sent')
    clock.advance(999)
    expect(outbox.enqueue(message('x'), 1, false, null)).toBe('dropped')
    clock.advance(1)
    expect(outbox.enqueue(message('x'), 1, false, null)).toBe('sent')
    expect(outbox.size).toBe(1)
  })

  it('and that was taken from the store at a restart makes room as well', async () => {
    const before = await make({ persistent: true })
    before.outbox.enqueue(message('a', { expiresAt: before.clock.now() + 5_000 }), 1, false, null)
    const after = await make({ persistent: true, store: before.store, limits: { maxQueued: 1 } })
    after.outbox.restore(await before.entries())
    after.clock.advance(5_000)
    expect([after.enqueue('b'), after.stored()]).toEqual(['stored', 1])
  })

  it('is sent with the time that is left while there is some [MQTT-3.3.2-6]', async () => {
    const { outbox, connect, clock } = await make()
    outbox.enqueue(message('soon', { expiresAt: clock.now() + 5_000 }), 1, false, null)
    clock.advance(4_000)
    expect(await connect().packets()).toMatchObject([{ properties: { messageExpiryInterval: 1 } }])
  })
})

describe('a message that was handed over by `deliver` settles', () => {
  it('as acknowledged: PUBACK, or PUBREC, once', async () => {
    const { outbox, connect } = await make()
    const settlements = new Settlements()
    connect()
    deliver(outbox, settlements, 'a', 1)
    deliver(outbox, settlements, 'b', 2)
    expect(settlements.all).toEqual([])
    outbox.acknowledged(1, 0)
    outbox.received(2, 0x10)
    outbox.received(2, 0)
    outbox.completed(2)
    outbox.detach(true)
    expect(settlements.all).toEqual(['a acknowledged', 'b acknowledged 0x10'])
  })

  it('as refused: PUBACK or PUBREC with 0x80 or more', async () => {
    const { outbox, connect } = await make()
    const settlements = new Settlements()
    connect()
    deliver(outbox, settlements, 'a', 1)
    deliver(outbox, settlements, 'b', 2)
    outbox.acknowledged(1, 0x83)
    outbox.received(2, 0x97)
    outbox.received(2, 0)
    outbox.detach(true)
    expect(settlements.all).toEqual(['a refused 0x83', 'b refused 0x97'])
  })

  it('as acknowledged at QoS 0 once the socket has taken it, and not during the call', async () => {
    const { outbox, connect } = await make()
    const settlements = new Settlements()
    const connection = connect({ slow: true })
    deliver(outbox, settlements, 'a', 0)
    await turn()
    expect(settlements.all).toEqual([])
    connection.sink.catchUp()
    await turn()
    expect(settlements.all).toEqual(['a acknowledged'])
    outbox.detach(true)
    expect(settlements.all).toEqual(['a acknowledged'])
  })

  it('as lost when the session ends with its connection: sent, waiting or on the way to the socket', async () => {
    const { outbox, connect } = await make({ limits: { maxInflight: 2 } })
    const settlements = new Settlements()
    const connection = connect({ slow: true })
    deliver(outbox, settlements, 'zero', 0)
    deliver(outbox, settlements, 'a', 1)
    deliver(outbox, settlements, 'b', 2)
    deliver(outbox, settlements, 'c', 1)
    await turn()
    outbox.detach(true)
    expect(settlements.all.toSorted()).toEqual(['a lost', 'b lost', 'c lost', 'zero lost'])
    connection.sink.catchUp()
    await turn()
    outbox.acknowledged(1, 0)
    outbox.detach(true)
    expect(settlements.all.length).toBe(4)
    expect(outbox.size).toBe(0)
  })

  it('as lost when the connection of a persistent session ends, but at QoS 2 once sent: it is sent again', async () => {
    const { outbox, connect } = await make({ persistent: true, limits: { maxInflight: 2 } })
    const settlements = new Settlements()
    await connect().received()
    deliver(outbox, settlements, 'a', 1)
    deliver(outbox, settlements, 'b', 2)
    deliver(outbox, settlements, 'c', 2)
    outbox.detach(false)
    expect(settlements.all).toEqual(['a lost', 'c lost'])
    const second = connect()
    expect(await second.received()).toEqual(['PUBLISH DUP 2 b'])
    outbox.received(2, 0)
    outbox.completed(2)
    expect(settlements.all).toEqual(['a lost', 'c lost', 'b acknowledged'])
    outbox.detach(true)
    expect([settlements.all.length, outbox.size]).toEqual([3, 0])
  })

  it('as lost when the session ends later', async () => {
    const { outbox, connect } = await make({ persistent: true })
    const settlements = new Settlements()
    connect()
    deliver(outbox, settlements, 'b', 2)
    outbox.detach(false)
    expect(settlements.all).toEqual([])
    outbox.detach(true)
    expect(settlements.all).toEqual(['b lost'])
  })

  it.each<QoS>([0, 1, 2])('as undeliverable when it is larger than the client takes, at QoS %i', async (qos) => {
    const { outbox, connect } = await make()
    const settlements = new Settlements()
    const connection = connect({ maximumPacketSize: 20 })
    deliver(outbox, settlements, 'large', qos, message('x'.repeat(30)))
    expect(settlements.all).toEqual([])
    deliver(outbox, settlements, 'small', 1)
    await turn()
    outbox.detach(true)
    expect(settlements.all).toEqual(['large undeliverable 0x95', 'small lost'])
    expect((await connection.received()).length).toBe(1)
    expect(outbox.size).toBe(0)
  })

  it('later when the client is not connected: it waits, and is not expired for its receiver', async () => {
    const { outbox, connect, clock } = await make()
    const settlements = new Settlements()
    deliver(outbox, settlements, 'a', 1, message('a', { expiresAt: clock.now() + 1 }))
    clock.advance(10)
    expect(await connect().received()).toEqual(['PUBLISH 1 a'])
    outbox.acknowledged(1, 0)
    expect(settlements.all).toEqual(['a acknowledged'])
  })

  it('and is not stored: whoever handed it over keeps it', async () => {
    const { outbox, connect, stored } = await make({ persistent: true })
    connect()
    deliver(outbox, new Settlements(), 'a', 2)
    expect(stored()).toBe(0)
  })

  it('in any course of events exactly once', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('deliver' as const), qos: fc.constantFrom<QoS>(0, 1, 2), large: fc.boolean() }),
        fc.record({
          do: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubcomp' as const),
          id: fc.nat(6),
          code: fc.constantFrom(0, 0x80),
        }),
        fc.record({ do: fc.constantFrom('turn' as const, 'detach' as const, 'attach' as const) }),
      ),
      { maxLength: 40 },
    )
    const store = await memoryStore()
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (all, persistent) => {
        const { outbox, connect } = await make({ persistent, limits: { maxInflight: 3 }, store })
        const settlements = new Settlements()
        const options = { maximumPacketSize: 30 }
        let attached = true
        let delivered = 0
        connect(options)
        for (const step of all) {
          if (step.do === 'deliver') {
            deliver(outbox, settlements, String(delivered++), step.qos, message(step.large ? 'x'.repeat(50) : 'x'))
          } else if ('id' in step) {
            if (!attached) continue
            // Wrong packets for a message are protocol errors, which end the connection.
            if (step.do === 'puback') outcome(() => outbox.acknowledged(step.id, step.code))
            else if (step.do === 'pubrec') outcome(() => outbox.received(step.id, step.code))
            else outcome(() => outbox.completed(step.id))
          } else if (step.do === 'turn') await turn()
          else if (step.do === 'detach') {
            if (attached) outbox.detach(!persistent)
            attached = false
          } else {
            if (!attached) connect(options)
            attached = true
          }
        }
        outbox.detach(true)
        await turn()
        const tokens = settlements.all.map((line) => Number(line.split(' ')[0])).sort((a, b) => a - b)
        expect(tokens).toEqual(Array.from({ length: delivered }, (_, i) => i))
        expect(outbox.size).toBe(0)
      }),
      { numRuns: 200 },
    )
  })
})

describe('a message that its namespace finds again, at QoS 2 in a session that is kept', () => {
  /** Four of them in one window of three: released, sent, withdrawn, waiting. */
  async function interrupted() {
    const before = await make({ persistent: true, limits: { maxInflight: 3 } })
    const { outbox, connect, store } = before
    const settlements = new Settlements()
    const connection = connect()
    for (const [i, payload] of ['released', 'sent', 'withdrawn', 'waiting'].entries()) {
      deliver(outbox, settlements, payload, 2, message(payload), 40 + i)
    }
    await connection.received()
    outbox.received(1, 0)
    outbox.withdraw(settlements, 'withdrawn')
    await store.durable()
    const after = await make({ persistent: true, store })
    after.outbox.restore(await before.entries())
    return { ...before, after }
  }

  it('is on disk as assigned, without what it says, before it is sent', async () => {
    const { outbox, connect, entries, store, counters } = await make({ persistent: true })
    const connection = connect()
    deliver(outbox, new Settlements(), 'a', 2, message('a', { topic: 'queue/a' }), 42)
    await turn()
    const [entry] = await entries()
    expect(entry).toMatchObject({ qos: 2, reference: 42, mark: (1 << 2) | 1 })
    expect([entry!.message.topic, entry!.message.payloadLength]).toEqual(['queue/a', 0])
    await store.durable()
    expect(await connection.received()).toEqual(['PUBLISH 1 a'])
    expect(counters.queuedMessages).toBe(0)
  })

  it.each([
    ['at QoS 1', true, 1, 42],
    ['to a session that ends with its connection', false, 2, 42],
    ['of a namespace that does not find it again', true, 2, 0],
  ] as const)('%s costs the store nothing', async (_what, persistent, qos, reference) => {
    const { outbox, connect, stored } = await make({ persistent })
    const connection = connect()
    deliver(outbox, new Settlements(), 'a', qos, message('a'), reference)
    expect([stored(), await connection.received()]).toEqual([0, ['PUBLISH 1 a']])
  })

  it('waits to be released until it is on disk that PUBREC came, and is forgotten with PUBCOMP', async () => {
    const { outbox, connect, entries, stored, store } = await make({ persistent: true })
    const connection = connect()
    const settlements = new Settlements()
    deliver(outbox, settlements, 'a', 2, message('a'), 42)
    await connection.received()
    let safe = false
    outbox.received(1, 0)
    void store.durable().then(() => {
      safe = connection.sink.pieces.length === 0
    })
    expect((await entries())[0]).toMatchObject({ reference: 42, mark: (1 << 2) | 2 })
    expect(await connection.received()).toEqual(['PUBREL 1'])
    expect([safe, settlements.all]).toEqual([true, ['a acknowledged']])
    outbox.completed(1)
    expect(stored()).toBe(0)
  })

  it('is forgotten when the client refuses it', async () => {
    const { outbox, connect, stored } = await make({ persistent: true })
    const connection = connect()
    deliver(outbox, new Settlements(), 'a', 2, message('a'), 42)
    await connection.received()
    outbox.received(1, 0x97)
    expect(stored()).toBe(0)
  })

  it('goes on after a restart with the message that its namespace brings, under the same identifier', async () => {
    const { after } = await interrupted()
    const { outbox, connect } = after
    expect(outbox.interrupted.map(({ topic, reference }) => `${topic} ${reference}`)).toEqual(['t 41'])
    const settlements = new Settlements()
    const resumed = { message: message('sent'), properties: null, receiver: settlements, token: 'sent' }
    outbox.resume(outbox.interrupted[0]!, resumed)
    expect(outbox.interrupted).toEqual([])
    expect(await connect().received()).toEqual(['PUBREL 1', 'PUBLISH DUP 2 sent', 'PUBREL 3'])
    outbox.received(2, 0)
    expect(settlements.all).toEqual(['sent acknowledged'])
    for (const id of [1, 2, 3]) outbox.completed(id)
    expect([after.stored(), outbox.size]).toEqual([0, 0])
  })

  it('is ended when nobody brings it, and its identifier used again only then', async () => {
    const { after } = await interrupted()
    const { outbox, connect, enqueue, entries } = after
    expect((await connect().received()).sort()).toEqual(['PUBREL 1', 'PUBREL 2', 'PUBREL 3'])
    expect((await entries()).map(({ mark }) => mark & 3)).toEqual([2, 2, 3])
    outbox.received(2, 0)
    outbox.detach(false)
    const second = connect()
    outbox.completed(2)
    enqueue('new')
    expect(await second.received()).toEqual(['PUBREL 1', 'PUBREL 2', 'PUBREL 3', 'PUBLISH 2 new'])
  })

  it('goes back to its namespace when the session ends before its client comes', async () => {
    const { outbox } = (await interrupted()).after
    const settlements = new Settlements()
    const resumed = { message: message('sent'), properties: null, receiver: settlements, token: 'sent' }
    outbox.resume(outbox.interrupted[0]!, resumed)
    outbox.detach(true)
    expect([settlements.all, outbox.size]).toEqual([['sent lost'], 0])
  })

  it('whose state was lost with a damaged mark was not sent: its namespace has it anyway', async () => {
    const { outbox, entries, store } = await make({ persistent: true })
    const fields = { message: message(''), qos: 2 as const, retain: false, identifiers: null, reference: 42 }
    store.sessions.outgoing.append('me', fields)
    outbox.restore(await entries())
    expect([outbox.size, await entries()]).toEqual([0, []])
  })
})

describe('withdraw', () => {
  it('takes back what was not sent, of this receiver and token alone', async () => {
    const { outbox, connect } = await make({ limits: { maxInflight: 1 } })
    const mine = new Settlements()
    const others = new Settlements()
    const connection = connect()
    deliver(outbox, mine, 'sent', 1)
    deliver(outbox, mine, 'a', 1)
    deliver(outbox, mine, 'b', 1)
    deliver(outbox, others, 'a', 1, message('another'))
    outbox.withdraw(mine, 'a')
    expect(outbox.size).toBe(3)
    for (const id of [1, 2, 3]) outbox.acknowledged(id, 0)
    expect(await connection.received()).toEqual(['PUBLISH 1 sent', 'PUBLISH 2 b', 'PUBLISH 3 another'])
    expect([mine.all, others.all]).toEqual([['sent acknowledged', 'b acknowledged'], ['a acknowledged']])
  })

  it('leaves what was sent, whose settlement is told all the same', async () => {
    const { outbox, connect } = await make()
    const settlements = new Settlements()
    connect()
    deliver(outbox, settlements, 'a', 1)
    outbox.withdraw(settlements, 'a')
    expect(outbox.size).toBe(1)
    outbox.acknowledged(1, 0)
    expect(settlements.all).toEqual(['a acknowledged'])
  })
})

describe('what the client may not read any more', () => {
  const none = () => false

  it('does not come: of what waits and is stored nothing is left, and it is told', async () => {
    const { outbox, connect, enqueue, stored, heard, counters } = await make({ persistent: true })
    for (const payload of ['1', '2']) enqueue(payload)
    enqueue('3', 2)
    outbox.revoke(none)
    expect([outbox.size, stored(), counters.queuedMessages, counters.publishDropped]).toEqual([0, 0, 0, 3])
    const dropped = heard.filter(({ type }) => type === 'message.dropped')
    expect(dropped.map(({ reason }) => reason)).toEqual(Array(3).fill('not-authorized'))
    const connection = connect()
    expect(await connection.received()).toEqual([])
  })

  it('makes room for what it may read', async () => {
    const { outbox, connect, counters } = await make({ persistent: true })
    const give = (topic: string) =>
      outbox.enqueue(Message.of({ topic, payload: Buffer.from(topic), qos: 1 }), 1, false, null)
    for (const topic of ['a', 'b', 'a', 'b']) give(topic)
    outbox.revoke((topic) => topic === 'b')
    expect([outbox.size, counters.queuedMessages]).toEqual([2, 2])
    const connection = connect()
    expect((await connection.received()).length).toBe(2)
  })

  it('is not sent again at QoS 1; at QoS 2 its identifier is had back, without the message', async () => {
    const { outbox, connect, enqueue, stored } = await make({ persistent: true })
    const first = connect()
    enqueue('1')
    enqueue('2', 2)
    await first.received()
    outbox.detach(false)
    outbox.revoke(none)
    expect(outbox.size).toBe(1)
    const second = connect()
    expect(await second.received()).toEqual(['PUBREL 2'])
    outbox.completed(2)
    expect([outbox.size, stored()]).toEqual([0, 0])
  })

  it('stays with its client when it was sent on this connection', async () => {
    const { outbox, connect, enqueue } = await make({ persistent: true })
    connect()
    enqueue('1')
    outbox.revoke(none)
    expect(outbox.size).toBe(1)
    outbox.acknowledged(1, 0)
    expect(outbox.size).toBe(0)
  })

  it('goes back to who handed it over', async () => {
    const { outbox, heard } = await make({ persistent: true })
    const settlements = new Settlements()
    deliver(outbox, settlements, 'a', 1)
    outbox.lend(message('b'), 1, false, null, settlements, 'b', 0)
    outbox.revoke(none)
    expect([settlements.all, outbox.size]).toEqual([['a lost', 'b lost'], 0])
    expect(heard.map(({ type }) => type)).not.toContain('message.dropped')
  })
})

describe('a message that was lent', () => {
  const lend = (outbox: Outbox, receiver: Settlements, payload: string, qos: QoS = 1, logId = 0) =>
    outbox.lend(message(payload, { qos }), qos, false, null, receiver, payload, logId)

  it('is taken while it would go out at once', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxInflight: 2 } })
    const taken = (): boolean[] => ([0, 1, 2] as const).map((qos) => outbox.takes(qos))
    expect(taken()).toEqual([false, false, false])
    const connection = connect({ slow: true, maxSocketBuffer: 500 })
    enqueue('1')
    expect(taken()).toEqual([true, true, true])
    enqueue('2')
    expect(taken()).toEqual([true, false, false])
    outbox.send(message('x'.repeat(501)), false, null)
    connection.out.flush()
    expect(taken()).toEqual([false, false, false])
  })

  it('is asked for whenever there may be room', async () => {
    const { outbox, connect, enqueue } = await make({ limits: { maxInflight: 1 } })
    connect()
    const room: boolean[] = []
    outbox.onRoom = () => void room.push(outbox.takes(1))
    for (const payload of ['1', '2']) enqueue(payload)
    outbox.acknowledged(1, 0)
    outbox.acknowledged(2, 0)
    expect(room).toEqual([false, true])
  })

  it('settles as lost when the session ends, but as in doubt if it was sent at QoS 2 [MQTT-4.8.2-5]', async () => {
    const { outbox, connect } = await make()
    const receiver = new Settlements()
    const connection = connect()
    for (const qos of [1, 2] as const) lend(outbox, receiver, `qos ${qos}`, qos)
    lend(outbox, receiver, 'received', 2)
    await connection.received()
    outbox.received(3, 0)
    outbox.detach(true)
    expect(receiver.all).toEqual(['received acknowledged', 'qos 1 lost', 'qos 2 in-doubt'])
  })

  it('is not in doubt as long as the store does not know of it, for then it was not sent', async () => {
    const { outbox, connect, store } = await make({ persistent: true })
    const receiver = new Settlements()
    connect()
    const stored = { message: message('1', { qos: 2 }), qos: 2 as const, retain: false, identifiers: null, share: 's' }
    lend(outbox, receiver, 'never sent', 2, store.sessions.outgoing.append('me', stored))
    outbox.detach(true)
    expect(receiver.all).toEqual(['never sent lost'])
  })

  it('stays with a session that is kept, until it is reclaimed; what was sent at QoS 2 stays anyhow', async () => {
    const { outbox, connect, enqueue } = await make({ persistent: true })
    const [receiver, other] = [new Settlements(), new Settlements()]
    const connection = connect()
    enqueue('own')
    for (const qos of [1, 2] as const) lend(outbox, receiver, `qos ${qos}`, qos)
    lend(outbox, other, 'of another')
    await connection.received()
    outbox.detach(false)
    expect(receiver.all).toEqual([])
    outbox.reclaim(receiver)
    expect([receiver.all, other.all]).toEqual([['qos 1 lost'], []])
    expect(await connect().received()).toEqual(['PUBLISH DUP 1 own', 'PUBLISH DUP 3 qos 2', 'PUBLISH DUP 4 of another'])
  })

  it("and found in the store is its lender's again; what was not sent is given back", async () => {
    const { outbox, store } = await make({ persistent: true })
    const log = store.sessions.outgoing
    const entry = { qos: 1 as const, retain: false, identifiers: null }
    const ids = ['sent', 'waiting', 'own'].map((payload) =>
      log.append('me', { ...entry, message: message(payload), ...(payload === 'own' ? {} : { share: '$share/g/t' }) }),
    )
    log.mark('me', ids[0]!, (5 << 2) | 1)
    outbox.restore(await log.read('me', 0, 10))
    const receiver = new Settlements()
    outbox.adopt('$share/other/t', receiver, () => 'wrong')
    outbox.adopt('$share/g/t', receiver, ({ payload }, logId) => `${payload} ${ids.indexOf(logId)}`)
    expect(receiver.all).toEqual(['waiting 1 lost'])
    const connection = new Connection()
    outbox.attach(connection)
    expect(await connection.received()).toEqual(['PUBLISH DUP 5 sent', 'PUBLISH 1 own'])
    outbox.acknowledged(5, 0)
    expect(receiver.all.at(-1)).toBe('sent 0 acknowledged')
  })
})

it('a message too large for the client, found so when the disk has it, makes room for the next', async () => {
  const { outbox, connect, store } = await make({ persistent: true, limits: { maxInflight: 1 } })
  const connection = connect({ maximumPacketSize: 50 })
  for (const payload of ['x'.repeat(100), 'fits']) outbox.enqueue(message(payload, { qos: 2 }), 2, false, null)
  await store.durable()
  await turn()
  expect(await connection.received()).toEqual(['PUBLISH 2 fits'])
})
