import { describe, expect, it } from 'vitest'
import { MAX_WAITING, MAX_WAITING_BYTES } from '../../../../plugins/status/backlog.ts'
import { EVENT_TYPES, Message, ReasonCode } from '../../../../src/plugin.ts'
import { Reader, startStatus } from './support.ts'

describe('an event', () => {
  it('goes out at QoS 0, not retained, with its content type', async () => {
    const { subscribe, happen, told } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    happen()
    await told()
    const { message, retain, identifiers } = reader.sent[0]!
    expect([message.qos, message.retain, retain, identifiers]).toEqual([0, false, false, null])
    const type = 'application/cloudevents+json'
    expect(message.properties).toEqual(Buffer.concat([Buffer.from([0x03, 0x00, type.length]), Buffer.from(type)]))
  })

  it('is built once, for all readers and both topics', async () => {
    const { subscribe, happen, told } = await startStatus()
    const [one, other] = [new Reader('one'), new Reader('other')]
    subscribe(one, '$eventflow/#')
    subscribe(other, '$eventflow/#')
    happen()
    await told()
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
    const { subscribe, happen, bus, told } = await startStatus()
    const reader = new Reader()
    subscribe(reader, filter)
    happen()
    bus.emit('client.disconnected', { clientId: 'c', reason: 'client', reasonCode: 0, address: '', message: '' })
    await told()
    expect(reader.topics).toEqual(topics)
  })

  it('finds all events on the topic that was configured', async () => {
    const { subscribe, happen, told } = await startStatus({ topic: '$eventflow/all/of/it' })
    const [reader, other] = [new Reader(), new Reader('other')]
    subscribe(reader, '$eventflow/all/#')
    subscribe(other, '$eventflow/status')
    happen()
    await told()
    expect([reader.topics, other.topics]).toEqual([['$eventflow/all/of/it'], []])
  })

  it('gets a message once, with the identifiers of all its subscriptions that match', async () => {
    const { subscribe, happen, namespace, told } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status', 7)
    subscribe(reader, '$eventflow/+', 8)
    subscribe(reader, '$eventflow/events/client/+', 9)
    happen()
    await told()
    expect(reader.sent.map(({ identifiers }) => identifiers)).toEqual([[7, 8]])
    subscribe(reader, '$eventflow/+', 10)
    namespace.unsubscribe(reader, '$eventflow/status')
    happen()
    await told()
    expect(reader.sent[1]!.identifiers).toEqual([10])
  })

  it('gets nothing while it is away, and all again when it is back', async () => {
    const { subscribe, happen, namespace, bus, told } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    reader.connected = false
    namespace.detach!(reader, false)
    expect(bus.wants('queue.created')).toBe(false)
    happen('missed')
    reader.connected = true
    namespace.attach!(reader)
    happen('seen')
    await told()
    expect(reader.events.map(({ data }) => data)).toEqual([{ queue: 'seen' }])
  })

  it('that was restored from the store waits for its client', async () => {
    const { subscribe, happen, namespace, bus, told } = await startStatus()
    const reader = new Reader()
    reader.connected = false
    subscribe(reader, '$eventflow/status')
    expect(bus.wants('queue.created')).toBe(false)
    reader.connected = true
    namespace.attach!(reader)
    happen()
    await told()
    expect(reader.types).toEqual(['queue.created'])
  })

  it('of nothing but what happens after it began', async () => {
    const { subscribe, happen, told } = await startStatus()
    const [early, late] = [new Reader('early'), new Reader('late')]
    subscribe(early, '$eventflow/status')
    happen('before')
    subscribe(late, '$eventflow/status')
    happen('after')
    await told()
    expect(early.events.map(({ data }) => data.queue)).toEqual(['before', 'after'])
    expect(late.events.map(({ data }) => data.queue)).toEqual(['after'])
  })

  it.each(['$share/g/$eventflow/status', '$share/g/$eventflow/#'])(
    'cannot be a group: %s is refused',
    async (filter) => {
      const { subscribe, bus } = await startStatus()
      const code = ReasonCode.SharedSubscriptionsNotSupported
      expect(() => subscribe(new Reader(), filter)).toThrow(expect.objectContaining({ code }))
      expect(bus.wants('queue.created')).toBe(false)
    },
  )
})

