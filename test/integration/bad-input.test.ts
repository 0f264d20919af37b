/**
 * What is not MQTT, or not allowed by it: answered or closed as the specification says, told by an event, and of no
 * concern to anybody else.
 */

import { generate } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { bytes, packet, properties, rawText } from '../helpers/packets.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

/** Two clients that have nothing to do with it. Each call sends a message from one to the other. */
async function bystanders(port: number, version: 4 | 5): Promise<(payload: string) => Promise<void>> {
  const reader = await connectRaw(port, { protocolVersion: version })
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'bystanders', qos: 1 }] })
  await reader.next('suback')
  const writer = await connectRaw(port, { protocolVersion: version })
  return async (payload) => {
    writer.send({ cmd: 'publish', topic: 'bystanders', payload, qos: 1, messageId: 1, dup: false, retain: false })
    await writer.next('puback')
    const received = await reader.next('publish')
    expect(received.payload.toString()).toBe(payload)
    reader.send({ cmd: 'puback', messageId: received.messageId! })
  }
}

const CONNECT_311 = packet(0x10, 'MQTT', 4, 2, 0, 0, 'again')
const CONNECT_5 = packet(0x10, 'MQTT', 5, 2, 0, 0, 0, 'again')
const DEEP = Array.from({ length: 257 }, () => 'a').join('/')

interface Bad {
  what: string
  /** What is sent. On MQTT 5.0 `none` (no properties) stands where properties do. */
  sent: (version: 4 | 5, none: Buffer) => Buffer
  /** Reason code of the DISCONNECT on MQTT 5.0, and of the event on both. */
  code: number
  only?: 4 | 5
}

