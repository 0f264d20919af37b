import { describe, expect, it } from 'vitest'
import { EVENT_TYPES, Message, ReasonCode } from '../../../../src/plugin.ts'
import { Reader, startStatus } from './support.ts'

describe('an event', () => {
  it('is a CloudEvent', async () => {
    const { subscribe, bus, clock } = await startStatus({ node: 'a b', startedAt: 1_700_000_000_123 })
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    clock.time += 1_000
    bus.emit('subscription.removed', { clientId: 'ü', filter: 'a/#', reason: 'unsubscribed' })
    expect(reader.events).toEqual([
      {
        specversion: '1.0',
        id: '1700000000123-1',
        source: '/eventflow/a%20b',
        type: 'subscription.removed',
        time: '2023-11-14T22:13:21.123Z',
        datacontenttype: 'application/json',
        sequence: '0000000000000001',
        data: { clientId: 'ü', filter: 'a/#', reason: 'unsubscribed' },
      },
    ])
  })

  it('is counted without gaps, in text that sorts as it counts', async () => {
    const { subscribe, happen } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    for (let i = 0; i < 12; i++) happen()
    const sequence = reader.events.map((event) => event.sequence)
    expect(sequence.map(Number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect([...sequence].sort()).toEqual(sequence)
  })

  it('has another identifier in another run of the broker', async () => {
    const identifiers: string[] = []
    for (const startedAt of [1_000, 2_000]) {
      const { subscribe, happen } = await startStatus({ startedAt })
      const reader = new Reader()
      subscribe(reader, '$eventflow/status')
      happen()
      identifiers.push(reader.events[0].id)
    }
    expect(new Set(identifiers).size).toBe(2)
  })

  it('goes out at QoS 0, not retained, with its content type', async () => {
    const { subscribe, happen } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    happen()
    const { message, retain, identifiers } = reader.sent[0]!
    expect([message.qos, message.retain, retain, identifiers]).toEqual([0, false, false, null])
    const type = 'application/cloudevents+json'
    expect(message.properties).toEqual(Buffer.concat([Buffer.from([0x03, 0x00, type.length]), Buffer.from(type)]))
  })

  it('is built once, for all readers and both topics', async () => {
    const { subscribe, happen } = await startStatus()
    const [one, other] = [new Reader('one'), new Reader('other')]
    subscribe(one, '$eventflow/#')
    subscribe(other, '$eventflow/#')
    happen()
    expect(one.sent.map(({ message }) => message)).toEqual(other.sent.map(({ message }) => message))
    expect(one.sent[0]!.message).toBe(other.sent[0]!.message)
    expect(one.sent[0]!.message.bytes).toBe(one.sent[1]!.message.bytes)
  })
})

describe('a reader', () => {
  it.each([
    ['$eventflow/status', ['$eventflow/status', '$eventflow/status']],
    ['$eventflow/events/queue/created', ['$eventflow/events/queue/created']],
    ['$eventflow/events/client/+', ['$eventflow/events/client/disconnected']],
    ['$eventflow/events/#', ['$eventflow/events/queue/created', '$eventflow/events/client/disconnected']],
    [
      '$eventflow/#',
      [
        '$eventflow/status',
        '$eventflow/events/queue/created',
        '$eventflow/status',
        '$eventflow/events/client/disconnected',
      ],
    ],
    ['$eventflow/status/#', ['$eventflow/status', '$eventflow/status']],
    ['$eventflow/events/session/+', []],
    ['$eventflow/events/client', []],
  ])('of %s gets what it matches', async (filter, topics) => {
    const { subscribe, happen, bus } = await startStatus()
    const reader = new Reader()
    subscribe(reader, filter)
    happen()
    bus.emit('client.disconnected', { clientId: 'c', reason: 'client', reasonCode: 0, address: '' })
    expect(reader.topics).toEqual(topics)
  })

  it('finds all events on the topic that was configured', async () => {
    const { subscribe, happen } = await startStatus({ topic: '$eventflow/all/of/it' })
    const [reader, other] = [new Reader(), new Reader('other')]
    subscribe(reader, '$eventflow/all/#')
    subscribe(other, '$eventflow/status')
    happen()
    expect([reader.topics, other.topics]).toEqual([['$eventflow/all/of/it'], []])
  })

  it('gets a message once, with the identifiers of all its subscriptions that match', async () => {
    const { subscribe, happen, namespace } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status', 7)
    subscribe(reader, '$eventflow/+', 8)
    subscribe(reader, '$eventflow/events/client/+', 9)
    happen()
    expect(reader.sent.map(({ identifiers }) => identifiers)).toEqual([[7, 8]])
    subscribe(reader, '$eventflow/+', 10)
    namespace.unsubscribe(reader, '$eventflow/status')
    happen()
    expect(reader.sent[1]!.identifiers).toEqual([10])
  })

  it('gets nothing while it is away, and all again when it is back', async () => {
    const { subscribe, happen, namespace, bus } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    reader.connected = false
    namespace.detach!(reader, false)
    expect(bus.wants('queue.created')).toBe(false)
    happen('missed')
    reader.connected = true
    namespace.attach!(reader)
    happen('seen')
    expect(reader.events.map(({ data }) => data)).toEqual([{ queue: 'seen' }])
  })

  it('that was restored from the store waits for its client', async () => {
    const { subscribe, happen, namespace, bus } = await startStatus()
    const reader = new Reader()
    reader.connected = false
    subscribe(reader, '$eventflow/status')
    expect(bus.wants('queue.created')).toBe(false)
    reader.connected = true
    namespace.attach!(reader)
    happen()
    expect(reader.types).toEqual(['queue.created'])
  })

  it('that is too slow misses events, which are counted and told at the end', async () => {
    const { subscribe, happen, logged, stop } = await startStatus()
    const [slow, quick] = [new Reader('slow'), new Reader('quick')]
    subscribe(slow, '$eventflow/status')
    subscribe(quick, '$eventflow/status')
    slow.accepting = false
    happen()
    slow.accepting = true
    happen()
    expect(slow.events.map(({ sequence }) => Number(sequence))).toEqual([2])
    expect(quick.sent.length).toBe(2)
    await stop()
    expect(logged).toEqual(['readers of status were too slow for some messages'])
  })
})

describe('nothing is built', () => {
  it('for events that nobody reads', async () => {
    const { subscribe, namespace, bus, stop } = await startStatus()
    const wanted = () => EVENT_TYPES.filter((type) => bus.wants(type))
    expect(wanted()).toEqual([])
    const [one, other] = [new Reader('one'), new Reader('other')]
    subscribe(one, '$eventflow/events/store/+')
    expect(wanted()).toEqual(['store.opened', 'store.recovered', 'store.failed'])
    subscribe(other, '$eventflow/events/+/failed')
    expect(wanted()).toEqual(['listener.failed', 'store.opened', 'store.recovered', 'store.failed'])
    namespace.unsubscribe(one, '$eventflow/events/store/+')
    expect(wanted()).toEqual(['listener.failed', 'store.failed'])
    subscribe(one, '$eventflow/status')
    expect(wanted()).toEqual(EVENT_TYPES)
    namespace.detach!(one, true)
    expect(wanted()).toEqual(['listener.failed', 'store.failed'])
    await stop()
    expect(wanted()).toEqual([])
  })

  it('for a filter that is given up twice, or was never asked for', async () => {
    const { namespace, bus } = await startStatus()
    const reader = new Reader()
    namespace.unsubscribe(reader, '$eventflow/status')
    namespace.attach!(reader)
    namespace.detach!(reader, true)
    expect(bus.wants('queue.created')).toBe(false)
  })
})

describe('telling', () => {
  it('of what telling caused comes after, so that all readers hear of events in one order', async () => {
    const { subscribe, happen, bus } = await startStatus()
    const [first, second] = [new Reader('first'), new Reader('second')]
    subscribe(first, '$eventflow/status')
    subscribe(second, '$eventflow/status')
    first.onSend = () => {
      first.onSend = () => {}
      bus.emit('client.disconnected', { clientId: 'x', reason: 'slow', reasonCode: 0, address: '' })
    }
    happen()
    expect(first.types).toEqual(['queue.created', 'client.disconnected'])
    expect(second.types).toEqual(['queue.created', 'client.disconnected'])
  })

  it('ends, even if every message causes an event; the gap shows what was left out', async () => {
    const { subscribe, happen } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    reader.onSend = () => happen('again')
    happen()
    expect(reader.sent.length).toBe(101)
    reader.onSend = () => {}
    happen('later')
    expect(reader.events.at(-1)).toMatchObject({ sequence: '0000000000000103', data: { queue: 'later' } })
  })

  it('goes on when a reader is gone in the middle of it, or its outbox fails', async () => {
    const { subscribe, happen, namespace, faults, logged } = await startStatus()
    const [bad, leaving, good] = [new Reader('bad'), new Reader('leaving'), new Reader('good')]
    for (const reader of [bad, leaving, good]) subscribe(reader, '$eventflow/status')
    bad.onSend = () => {
      namespace.detach!(leaving, true)
      throw new Error('broken')
    }
    happen()
    happen()
    expect([good.sent.length, leaving.sent.length]).toEqual([2, 0])
    expect(faults).toEqual([])
    expect(logged.length).toBe(2)
  })
})

it('clients cannot publish there', async () => {
  const { namespace } = await startStatus()
  const message = Message.of({ topic: '$eventflow/status', payload: Buffer.alloc(0) })
  expect(() => namespace.accept(message)).toThrow(expect.objectContaining({ code: ReasonCode.NotAuthorized }))
})
