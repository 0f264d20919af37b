import { describe, expect, it } from 'vitest'
import { TOPICS } from '../../../../plugins/sys/topics.ts'
import { Message, ReasonCode } from '../../../../src/plugin.ts'
import { Reader, startSys, subscriptionOf } from './support.ts'

/** Values that change by themselves. */
const RESTLESS = ['uptime', 'heap/current', 'heap/maximum']

/** All but these. */
function still(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([topic]) => !RESTLESS.includes(topic)))
}

describe('who subscribes to $SYS', () => {
  it('gets every value at once, with the retain flag', async () => {
    const { subscribe } = await startSys()
    const reader = new Reader()
    await subscribe(reader, '$SYS/#', { identifier: 7 })
    expect(reader.sent.map(({ message }) => message.topic)).toEqual([...TOPICS.keys()])
    for (const { message, retain, identifiers } of reader.sent) {
      expect([message.qos, retain, identifiers]).toEqual([0, true, [7]])
    }
  })

  it('gets what was counted', async () => {
    const { subscribe, counters, gauges, clock } = await startSys()
    Object.assign(counters, {
      ...{ bytesReceived: 1, bytesSent: 2, packetsReceived: 3, packetsSent: 4, publishReceived: 5, publishSent: 6 },
      ...{ publishBytesReceived: 7, publishBytesSent: 8, publishDropped: 9, sessionsExpired: 10, clientsMaximum: 11 },
      ...{ clientsConnected: 12, retainedMessages: 13, retainedBytes: 14, queuedMessages: 15, queuedBytes: 16 },
    })
    Object.assign(counters.queues, {
      ...{ enqueued: 31, delayed: 41, delivered: 32, acknowledged: 33, redelivered: 34, deadLettered: 35, expired: 36 },
      ...{ dropped: 37, purged: 38, redriven: 39, refused: 40 },
    })
    Object.assign(gauges, { sessions: 20, subscriptions: 21, sharedSubscriptions: 22, inflight: 23 })
    clock.advance(9_999)
    const reader = new Reader()
    await subscribe(reader, '$SYS/#')
    const { 'heap/current': current, 'heap/maximum': maximum, ...values } = reader.take()
    expect(Number(current)).toBeGreaterThan(1_000_000)
    expect(Number(maximum)).toBeGreaterThanOrEqual(Number(current))
    const loads = Object.keys(values).filter((topic) => topic.startsWith('load/'))
    expect(loads).toHaveLength(27)
    for (const topic of loads) delete values[topic]
    expect(values).toEqual({
      ...{ version: 'eventflow version 1.2.3', uptime: '9 seconds' },
      ...{ 'clients/total': '20', 'clients/connected': '12', 'clients/disconnected': '8', 'clients/maximum': '11' },
      ...{ 'clients/expired': '10', 'clients/active': '12', 'clients/inactive': '8' },
      ...{ 'bytes/received': '1', 'bytes/sent': '2', 'messages/received': '3', 'messages/sent': '4' },
      ...{ 'messages/inflight': '23', 'messages/stored': '28' },
      ...{ 'publish/messages/received': '5', 'publish/messages/sent': '6', 'publish/messages/dropped': '9' },
      ...{ 'publish/bytes/received': '7', 'publish/bytes/sent': '8' },
      ...{ 'store/messages/count': '28', 'store/messages/bytes': '30', 'retained messages/count': '13' },
      ...{ 'subscriptions/count': '21', 'shared_subscriptions/count': '22' },
      ...{ 'queues/messages/enqueued': '31', 'queues/messages/delivered': '32', 'queues/messages/acknowledged': '33' },
      ...{
        'queues/messages/redelivered': '34',
        'queues/messages/dead-lettered': '35',
        'queues/messages/expired': '36',
      },
      ...{ 'queues/messages/dropped': '37', 'queues/messages/purged': '38', 'queues/messages/redriven': '39' },
      ...{ 'queues/messages/refused': '40', 'queues/messages/delayed': '41' },
    })
  })

  it('gets what its filter matches', async () => {
    const { subscribe } = await startSys()
    const reader = new Reader()
    await subscribe(reader, '$SYS/broker/clients/connected')
    expect(reader.take()).toEqual({ 'clients/connected': '0' })
    await subscribe(reader, '$SYS/broker/+/+')
    expect(Object.keys(reader.take())).toEqual(
      [...TOPICS.keys()].filter((topic) => topic.split('/').length === 4).map((topic) => topic.slice(12)),
    )
    await subscribe(reader, '$SYS/broker/nothing')
    expect(reader.take()).toEqual({})
  })

  it.each([
    { retainHandling: 0, first: true, again: true },
    { retainHandling: 1, first: true, again: false },
    { retainHandling: 2, first: false, again: false },
  ] as const)('gets them as Retain Handling $retainHandling says [MQTT-3.3.1-9..11]', async (test) => {
    const { subscribe, counters, clock } = await startSys()
    const reader = new Reader()
    const { retainHandling } = test
    await subscribe(reader, '$SYS/broker/clients/maximum', { retainHandling })
    expect(reader.sent.length > 0).toBe(test.first)
    await subscribe(reader, '$SYS/broker/clients/maximum', { retainHandling })
    expect(reader.sent.length > (test.first ? 1 : 0)).toBe(test.again)
    reader.sent = []
    clock.advance(10_000)
    expect(reader.take()).toEqual({})
    counters.clientsMaximum = 5
    clock.advance(10_000)
    expect(reader.take()).toEqual({ 'clients/maximum': '5' })
  })

  it('gets none when it has unsubscribed before its SUBACK', async () => {
    const { namespace } = await startSys()
    const reader = new Reader()
    const after = await namespace.subscribe(reader, subscriptionOf('$SYS/#'), false)
    namespace.unsubscribe(reader, '$SYS/#')
    after?.()
    expect(reader.sent).toEqual([])
  })

  it('causes one count of the sessions a second, however many subscribe', async () => {
    const { subscribe, asked, clock } = await startSys()
    for (let i = 0; i < 100; i++) await subscribe(new Reader(), '$SYS/#')
    expect(asked.gauges).toBe(1)
    clock.advance(1_000)
    await subscribe(new Reader(), '$SYS/#')
    expect(asked.gauges).toBe(2)
  })
})