describe('a reader that is too slow', () => {
  it('misses events, others do not, and it is told which once it takes messages again', async () => {
    const { subscribe, happen, clock, logged, stop, told } = await startStatus()
    const [slow, quick] = [new Reader('slow'), new Reader('quick')]
    subscribe(slow, '$eventflow/status')
    subscribe(quick, '$eventflow/status')
    happen()
    await told()
    slow.outbox.writable = false
    for (let i = 0; i < 3; i++) happen()
    await told()
    clock.advance(10_000)
    await told()
    expect([slow.sent.length, quick.sent.length]).toEqual([1, 4])
    slow.outbox.writable = true
    happen('again')
    clock.advance(250)
    await told()
    expect(slow.types).toEqual(['queue.created', 'queue.created', 'status.dropped'])
    const data = { clientId: 'slow', messages: 3, firstSequence: 2, lastSequence: 4 }
    expect(slow.events.at(-1)).toMatchObject({ sequence: '0000000000000006', data })
    expect(quick.events.map(({ sequence }) => Number(sequence))).toEqual([1, 2, 3, 4, 5, 6])
    await stop()
    expect(logged).toEqual(['readers of status were too slow for some messages'])
  })

  it('costs no JSON: what nobody takes is not made', async () => {
    const { subscribe, bus, told } = await startStatus()
    const slow = new Reader('slow')
    subscribe(slow, '$eventflow/status')
    slow.outbox.writable = false
    let made = 0
    const toJSON = () => ++made
    bus.emit('queue.created', { queue: 'a', toJSON } as { queue: string })
    await told()
    expect(made).toBe(0)
    slow.outbox.writable = true
    bus.emit('queue.created', { queue: 'a', toJSON } as { queue: string })
    await told()
    expect(made).toBe(1)
  })

  it('is told by what it subscribed to: of some events alone, it asks for status/dropped as well', async () => {
    const { subscribe, happen, clock, told } = await startStatus()
    const [knowing, other] = [new Reader('knowing'), new Reader('other')]
    subscribe(knowing, '$eventflow/events/queue/+')
    subscribe(knowing, '$eventflow/events/status/dropped')
    subscribe(other, '$eventflow/events/queue/+')
    for (const reader of [knowing, other]) reader.outbox.writable = false
    happen()
    await told()
    for (const reader of [knowing, other]) reader.outbox.writable = true
    clock.advance(250)
    await told()
    expect(knowing.events.map(({ type, data }) => `${type} ${data.clientId}`)).toEqual([
      'status.dropped knowing',
      'status.dropped other',
    ])
    expect(other.types).toEqual([])
  })

  it('or takes no message of that size is told once, not of what could not be told either', async () => {
    const { subscribe, happen, clock, told } = await startStatus()
    const [narrow, watcher] = [new Reader('narrow'), new Reader('watcher')]
    subscribe(narrow, '$eventflow/status')
    subscribe(watcher, '$eventflow/events/status/+')
    narrow.accepting = false
    happen()
    for (let i = 0; i < 8; i++) {
      await told()
      clock.advance(250)
    }
    await told()
    expect(watcher.events.map(({ data }) => data.clientId)).toEqual(['narrow'])
    expect(clock.pending).toBe(0)
  })

  it('and goes is not told when it is back: it was away', async () => {
    const { subscribe, happen, namespace, clock, told } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    reader.outbox.writable = false
    happen()
    await told()
    reader.connected = false
    namespace.detach!(reader, false)
    reader.connected = reader.outbox.writable = true
    namespace.attach!(reader)
    clock.advance(1_000)
    await told()
    expect(reader.sent).toEqual([])
  })
})

