/** Status: every event in the broker, as it happens, as one JSON object on `$eventflow/status`. */

import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

interface StatusEvent {
  specversion: string
  id: string
  source: string
  type: string
  time: string
  sequence: string
  datacontenttype: string
  data: Record<string, unknown>
}

function parse(lines: readonly string[]): StatusEvent[] {
  return lines.map((line) => JSON.parse(line) as StatusEvent)
}

/** A client of the `mqtt` package that reads status; `types()` are the kinds of events that it has seen. */
async function readStatus(port: number, filter = '$eventflow/status', clientId = 'reader') {
  const client = await connectClient(port, { clientId, protocolVersion: 5 })
  await client.mqtt.subscribeAsync(filter, { qos: 1 })
  const events = (): StatusEvent[] => parse(client.payloads)
  return { ...client, events, types: () => events().map(({ type }) => type) }
}

/** What is told of everyone but the reader itself. */
function ofOthers(events: readonly StatusEvent[]): StatusEvent[] {
  return events.filter(({ data }) => data.clientId !== 'reader')
}

describeWithMosquitto('mosquitto_sub', () => {
  it.each(['mqttv311', 'mqttv5'])('sees what clients do, as CloudEvents, over %s', async (version) => {
    const { port } = await startBroker()
    const reader = await sub(port, '-V', version, '-i', 'reader', '-t', '$eventflow/status')
    const consumer = await sub(port, '-i', 'consumer', '-q', '1', '-t', 'queue/orders', '-t', 'news')
    await pub(port, '-i', 'producer', '-q', '1', '-t', 'queue/orders', '-m', 'secret payload')
    await pub(port, '-i', 'producer', '-q', '1', '-r', '-t', 'news', '-m', 'secret payload')
    await consumer.messages(2)
    await consumer.end()
    // The last that is told of a client that goes.
    await until('the consumer is gone', () => /"session.expired".*"consumer"/.test(reader.output))
    const events = parse(reader.lines)
    const types = new Set(events.map(({ type }) => type))
    const expected = [
      ...['client.connected', 'client.disconnected', 'session.created', 'session.expired', 'subscription.added'],
      ...['subscription.removed', 'message.published', 'message.delivered', 'message.acknowledged', 'message.retained'],
      ...['queue.created', 'queue.enqueued', 'queue.delivered', 'queue.acknowledged', 'queue.emptied'],
      ...['queue.consumer-added', 'queue.consumer-removed', 'access.authenticated'],
    ]
    expect([...types]).toEqual(expect.arrayContaining(expected))
    for (const event of events) {
      expect(event).toMatchObject({ specversion: '1.0', source: '/eventflow/eventflow', data: expect.anything() })
      expect(event.type).toMatch(/^[a-z]+\.[a-z-]+$/)
      expect(event.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      expect(event.datacontenttype).toBe('application/json')
    }
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
    const sequences = events.map(({ sequence }) => Number(sequence))
    expect(sequences).toEqual(sequences.map((_, i) => sequences[0]! + i))
    expect(reader.output).not.toContain('secret payload')
  })

  it('sees one area of events on $eventflow/events/<area>/+', async () => {
    const { port } = await startBroker()
    const reader = await sub(port, '-t', '$eventflow/events/client/+', '-F', '%t %p')
    await pub(port, '-i', 'passer-by', '-q', '1', '-t', 'queue/orders', '-m', 'x')
    const ofPasserBy = () => reader.lines.filter((line) => line.includes('passer-by'))
    await until('both events are there', () => ofPasserBy().length === 2)
    expect(ofPasserBy().map((line) => line.split(' ')[0])).toEqual([
      '$eventflow/events/client/connected',
      '$eventflow/events/client/disconnected',
    ])
    expect(reader.lines.every((line) => line.startsWith('$eventflow/events/client/'))).toBe(true)
  })

  it('is told by the broker when it goes', async () => {
    const broker = await startBroker()
    const reader = await sub(
      broker.port,
      '-t',
      '$eventflow/events/broker/+',
      '-t',
      '$eventflow/events/listener/+',
      '-F',
      '%t',
    )
    await broker.stop()
    expect((await reader.messages(2)).slice(0, 2)).toEqual([
      '$eventflow/events/broker/stopping',
      '$eventflow/events/listener/closed',
    ])
  })

  it('sees the same under the name that is configured', async () => {
    const { port } = await startBroker({ status: { topic: '$eventflow/everything/of/it' } })
    const reader = await sub(port, '-t', '$eventflow/everything/of/it', '-F', '%t')
    await pub(port, '-t', 'a', '-m', 'x')
    await reader.messages(3)
    expect(new Set(reader.lines)).toEqual(new Set(['$eventflow/everything/of/it']))
  })
})

describe('a reader of everything', () => {
  it('gets exactly the events of what happened: telling one is none', async () => {
    const { port } = await startBroker()
    const actor = await connectClient(port, { clientId: 'actor' })
    const reader = await readStatus(port, '$eventflow/status')
    await actor.mqtt.publishAsync('nobody/reads', 'x', { qos: 1 })
    await actor.mqtt.publishAsync('nobody/reads', 'y', { qos: 1 })
    await until('both are told', () => ofOthers(reader.events()).length >= 2)
    // The reader acknowledges, pings and reads: none of that comes back to it.
    const raw = await connectRaw(port, { clientId: 'last' })
    await raw.settled()
    await until('the last one is told', () => reader.types().includes('client.connected'))
    const told = ofOthers(reader.events()).map(({ type, data }) => `${type} ${String(data.clientId)}`)
    expect(told).toEqual([
      'message.published actor',
      'message.published actor',
      'access.authenticated last',
      'session.created last',
      'client.connected last',
    ])
  })

  it('with two filters that match gets each event once on each topic', async () => {
    const { port } = await startBroker()
    const reader = await readStatus(port, '$eventflow/#')
    const actor = await connectClient(port, { clientId: 'actor' })
    await actor.mqtt.publishAsync('a', 'x', { qos: 1 })
    const published = () => reader.packets.filter((_, i) => reader.events()[i]!.type === 'message.published')
    await until('it is told on both topics', () => published().length >= 2)
    expect(published().map(({ topic }) => topic)).toEqual(['$eventflow/status', '$eventflow/events/message/published'])
    expect(published().every(({ qos, retain }) => qos === 0 && !retain)).toBe(true)
  })

  it('gets them as what they are: application/cloudevents+json on MQTT 5.0', async () => {
    const { port } = await startBroker()
    const reader = await readStatus(port)
    await connectClient(port)
    await until('there is an event', () => reader.packets.length > 0)
    for (const { properties } of reader.packets) {
      expect(properties).toMatchObject({ contentType: 'application/cloudevents+json' })
    }
  })

  it('with overlapping subscriptions gets each message once, with all their identifiers', async () => {
    const { port } = await startBroker()
    const raw = await connectRaw(port, { protocolVersion: 5, clientId: 'reader' })
    for (const [i, topic] of ['$eventflow/status', '$eventflow/#', '$eventflow/events/session/+'].entries()) {
      const properties = { subscriptionIdentifier: i + 1 }
      raw.send({ cmd: 'subscribe', messageId: i + 1, subscriptions: [{ topic, qos: 0 }], properties })
      await raw.next('suback')
    }
    await raw.settled()
    raw.received.length = 0
    const actor = await connectClient(port, { clientId: 'actor' })
    await actor.mqtt.endAsync()
    const told = () =>
      raw.received.flatMap((packet) => {
        const event = packet.cmd === 'publish' ? (JSON.parse(packet.payload.toString()) as StatusEvent) : null
        if (packet.cmd !== 'publish' || event?.type !== 'session.created' || event.data.clientId !== 'actor') return []
        return [[packet.topic, packet.properties?.subscriptionIdentifier]]
      })
    await until('it is told', () => told().length >= 2)
    await raw.settled()
    expect(told()).toEqual([
      ['$eventflow/status', [1, 2]],
      ['$eventflow/events/session/created', [2, 3]],
    ])
  })

  it('hears nothing more when it has unsubscribed', async () => {
    const { port } = await startBroker()
    const reader = await readStatus(port)
    const actor = await connectClient(port, { clientId: 'actor' })
    await until('there is an event', () => reader.types().includes('client.connected'))
    await reader.mqtt.unsubscribeAsync('$eventflow/status')
    const before = reader.payloads.length
    await actor.mqtt.publishAsync('a', 'x', { qos: 1 })
    await actor.mqtt.endAsync()
    await reader.mqtt.publishAsync('fence', 'x', { qos: 1 })
    expect(reader.payloads.length).toBe(before)
  })

  it('that never reads holds up nobody, and sees afterwards what it has missed', async () => {
    const { port } = await startBroker({ session: { maxSocketBuffer: '64KB' } })
    const slow = await connectRaw(port, { protocolVersion: 5, clientId: 'slow' })
    slow.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$eventflow/status', qos: 0 }] })
    await slow.next('suback')
    slow.socket.pause()
    const watcher = await readStatus(port, '$eventflow/events/status/dropped')
    const subscriber = await connectClient(port, { clientId: 'subscriber' })
    await subscriber.mqtt.subscribeAsync('n/+', { qos: 0 })
    const publisher = await connectClient(port, { clientId: 'publisher' })
    // What the kernel keeps for a socket that is not read is some megabytes: topics are long, to get there soon.
    const topic = `n/${'x'.repeat(30_000)}`
    for (let i = 1; i <= 300; i++) {
      await publisher.mqtt.publishAsync(topic, '', { qos: 1 })
      await subscriber.messages(i)
    }
    slow.socket.resume()
    await watcher.messages(1)
    const told = () =>
      slow.received.flatMap((packet) =>
        packet.cmd === 'publish' ? [JSON.parse(packet.payload.toString()) as StatusEvent] : [],
      )
    await until('it hears of it', () => told().some(({ type }) => type === 'status.dropped'))
    const events = told()
    const { data } = events.find(({ type }) => type === 'status.dropped')!
    const { messages, firstSequence, lastSequence } = data as Record<string, number>
    const numbers = events.map(({ sequence }) => Number(sequence))
    const missed = Array.from({ length: numbers.at(-1)! - numbers[0]! }, (_, i) => numbers[0]! + i).filter(
      (number) => !numbers.includes(number),
    )
    expect(missed.length).toBe(messages)
    expect([missed[0], missed.at(-1)]).toEqual([firstSequence, lastSequence])
    expect(data.clientId).toBe('slow')
  })

  it('finds nothing retained: it hears what happens from now on', async () => {
    const { port } = await startBroker()
    const first = await readStatus(port)
    const actor = await connectClient(port, { clientId: 'actor' })
    await until('there was an event', () => first.types().includes('client.connected'))
    await actor.mqtt.endAsync()
    await until('it has gone', () => first.types().includes('client.disconnected'))
    const late = await connectClient(port, { clientId: 'late' })
    await late.mqtt.subscribeAsync(['$eventflow/status', '$eventflow/events/#'])
    await late.mqtt.publishAsync('marker', 'x', { qos: 1 })
    await until('the marker is told', () => late.payloads.some((payload) => payload.includes('marker')))
    expect(late.packets.some(({ retain }) => retain)).toBe(false)
    expect(late.payloads.join()).not.toContain('"actor"')
  })

  it('is told who was refused, and not with which password', async () => {
    const { port } = await startBroker({ access: { rules: [{ allow: 'subscribe', topics: ['$eventflow/#'] }] } })
    const reader = await readStatus(port)
    const actor = await connectClient(port, { clientId: 'actor', username: 'alice', password: 'correct horse' })
    actor.mqtt.publish('forbidden', 'x', { qos: 0 })
    await until('the client is gone', () => reader.types().includes('client.disconnected'))
    const about = ofOthers(reader.events())
    expect(about.find(({ type }) => type === 'access.denied')?.data).toMatchObject({
      clientId: 'actor',
      username: 'alice',
      action: 'publish',
      topic: 'forbidden',
    })
    expect(about.find(({ type }) => type === 'message.refused')?.data).toMatchObject({ reasonCode: 0x87 })
    expect(reader.payloads.join()).not.toContain('correct horse')
  })

  it('that is a lasting session misses what happens while it is away', async () => {
    const { port } = await startBroker()
    const lasting = { clientId: 'reader', clean: false }
    const before = await connectClient(port, lasting)
    await before.mqtt.subscribeAsync('$eventflow/events/message/published', { qos: 2 })
    await before.mqtt.endAsync()
    const actor = await connectClient(port)
    await actor.mqtt.publishAsync('while/away', 'x', { qos: 1 })
    const back = await connectClient(port, lasting)
    expect(back.connack.sessionPresent).toBe(true)
    await actor.mqtt.publishAsync('again/here', 'x', { qos: 1 })
    const [first] = await back.messages(1)
    expect(parse([first!])[0]!.data).toMatchObject({ topic: 'again/here' })
  })
})

describe('events that nobody reads', () => {
  it('are not built: the broker wants them exactly while there is a reader', async () => {
    const broker = await startBroker()
    const wanted = () => broker.events.wants('message.published')
    expect(wanted()).toBe(false)
    const reader = await readStatus(broker.port)
    expect(wanted()).toBe(true)
    await reader.mqtt.unsubscribeAsync('$eventflow/status')
    expect(wanted()).toBe(false)
    await reader.mqtt.subscribeAsync('$eventflow/events/message/+')
    expect(wanted()).toBe(true)
    expect(broker.events.wants('queue.enqueued')).toBe(false)
    await reader.mqtt.endAsync()
    await until('the reader is gone', () => !wanted())
  })

  it('are not built for a lasting session that is away', async () => {
    const broker = await startBroker()
    const lasting = { clientId: 'reader', clean: false }
    const reader = await connectClient(broker.port, lasting)
    await reader.mqtt.subscribeAsync('$eventflow/status')
    await reader.mqtt.endAsync()
    await until('the reader is gone', () => !broker.events.wants('message.published'))
    await connectClient(broker.port, lasting)
    await until('the reader is back', () => broker.events.wants('message.published'))
  })
})

describe.each([
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const)('a client on MQTT $name', ({ version }) => {
  const topics = [
    ...['$eventflow/status', '$eventflow/events/client/connected', '$eventflow/receipts/forger', '$eventflow/else'],
    ...['$SYS/broker/uptime', '$share/g/t', '$delayed/0/$eventflow/status', '$delayed/1/$SYS/x'],
  ]

  it.each(topics)('cannot publish on %s', async (topic) => {
    const { port } = await startBroker()
    const reader = await readStatus(port, '$eventflow/#')
    const everything = await connectClient(port)
    await everything.mqtt.subscribeAsync(['$SYS/#', 't'])
    const forger = await connectRaw(port, { protocolVersion: version, clientId: 'forger' })
    forger.send({ cmd: 'publish', topic, payload: 'forged', qos: 1, messageId: 1, dup: false, retain: true })
    if (version === 5) expect(await forger.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x87 })
    else await forger.end()
    await until('it is told', () => reader.types().includes('message.refused'))
    expect(reader.payloads).not.toContain('forged')
    expect(everything.payloads).not.toContain('forged')
  })

  it.each(topics.slice(0, 5))('cannot have a will on %s', async (topic) => {
    const { port } = await startBroker()
    const reader = await readStatus(port, '$eventflow/#')
    const will = { topic, payload: Buffer.from('forged'), qos: 1 as const, retain: true }
    const forger = await connectRaw(port, { protocolVersion: version, clientId: 'forger', will })
    forger.socket.destroy()
    await until('it is told', () => reader.types().includes('message.refused'))
    expect(reader.types()).not.toContain('message.will-published')
    expect(reader.payloads).not.toContain('forged')
  })

  it.each(['$share/g/$eventflow/status', '$share/g/$eventflow/#', '$share/g/$SYS/#'])(
    'cannot share %s',
    async (topic) => {
      const { port } = await startBroker()
      const client = await connectRaw(port, { protocolVersion: version })
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] })
      expect((await client.next('suback')).granted).toEqual([version === 5 ? 0x9e : 0x80])
    },
  )
})