describe('at every interval', () => {
  it('a reader gets what has changed, once, without the retain flag', async () => {
    const { subscribe, counters, gauges, clock } = await startSys()
    const reader = new Reader()
    await subscribe(reader, '$SYS/#')
    reader.take()
    counters.retainedMessages = 2
    gauges.inflight = 1
    clock.advance(9_999)
    expect(reader.sent).toEqual([])
    clock.advance(1)
    expect(reader.sent.every(({ retain }) => !retain)).toBe(true)
    const first = reader.take()
    expect(first.uptime).toBe('10 seconds')
    expect(still(first)).toEqual({
      ...{ 'messages/stored': '2', 'store/messages/count': '2', 'retained messages/count': '2' },
      'messages/inflight': '1',
    })
    clock.advance(10_000)
    expect(still(reader.take())).toEqual({})
  })

  it('the averages go on, and are told while they change', async () => {
    const { subscribe, counters, clock } = await startSys()
    const reader = new Reader()
    await subscribe(reader, '$SYS/broker/load/#')
    expect(new Set(Object.values(reader.take()))).toEqual(new Set(['0.00']))
    counters.connects = 100
    clock.advance(10_000)
    const connections = { 'load/connections/1min': '92.11', 'load/connections/5min': '19.67' }
    expect(reader.take()).toEqual({ ...connections, 'load/connections/15min': '6.63' })
    clock.advance(10_000)
    expect(Object.values(reader.take())).toEqual(['77.97', '19.03', '6.56'])
    clock.advance(86_400_000)
    expect(reader.sent.at(-1)!.message.payload.toString()).toBe('0.00')
    reader.sent = []
    clock.advance(10_000)
    expect(reader.take()).toEqual({})
  })

  it('the averages are right for who comes late: they are kept while nobody reads', async () => {
    const { subscribe, counters, clock, asked } = await startSys()
    counters.connects = 100
    clock.advance(20_000)
    expect(asked.gauges).toBe(0)
    const reader = new Reader()
    await subscribe(reader, '$SYS/broker/load/connections/+')
    expect(Object.values(reader.take())).toEqual(['77.97', '19.03', '6.56'])
  })

  it('overlapping subscriptions bring a value once, with all identifiers, as published if one wants that', async () => {
    const { subscribe, counters, clock } = await startSys()
    const reader = new Reader()
    await subscribe(reader, '$SYS/broker/clients/+', { identifier: 1 })
    await subscribe(reader, '$SYS/broker/+/expired', { identifier: 2, retainAsPublished: true })
    await subscribe(reader, '$SYS/broker/clients/expired')
    reader.sent = []
    counters.sessionsExpired = 1
    counters.clientsMaximum = 1
    clock.advance(10_000)
    const told = reader.sent.map(({ message, retain, identifiers }) => [message.topic, retain, identifiers])
    expect(told).toEqual([
      ['$SYS/broker/clients/maximum', false, [1]],
      ['$SYS/broker/clients/expired', true, [1, 2]],
    ])
  })

  it('two readers get what each of them has not, in one message object', async () => {
    const { subscribe, counters, clock } = await startSys()
    const [early, late] = [new Reader(), new Reader()]
    await subscribe(early, '$SYS/broker/clients/maximum')
    counters.clientsMaximum = 1
    clock.advance(5_000)
    await subscribe(late, '$SYS/broker/clients/maximum')
    expect([early.take(), late.take()]).toEqual([{ 'clients/maximum': '0' }, { 'clients/maximum': '1' }])
    clock.advance(5_000)
    expect([early.take(), late.take()]).toEqual([{ 'clients/maximum': '1' }, {}])
    counters.clientsMaximum = 2
    clock.advance(10_000)
    expect(early.sent[0]!.message).toBe(late.sent[0]!.message)
  })

  it('nothing is told any more to who has unsubscribed, whose session has ended, or when the broker stops', async () => {
    const { subscribe, namespace, asked, clock, stop } = await startSys()
    const [gone, ended] = [new Reader(), new Reader()]
    await subscribe(gone, '$SYS/#')
    await subscribe(gone, '$SYS/broker/uptime')
    await subscribe(ended, '$SYS/#')
    namespace.unsubscribe(gone, '$SYS/#')
    namespace.detach?.(ended, true)
    gone.sent = []
    ended.sent = []
    clock.advance(10_000)
    expect([gone.take(), ended.take()]).toEqual([{ uptime: '10 seconds' }, {}])
    namespace.unsubscribe(gone, '$SYS/broker/uptime')
    const before = asked.gauges
    clock.advance(100_000)
    expect([gone.sent, asked.gauges]).toEqual([[], before])
    await stop()
    expect(clock.pending).toBe(0)
  })
})