const AFTER_CONNECT: Bad[] = [
  { what: 'a second CONNECT', sent: (version) => (version === 5 ? CONNECT_5 : CONNECT_311), code: 0x82 },
  { what: 'the reserved packet type 0', sent: () => packet(0x00), code: 0x82 },
  { what: 'the reserved packet type 15', sent: () => packet(0xf0), code: 0x82, only: 4 },
  { what: 'AUTH without an authentication method', sent: () => packet(0xf0), code: 0x82, only: 5 },
  { what: 'CONNACK', sent: (_, none) => packet(0x20, 0, 0, none), code: 0x82 },
  { what: 'SUBACK', sent: (_, none) => packet(0x90, 0, 1, none, 0), code: 0x82 },
  { what: 'UNSUBACK', sent: (_, none) => packet(0xb0, 0, 1, none), code: 0x82 },
  { what: 'PINGRESP', sent: () => packet(0xd0), code: 0x82 },

  { what: 'a remaining length of five bytes', sent: () => bytes(0x30, 0xff, 0xff, 0xff, 0xff, 0x7f), code: 0x81 },
  { what: 'the announcement of a packet over the maximum size', sent: () => bytes(0x30, 0x80, 0x80, 0x01), code: 0x95 },

  { what: 'PUBLISH at QoS 3', sent: (_, none) => packet(0x36, 'a', 0, 1, none), code: 0x81 },
  { what: 'PUBLISH with DUP at QoS 0', sent: (_, none) => packet(0x38, 'a', none), code: 0x81 },
  { what: 'PUBLISH with packet identifier 0', sent: (_, none) => packet(0x32, 'a', 0, 0, none), code: 0x82 },
  { what: 'PUBLISH without a packet identifier', sent: () => packet(0x32, 'a'), code: 0x81 },
  { what: 'an empty PUBLISH', sent: () => packet(0x30), code: 0x81 },
  { what: 'PUBLISH with a topic cut short', sent: () => packet(0x30, 0, 9, 0x61), code: 0x81 },
  { what: 'PUBLISH on an empty topic', sent: (_, none) => packet(0x30, '', none), code: 0x82 },
  { what: 'PUBLISH on a/+', sent: (_, none) => packet(0x30, 'a/+', none, 1), code: 0x90 },
  { what: 'PUBLISH on #', sent: (_, none) => packet(0x30, '#', none, 1), code: 0x90 },
  { what: 'PUBLISH on a topic of 257 levels', sent: (_, none) => packet(0x30, DEEP, none, 1), code: 0x90 },
  { what: 'PUBLISH on a topic with U+0000', sent: (_, none) => packet(0x30, rawText(0x61, 0), none), code: 0x81 },
  {
    what: 'PUBLISH on a topic that is no UTF-8',
    sent: (_, none) => packet(0x30, rawText(0xc3, 0x28), none),
    code: 0x81,
  },
  {
    what: 'PUBLISH on a topic with a surrogate',
    sent: (_, none) => packet(0x30, rawText(0xed, 0xa0, 0x80), none),
    code: 0x81,
  },

  { what: 'SUBSCRIBE with wrong flags', sent: (_, none) => packet(0x80, 0, 1, none, 'a', 0), code: 0x81 },
  { what: 'SUBSCRIBE with packet identifier 0', sent: (_, none) => packet(0x82, 0, 0, none, 'a', 0), code: 0x82 },
  { what: 'SUBSCRIBE without a filter', sent: (_, none) => packet(0x82, 0, 1, none), code: 0x82 },
  { what: 'SUBSCRIBE without options', sent: (_, none) => packet(0x82, 0, 1, none, 'a'), code: 0x81 },
  { what: 'SUBSCRIBE at QoS 3', sent: () => packet(0x82, 0, 1, 'a', 3), code: 0x81, only: 4 },
  { what: 'SUBSCRIBE at QoS 3', sent: (_, none) => packet(0x82, 0, 1, none, 'a', 3), code: 0x82, only: 5 },
  { what: 'SUBSCRIBE with reserved options', sent: (_, none) => packet(0x82, 0, 1, none, 'a', 0x40), code: 0x81 },
  {
    what: 'SUBSCRIBE with a filter that is no UTF-8',
    sent: (_, none) => packet(0x82, 0, 1, none, rawText(0xff), 0),
    code: 0x81,
  },
  { what: 'SUBSCRIBE with U+0000', sent: (_, none) => packet(0x82, 0, 1, none, rawText(0x61, 0), 0), code: 0x81 },
  { what: 'UNSUBSCRIBE with wrong flags', sent: (_, none) => packet(0xa0, 0, 1, none, 'a'), code: 0x81 },
  { what: 'UNSUBSCRIBE without a filter', sent: (_, none) => packet(0xa2, 0, 1, none), code: 0x82 },
  { what: 'UNSUBSCRIBE with packet identifier 0', sent: (_, none) => packet(0xa2, 0, 0, none, 'a'), code: 0x82 },

  { what: 'PUBACK with flags', sent: () => packet(0x42, 0, 1), code: 0x81 },
  { what: 'PUBACK with packet identifier 0', sent: () => packet(0x40, 0, 0), code: 0x82 },
  { what: 'PUBACK that is cut short', sent: () => packet(0x40, 1), code: 0x81 },
  { what: 'PUBACK with surplus bytes', sent: () => packet(0x40, 0, 1, 0), code: 0x81, only: 4 },
  { what: 'PUBREL with wrong flags', sent: () => packet(0x60, 0, 1), code: 0x81 },
  { what: 'PINGREQ with flags', sent: () => packet(0xc1), code: 0x81 },
  { what: 'PINGREQ with a body', sent: () => packet(0xc0, 0), code: 0x81 },
  { what: 'DISCONNECT with flags', sent: () => packet(0xe1), code: 0x81 },
  { what: 'DISCONNECT with surplus bytes', sent: () => packet(0xe0, 0), code: 0x81, only: 4 },

  { what: 'PUBACK with an unknown reason code', sent: () => packet(0x40, 0, 1, 0x42), code: 0x82, only: 5 },
  { what: 'PUBLISH with an unknown property', sent: () => packet(0x30, 'a', properties(0x7e, 0)), code: 0x81, only: 5 },
  {
    what: 'PUBLISH with a property of CONNECT',
    sent: () => packet(0x30, 'a', properties(0x21, 0, 9)),
    code: 0x81,
    only: 5,
  },
  { what: 'PUBLISH with properties cut short', sent: () => packet(0x30, 'a', 9, 0x01), code: 0x81, only: 5 },
  { what: 'PUBLISH with a property twice', sent: () => packet(0x30, 'a', properties(1, 0, 1, 0)), code: 0x82, only: 5 },
  {
    what: 'PUBLISH with a wildcard in its response topic',
    sent: () => packet(0x30, 'a', properties(0x08, 'b/#')),
    code: 0x82,
    only: 5,
  },
  {
    what: 'PUBLISH with the topic alias 0',
    sent: () => packet(0x30, 'a', properties(0x23, 0, 0)),
    code: 0x94,
    only: 5,
  },
  {
    what: 'SUBSCRIBE with identifier 0',
    sent: () => packet(0x82, 0, 1, properties(0x0b, 0), 'a', 0),
    code: 0x82,
    only: 5,
  },
  { what: 'SUBSCRIBE with retain handling 3', sent: () => packet(0x82, 0, 1, 0, 'a', 0x30), code: 0x82, only: 5 },
  {
    what: 'No Local on a shared subscription',
    sent: () => packet(0x82, 0, 1, 0, '$share/g/a', 4),
    code: 0x82,
    only: 5,
  },
  { what: 'DISCONNECT with a reason of the server', sent: () => packet(0xe0, 0x8e), code: 0x82, only: 5 },
]