describe('a program', () => {
  it('finds the last events, those of the start and the stop too', async () => {
    const broker = await startBroker()
    const client = await connectClient(broker.port, { clientId: 'me' })
    await client.mqtt.publishAsync('queue/a', 'x', { qos: 1 })
    await broker.stop()
    const types = broker.status.recent().map(({ type }) => type)
    expect(types[0]).toBe('config.loaded')
    expect(types.at(-1)).toBe('broker.stopped')
    expect(types).toEqual(expect.arrayContaining(['client.connected', 'queue.created', 'client.disconnected']))
    expect(types.filter((type) => /^message|enqueued/.test(type))).toEqual([])
    expect(broker.status.recent({ area: 'client' }).map(({ data }) => (data as { clientId: string }).clientId)).toEqual(
      ['me', 'me'],
    )
    const [last] = broker.status.recent({ limit: 1 })
    expect(broker.status.recent({ since: Number(last!.sequence) - 1 })).toEqual([last])
  })

  it('has as many as it wants, of messages too', async () => {
    const broker = await startBroker({ status: { recent: 3, recentMessages: true } })
    await broker.publish('a', 'x', { qos: 1 })
    expect(
      broker.status
        .recent()
        .map(({ type }) => type)
        .at(-1),
    ).toBe('message.published')
    expect(broker.status.recent().length).toBe(3)
    const none = await startBroker({ status: { recent: 0 } })
    expect([none.status.recent(), none.events.wants('client.connected')]).toEqual([[], false])
  })

  it('follows events as their readers see them', async () => {
    const broker = await startBroker()
    const told: string[] = []
    const stop = broker.status.follow(['client.connected'], (event) => told.push(event.json.toString()))
    await connectClient(broker.port, { clientId: 'one' })
    stop()
    await connectClient(broker.port, { clientId: 'two' })
    expect(told.map((text) => (JSON.parse(text) as StatusEvent).data.clientId)).toEqual(['one'])
    const seen: string[] = []
    await broker.subscribe('$eventflow/events/client/connected', (_topic, payload) => seen.push(payload.toString()))
    await connectClient(broker.port, { clientId: 'three' })
    await until('it is told', () => seen.length > 0)
    expect((JSON.parse(seen[0]!) as StatusEvent).data.clientId).toBe('three')
  })
})

it('events have the name of the node as their source, and a sequence from 1 for each run', async () => {
  const path = await temporaryFolder()
  for (let run = 1; run <= 2; run++) {
    const broker = await startBroker({ node: 'kitchen', store: { kind: 'level', path } })
    const [first] = broker.status.recent()
    expect(first).toMatchObject({ source: '/eventflow/kitchen', sequence: '0000000000000001' })
    const before = broker.status.sequence
    const reader = await readStatus(broker.port)
    await until('there is an event', () => reader.payloads.length > 0)
    const told = reader.events()[0]!
    expect(told.source).toBe('/eventflow/kitchen')
    expect(Number(told.sequence)).toBeGreaterThan(before)
    await broker.stop()
  }
})