describe('more than can be told', () => {
  it('is lost to the readers, and told as such, in turns that leave time to others', async () => {
    const { subscribe, happen, clock, told } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    for (let i = 0; i < MAX_WAITING + 10; i++) happen()
    let turns = 0
    while (reader.sent.length < MAX_WAITING) {
      await told()
      turns++
    }
    expect(turns).toBeGreaterThan(1)
    clock.advance(250)
    await told()
    const data = { clientId: 'reader', messages: 10, firstSequence: MAX_WAITING + 1, lastSequence: MAX_WAITING + 10 }
    expect(reader.events.at(-1)).toMatchObject({ type: 'status.dropped', data })
  })
})

it('events with topics as long as they may be take no more memory than a few: what is too much is lost, and told', async () => {
  const { subscribe, bus, clock, told } = await startStatus()
  const reader = new Reader()
  subscribe(reader, '$eventflow/status')
  const topic = 'x'.repeat(65_535)
  for (let i = 0; i < 1_000; i++) bus.emit('message.retained-cleared', { topic })
  const kept = Math.ceil(MAX_WAITING_BYTES / topic.length)
  while (reader.sent.length < kept) await told()
  clock.advance(250)
  await told()
  expect(reader.sent).toHaveLength(kept + 1)
  expect(reader.events.at(-1)).toMatchObject({ type: 'status.dropped', data: { messages: 1_000 - kept } })
  bus.emit('message.retained-cleared', { topic })
  await told()
  expect(reader.sent).toHaveLength(kept + 2)
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
    expect(wanted()).toEqual([
      ...['listener.failed', 'store.opened', 'store.recovered', 'store.failed'],
      ...['backup.failed', 'plugin.failed'],
    ])
    namespace.unsubscribe(one, '$eventflow/events/store/+')
    expect(wanted()).toEqual(['listener.failed', 'store.failed', 'backup.failed', 'plugin.failed'])
    subscribe(one, '$eventflow/status')
    expect(wanted()).toEqual(EVENT_TYPES)
    namespace.detach!(one, true)
    expect(wanted()).toEqual(['listener.failed', 'store.failed', 'backup.failed', 'plugin.failed'])
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
    const { subscribe, happen, bus, told } = await startStatus()
    const [first, second] = [new Reader('first'), new Reader('second')]
    subscribe(first, '$eventflow/status')
    subscribe(second, '$eventflow/status')
    first.onSend = () => {
      first.onSend = () => {}
      bus.emit('client.disconnected', { clientId: 'x', reason: 'slow', reasonCode: 0, address: '', message: '' })
    }
    happen()
    await told()
    expect(first.types).toEqual(['queue.created', 'client.disconnected'])
    expect(second.types).toEqual(['queue.created', 'client.disconnected'])
  })

  it('goes on when a reader is gone in the middle of it, or its outbox fails', async () => {
    const { subscribe, happen, namespace, faults, logged, told } = await startStatus()
    const [bad, leaving, good] = [new Reader('bad'), new Reader('leaving'), new Reader('good')]
    for (const reader of [bad, leaving, good]) subscribe(reader, '$eventflow/status')
    bad.onSend = () => {
      namespace.detach!(leaving, true)
      throw new Error('broken')
    }
    happen()
    happen()
    await told()
    expect([good.sent.length, leaving.sent.length]).toEqual([2, 0])
    expect(faults).toEqual([])
    expect(logged.length).toBe(2)
  })

  it('does not wait for the turn when the broker stops', async () => {
    const { subscribe, happen, stop } = await startStatus()
    const reader = new Reader()
    subscribe(reader, '$eventflow/status')
    happen()
    await stop()
    expect(reader.types).toEqual(['queue.created'])
  })
})

it('clients cannot publish there', async () => {
  const { namespace } = await startStatus()
  const message = Message.of({ topic: '$eventflow/status', payload: Buffer.alloc(0) })
  expect(() => namespace.accept(message)).toThrow(expect.objectContaining({ code: ReasonCode.NotAuthorized }))
})