describe.each(VERSIONS)('a client on MQTT $name', ({ name, version }) => {
  it.each(AFTER_CONNECT.filter(({ only }) => only === undefined || only === version))(
    `that sends $what is closed, ${version === 5 ? 'told why, ' : ''}and disturbs nobody`,
    async ({ sent, code }) => {
      const broker = await startBroker({ mqtt: { maxPacketSize: '10KB' } })
      const events = listenTo(broker, 'client.error', 'client.disconnected')
      const exchange = await bystanders(broker.port, version)
      const client = await connectRaw(broker.port, { protocolVersion: version, clientId: 'bad' })
      client.sendBytes(sent(version, version === 5 ? Buffer.from([0]) : Buffer.alloc(0)))
      await exchange('meanwhile')
      await client.end()
      const told = client.received.map((answer) => ({ ...answer }))
      if (version === 5) expect(told).toMatchObject([{ cmd: 'disconnect', reasonCode: code }])
      else expect(told).toEqual([])
      expect(events.of('client.error')).toMatchObject([{ clientId: 'bad', reasonCode: code }])
      expect(events.of('client.disconnected')).toMatchObject([
        { clientId: 'bad', reason: 'protocol-error', reasonCode: code },
      ])
      await exchange(`afterwards, on ${name}`)
    },
  )

  it('what stands behind a malformed packet is not served, and what stands before it is', async () => {
    const broker = await startBroker()
    const reader = await connectClient(broker.port)
    await reader.mqtt.subscribeAsync('t')
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const none = version === 5 ? [0] : []
    const publish = (payload: number) => packet(0x30, 't', ...none, payload)
    client.sendBytes(Buffer.concat([publish(0x31), packet(0x00), publish(0x32)]))
    await client.end()
    await reader.mqtt.publishAsync('t', 'end')
    expect(await reader.messages(2)).toEqual(['1', 'end'])
  })

  it.each(['a#', 'a+', '+a', 'ab/+c', 'a/#/b', '#/a', DEEP])(
    'that subscribes to %j is refused that filter, and goes on',
    async (filter) => {
      const broker = await startBroker()
      const events = listenTo(broker, 'subscription.refused', 'client.error')
      const client = await connectRaw(broker.port, { protocolVersion: version, clientId: 'c' })
      const none = version === 5 ? [0] : []
      client.sendBytes(packet(0x82, 0, 7, ...none, 'good', 1, filter, 1))
      const refused = version === 5 ? 0x8f : 0x80
      expect(await client.next('suback')).toMatchObject({ messageId: 7, granted: [1, refused] })
      expect(events.of('subscription.refused')).toMatchObject([{ clientId: 'c', filter, reasonCode: 0x8f }])
      client.sendBytes(packet(0x30, 'good', ...none, 0x31))
      expect((await client.next('publish')).payload.toString()).toBe('1')
      expect(events.of('client.error')).toEqual([])
    },
  )

  it('may acknowledge what it was never sent: that is no reason to part', async () => {
    const broker = await startBroker()
    const client = await connectRaw(broker.port, { protocolVersion: version })
    client.send({ cmd: 'puback', messageId: 77 })
    client.send({ cmd: 'pubcomp', messageId: 78 })
    client.send({ cmd: 'pubrel', messageId: 79 })
    expect(await client.next('pubcomp')).toMatchObject({ messageId: 79 })
    client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['never/subscribed'] })
    await client.next('unsuback')
  })

  it('may use the longest topic that there is, and the deepest that is allowed', async () => {
    const broker = await startBroker()
    const client = await connectClient(broker.port, { protocolVersion: version })
    const longest = 'x'.repeat(65_535)
    const deepest = Array.from({ length: 100 }, () => 'a').join('/')
    await client.mqtt.subscribeAsync([longest, deepest], { qos: 1 })
    await client.mqtt.publishAsync(longest, 'long', { qos: 1 })
    await client.mqtt.publishAsync(deepest, 'deep', { qos: 1 })
    expect(await client.messages(2)).toEqual(['long', 'deep'])
  })

  it('may use any character that MQTT allows', async () => {
    const broker = await startBroker()
    const client = await connectClient(broker.port, { protocolVersion: version, clientId: 'ключ/🔑 $#+' })
    const topic = ' /\u{feff}/\u{10ffff}/🚀/\ufffe'
    await client.mqtt.subscribeAsync(topic, { qos: 2 })
    await client.mqtt.publishAsync(topic, 'x', { qos: 2 })
    await client.messages(1)
    expect(client.packets[0]!.topic).toBe(topic)
  })
})

