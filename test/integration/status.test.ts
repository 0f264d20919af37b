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
  const topics = ['$eventflow/status', '$eventflow/events/client/connected', '$SYS/broker/uptime', '$share/g/t']

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