describe('a reader that misses values', () => {
  it('because it is slow gets them when it is not any more, though they have not changed since', async () => {
    const { subscribe, counters, clock } = await startSys()
    const reader = new Reader()
    await subscribe(reader, '$SYS/broker/clients/maximum')
    reader.take()
    reader.accepting = false
    counters.clientsMaximum = 3
    clock.advance(30_000)
    reader.accepting = true
    clock.advance(10_000)
    expect(reader.take()).toEqual({ 'clients/maximum': '3' })
  })

  it('because it is slow when it subscribes gets them too', async () => {
    const { subscribe, clock } = await startSys()
    const reader = new Reader()
    reader.accepting = false
    await subscribe(reader, '$SYS/broker/clients/maximum')
    reader.accepting = true
    clock.advance(10_000)
    expect(reader.take()).toEqual({ 'clients/maximum': '0' })
  })

  it('because it is away gets what is different when it comes back to its session; meanwhile nothing is computed', async () => {
    const { subscribe, namespace, counters, asked, clock } = await startSys()
    const reader = new Reader()
    await subscribe(reader, '$SYS/broker/clients/+')
    reader.take()
    reader.connected = false
    namespace.detach?.(reader, false)
    counters.clientsMaximum = 3
    const before = asked.gauges
    clock.advance(100_000)
    expect(asked.gauges).toBe(before)
    reader.connected = true
    clock.advance(10_000)
    expect(reader.take()).toEqual({ 'clients/maximum': '3' })
  })

  it('because the broker was restarted gets everything at the first interval', async () => {
    const { namespace, clock } = await startSys()
    const reader = new Reader()
    expect(await namespace.subscribe(reader, subscriptionOf('$SYS/broker/clients/+'), true)).toBeUndefined()
    expect(reader.sent).toEqual([])
    clock.advance(10_000)
    expect(Object.keys(reader.take())).toHaveLength(7)
  })
})

describe('the interval', () => {
  it('is what the configuration says', async () => {
    const { subscribe, clock } = await startSys({ interval: 2_000 })
    const reader = new Reader()
    await subscribe(reader, '$SYS/broker/uptime')
    clock.advance(6_000)
    expect(reader.sent.map(({ message }) => message.payload.toString())).toEqual([
      ...['0 seconds', '2 seconds', '4 seconds', '6 seconds'],
    ])
  })

  it('of 0 turns everything off: no value, no timer', async () => {
    const { subscribe, clock, asked } = await startSys({ interval: 0 })
    const reader = new Reader()
    await subscribe(reader, '$SYS/#')
    clock.advance(100_000)
    expect([reader.sent, clock.pending, asked.gauges]).toEqual([[], 0, 0])
  })
})

it.each([0, 10_000])('nobody publishes on $SYS (interval %i)', async (interval) => {
  const { namespace } = await startSys({ interval })
  const message = Message.of({ topic: '$SYS/broker/uptime', payload: Buffer.from('x') })
  expect(() => namespace.accept(message)).toThrow(expect.objectContaining({ code: ReasonCode.NotAuthorized }))
})