interface BadConnect {
  what: string
  sent: Buffer
  code: number
  /** Return code (3.1.1) or reason code (5.0) of the CONNACK; none where the connection is closed without a word. */
  connack?: number
  version?: 4 | 5
}

const HTTP_REQUEST = Buffer.from(
  'GET / HTTP/1.1\r\nHost: localhost:1883\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n',
)

const FIRST_PACKETS: BadConnect[] = [
  { what: 'PUBLISH', sent: packet(0x30, 'a', 1), code: 0x82 },
  { what: 'SUBSCRIBE', sent: packet(0x82, 0, 1, 'a', 0), code: 0x82 },
  { what: 'PINGREQ', sent: packet(0xc0), code: 0x82 },
  { what: 'DISCONNECT', sent: packet(0xe0), code: 0x82 },
  { what: 'AUTH', sent: packet(0xf0), code: 0x82 },
  { what: 'an HTTP request', sent: HTTP_REQUEST, code: 0x82 },
  { what: 'a TLS handshake', sent: bytes(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3), code: 0x81 },
  { what: 'a bad remaining length', sent: bytes(0x10, 0xff, 0xff, 0xff, 0xff, 0x7f), code: 0x81 },
  { what: 'the announcement of a CONNECT over the maximum size', sent: bytes(0x10, 0x80, 0x80, 0x01), code: 0x95 },

  { what: 'an empty CONNECT', sent: packet(0x10), code: 0x81 },
  { what: 'CONNECT with flags', sent: packet(0x11, 'MQTT', 4, 2, 0, 0, 'c'), code: 0x81 },
  { what: 'CONNECT that is cut short', sent: packet(0x10, 'MQTT', 4, 2, 0, 0, 0, 9, 0x63), code: 0x81 },
  { what: 'CONNECT with surplus bytes', sent: packet(0x10, 'MQTT', 4, 2, 0, 0, 'c', 0), code: 0x81 },
  { what: 'the protocol level 6', sent: packet(0x10, 'MQTT', 6, 2, 0, 0, 'c'), code: 0x84, connack: 1 },
  { what: 'the protocol level of a bridge', sent: packet(0x10, 'MQTT', 0x84, 2, 0, 0, 'c'), code: 0x84, connack: 1 },
  { what: 'the reserved connect flag', sent: packet(0x10, 'MQTT', 4, 3, 0, 0, 'c'), code: 0x81 },
  { what: 'a will of QoS 3', sent: packet(0x10, 'MQTT', 4, 0x1e, 0, 0, 'c', 'w', 'w'), code: 0x81 },
  { what: 'will retain without a will', sent: packet(0x10, 'MQTT', 4, 0x22, 0, 0, 'c'), code: 0x81 },
  { what: 'a password without a user name', sent: packet(0x10, 'MQTT', 4, 0x42, 0, 0, 'c', 'p'), code: 0x81 },
  { what: 'no identifier for a session to keep', sent: packet(0x10, 'MQTT', 4, 0, 0, 0, ''), code: 0x85, connack: 2 },
  { what: 'an identifier that is no UTF-8', sent: packet(0x10, 'MQTT', 4, 2, 0, 0, rawText(0xff)), code: 0x81 },
  { what: 'an identifier with U+0000', sent: packet(0x10, 'MQTT', 4, 2, 0, 0, rawText(0x61, 0)), code: 0x81 },
  { what: 'a will on a wildcard', sent: packet(0x10, 'MQTT', 4, 6, 0, 0, 'c', 'w/#', 'w'), code: 0x90 },
  { what: 'a will on no topic', sent: packet(0x10, 'MQTT', 4, 6, 0, 0, 'c', '', 'w'), code: 0x90 },
  { what: 'a will on a topic of 257 levels', sent: packet(0x10, 'MQTT', 4, 6, 0, 0, 'c', DEEP, 'w'), code: 0x90 },

  {
    what: 'the protocol level 6',
    sent: packet(0x10, 'MQTT', 6, 2, 0, 0, 0, 'c'),
    code: 0x84,
    connack: 0x84,
    version: 5,
  },
  {
    what: 'CONNECT that is cut short',
    sent: packet(0x10, 'MQTT', 5, 2, 0, 0, 0, 0, 9, 0x63),
    code: 0x81,
    connack: 0x81,
    version: 5,
  },
  {
    what: 'CONNECT with surplus bytes',
    sent: packet(0x10, 'MQTT', 5, 2, 0, 0, 0, 'c', 0),
    code: 0x81,
    connack: 0x81,
    version: 5,
  },
  {
    what: 'an unknown property',
    sent: packet(0x10, 'MQTT', 5, 2, 0, 0, properties(0x7e, 0), 'c'),
    code: 0x81,
    connack: 0x81,
    version: 5,
  },
  {
    what: 'a receive maximum of 0',
    sent: packet(0x10, 'MQTT', 5, 2, 0, 0, properties(0x21, 0, 0), 'c'),
    code: 0x82,
    connack: 0x82,
    version: 5,
  },
  {
    what: 'an authentication method',
    sent: packet(0x10, 'MQTT', 5, 2, 0, 0, properties(0x15, 'SCRAM-SHA-1'), 'c'),
    code: 0x8c,
    connack: 0x8c,
    version: 5,
  },
  {
    what: 'a will on a wildcard',
    sent: packet(0x10, 'MQTT', 5, 6, 0, 0, 0, 'c', 0, '+/w', 'w'),
    code: 0x90,
    connack: 0x90,
    version: 5,
  },
  {
    what: 'a will on a topic of 257 levels',
    sent: packet(0x10, 'MQTT', 5, 6, 0, 0, 0, 'c', 0, DEEP, 'w'),
    code: 0x90,
    connack: 0x90,
    version: 5,
  },
]

describe('a connection', () => {
  it.each(FIRST_PACKETS.map((bad) => ({ ...bad, title: `${bad.what}${bad.version === 5 ? ', on MQTT 5.0,' : ''}` })))(
    'that begins with $title is refused, and disturbs nobody',
    async ({ sent, code, connack, version = 4 }) => {
      const broker = await startBroker({ mqtt: { maxPacketSize: '10KB' } })
      const events = listenTo(broker, 'client.connecting-refused', 'client.connected')
      const exchange = await bystanders(broker.port, version)
      const client = await openRaw(broker.port, version)
      client.sendBytes(sent)
      await exchange('meanwhile')
      await client.end()
      if (connack === undefined) expect(client.received).toEqual([])
      else {
        const answer = { sessionPresent: false, ...(version === 5 ? { reasonCode: connack } : { returnCode: connack }) }
        expect(client.received).toMatchObject([{ cmd: 'connack', ...answer }])
      }
      expect(events.of('client.connecting-refused')).toMatchObject([{ reasonCode: code }])
      expect(events.of('client.connected')).toHaveLength(2)
      await exchange('afterwards')
    },
  )

  it.each(VERSIONS)('that says nothing is closed when its time is up, on MQTT $name', async ({ version }) => {
    const broker = await startBroker({ mqtt: { connectTimeout: 300 } })
    const events = listenTo(broker, 'client.connecting-refused')
    const before = Date.now()
    const silent = await openRaw(broker.port, version)
    const halfway = await openRaw(broker.port, version)
    halfway.sendBytes(packet(0x10, 'MQTT', version, 2, 0, 0).subarray(0, 9))
    const client = await connectRaw(broker.port, { protocolVersion: version })
    await silent.end()
    expect(Date.now() - before).toBeGreaterThanOrEqual(300)
    await halfway.end()
    expect(events.of('client.connecting-refused')).toHaveLength(2)
    await client.settled()
  })

  it('with nothing but a port scan leaves no trace', async () => {
    const broker = await startBroker()
    const exchange = await bystanders(broker.port, 4)
    for (let i = 0; i < 50; i++) (await openRaw(broker.port)).socket.destroy()
    await exchange('afterwards')
  })
})

describe.each(VERSIONS)('keep alive on MQTT $name', ({ version }) => {
  it('[MQTT-3.1.2-22, MQTT-3.2.2-22] [3.1.1: MQTT-3.1.2-24] closes a client that is silent for one and a half intervals, and no other', async () => {
    const broker = await startBroker()
    const events = listenTo(broker, 'client.disconnected')
    const pinging = await connectClient(broker.port, { protocolVersion: version, keepalive: 1 })
    const unlimited = await connectRaw(broker.port, { protocolVersion: version, keepalive: 0 })
    const before = Date.now()
    const silent = await connectRaw(broker.port, { protocolVersion: version, clientId: 'silent', keepalive: 1 })
    if (version === 5) expect(await silent.next('disconnect')).toMatchObject({ reasonCode: 0x8d })
    await silent.end()
    expect(Date.now() - before).toBeGreaterThanOrEqual(1500)
    expect(events.of('client.disconnected')).toMatchObject([{ clientId: 'silent', reason: 'keep-alive' }])
    expect(pinging.mqtt.connected).toBe(true)
    await unlimited.settled()
  })
})

describe('a will on a topic of tens of thousands of levels', () => {
  it('does no harm to those who subscribe to everything', async () => {
    const broker = await startBroker()
    const client = await openRaw(broker.port)
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clientId: 'deep',
      clean: true,
      keepalive: 0,
      will: { topic: 'a/'.repeat(32_000), payload: Buffer.from('x'), qos: 1, retain: true },
    })
    client.socket.end()
    await client.end()
    const reader = await connectRaw(broker.port)
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
    await reader.next('suback')
    await reader.settled()
  })
})

describeWithMosquitto('mosquitto_pub', () => {
  it('is closed on MQTT 3.1.1 when its packet is too large', async () => {
    const broker = await startBroker({ mqtt: { maxPacketSize: '1KB' } })
    const events = listenTo(broker, 'client.error')
    const { code } = await pub(broker.port, '-V', 'mqttv311', '-t', 't', '-m', 'x'.repeat(5_000), '-q', '1')
    expect(code).not.toBe(0)
    await events.find('client.error', { reasonCode: 0x95 })
  })
})

describe('a packet of the largest size that is allowed', () => {
  it('is announced to MQTT 5.0 clients', async () => {
    const broker = await startBroker({ mqtt: { maxPacketSize: '1KB' } })
    const { connack } = await connectRaw(broker.port, { protocolVersion: 5 })
    expect(connack.properties).toMatchObject({ maximumPacketSize: 1024 })
  })

  it.each(VERSIONS)('is served, and one of a byte more is not, on MQTT $name', async ({ version }) => {
    const broker = await startBroker({ mqtt: { maxPacketSize: 1000 } })
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const build = (payloadLength: number) =>
      generate(
        {
          cmd: 'publish',
          topic: 't',
          payload: 'x'.repeat(payloadLength),
          qos: 1,
          messageId: 1,
          dup: false,
          retain: false,
        },
        { protocolVersion: version },
      )
    const overhead = build(900).length - 900
    expect(build(1000 - overhead)).toHaveLength(1000)
    client.sendBytes(build(1000 - overhead))
    await client.next('puback')
    client.sendBytes(build(1001 - overhead))
    if (version === 5) expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x95 })
    await client.end()
    expect(client.received).toEqual([])
  })
})
