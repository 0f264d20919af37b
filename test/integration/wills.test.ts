/** Wills: what a client left to be said when it goes without a word. */

import type { IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

type Will = NonNullable<IConnectPacket['will']>

const will = (more: Partial<Will> = {}): Will => ({
  topic: 'wills',
  payload: Buffer.from('gone'),
  qos: 1,
  retain: false,
  ...more,
})

/** A broker, somebody who reads wills, and a client that has left one. */
async function scene(version: 4 | 5, options: Partial<IConnectPacket> = {}, config = {}) {
  const broker = await startBroker(config)
  const events = listenTo(broker, 'message.will-published', 'client.disconnected', 'session.expired')
  const reader = await connectClient(broker.port, { protocolVersion: version })
  await reader.mqtt.subscribeAsync('wills', { qos: 2 })
  const client = await connectRaw(broker.port, {
    protocolVersion: version,
    clientId: 'mortal',
    will: will(),
    ...options,
  })
  /** Everything that was said about wills until now. */
  const said = async (): Promise<string[]> => {
    await reader.mqtt.publishAsync('wills', 'end', { qos: 1 })
    while (reader.payloads.at(-1) !== 'end') await reader.messages(reader.payloads.length + 1)
    return reader.payloads.slice(0, -1)
  }
  return { broker, events, reader, client, said }
}

describeWithMosquitto('a mosquitto_sub that is killed', () => {
  it.each(VERSIONS)('has its will published, on MQTT $name', async ({ words }) => {
    const { port } = await startBroker()
    const reader = await sub(port, ...words, '-q', '2', '-t', 'wills', '-F', '%q %r %p')
    const left = ['--will-topic', 'wills', '--will-payload', 'killed', '--will-qos', '2']
    const killed = await sub(port, ...words, '-t', 'x', ...left)
    await killed.end('SIGKILL')
    expect(await reader.messages(1)).toEqual(['2 0 killed'])
  })

  it.each(VERSIONS)('but not when it has what it came for and says DISCONNECT, on MQTT $name', async ({ words }) => {
    const { port } = await startBroker()
    const reader = await sub(port, ...words, '-q', '1', '-t', 'wills', '-F', '%p')
    const left = ['--will-topic', 'wills', '--will-payload', 'no']
    const polite = await sub(port, ...words, '-C', '1', '-t', 'x', ...left)
    await pub(port, ...words, '-q', '1', '-t', 'x', '-m', 'enough')
    await polite.ended()
    await pub(port, ...words, '-q', '1', '-t', 'wills', '-m', 'end')
    expect(await reader.messages(1)).toEqual(['end'])
  })

  it('has it published as well when it is interrupted, on MQTT 5.0: it says DISCONNECT 0x04', async () => {
    const { port } = await startBroker()
    const reader = await sub(port, '-V', 'mqttv5', '-q', '1', '-t', 'wills', '-F', '%p')
    const left = ['--will-topic', 'wills', '--will-payload', 'interrupted']
    const interrupted = await sub(port, '-V', 'mqttv5', '-t', 'x', ...left)
    await interrupted.end('SIGTERM')
    expect(await reader.messages(1)).toEqual(['interrupted'])
  })
})

describe.each(VERSIONS)('a will on MQTT $name', ({ version }) => {
  it('is published when the socket breaks', async () => {
    const { client, reader } = await scene(version)
    client.socket.resetAndDestroy()
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('is published when the client closes the connection without DISCONNECT', async () => {
    const { client, reader } = await scene(version)
    client.socket.end()
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('is discarded with DISCONNECT', async () => {
    const { client, said, events } = await scene(version)
    client.send({ cmd: 'disconnect' })
    await client.end()
    await events.find('client.disconnected', { clientId: 'mortal' })
    expect(await said()).toEqual([])
  })

  it('is published when the client sends what is not MQTT', async () => {
    const { client, reader } = await scene(version)
    client.sendBytes([0xff, 0xff, 0xff, 0xff, 0xff])
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('is published when the client falls silent', async () => {
    const { reader, events } = await scene(version, { keepalive: 1 })
    expect(await reader.messages(1)).toEqual(['gone'])
    await events.find('client.disconnected', { clientId: 'mortal', reason: 'keep-alive' })
  })

  it('is published when another connection takes the session over', async () => {
    const { broker, reader } = await scene(version)
    await connectRaw(broker.port, { protocolVersion: version, clientId: 'mortal' })
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('of a later connection takes the place of the earlier one', async () => {
    const { broker, client, reader } = await scene(version)
    client.send({ cmd: 'disconnect' })
    await client.end()
    const options = { protocolVersion: version, clientId: 'mortal', will: will({ payload: Buffer.from('second') }) }
    const again = await connectRaw(broker.port, options)
    again.socket.destroy()
    expect(await reader.messages(1)).toEqual(['second'])
  })

  it.each([0, 1, 2] as const)('is published at its QoS, here %i', async (qos) => {
    const { client, reader } = await scene(version, { will: will({ qos }) })
    client.socket.destroy()
    await reader.messages(1)
    expect(reader.packets[0]).toMatchObject({ topic: 'wills', qos, retain: false })
  })

  it('is published when the client is sent away because it published what it may not', async () => {
    const rules = [
      { deny: 'publish' as const, topics: ['secret'] },
      { allow: ['publish' as const, 'subscribe' as const], topics: ['#'] },
    ]
    const { client, reader, events } = await scene(version, {}, { access: { rules } })
    client.send({ cmd: 'publish', topic: 'secret', payload: 'x', qos: 0, dup: false, retain: false })
    expect(await reader.messages(1)).toEqual(['gone'])
    await events.find('client.disconnected', { clientId: 'mortal', reason: 'not-authorized' })
  })

  it('is refused quietly, with an event, where its client may not publish', async () => {
    const rules = [
      { deny: 'publish' as const, topics: ['secret'] },
      { allow: ['publish' as const, 'subscribe' as const], topics: ['#'] },
    ]
    const broker = await startBroker({ access: { rules } })
    const events = listenTo(broker, 'message.refused', 'message.will-published', 'access.denied')
    const reader = await connectClient(broker.port)
    await reader.mqtt.subscribeAsync('#')
    const client = await connectRaw(broker.port, {
      protocolVersion: version,
      clientId: 'mortal',
      will: will({ topic: 'secret' }),
    })
    client.socket.destroy()
    await events.find('message.refused', { clientId: 'mortal', topic: 'secret', reasonCode: 0x87 })
    await events.find('access.denied', { clientId: 'mortal', topic: 'secret', action: 'publish' })
    expect(events.of('message.will-published')).toEqual([])
    await reader.mqtt.publishAsync('end', 'end', { qos: 1 })
    expect(await reader.messages(1)).toEqual(['end'])
  })

  it('on a queue topic is a message of the queue, kept until a consumer acknowledges it', async () => {
    const { broker, client, events } = await scene(version, { will: will({ topic: 'queue/deaths' }) })
    client.socket.destroy()
    await events.find('message.will-published', { clientId: 'mortal' })
    const consumer = await connectRaw(broker.port, { protocolVersion: version })
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/deaths', qos: 1 }] })
    const { payload, qos, messageId } = await consumer.next('publish')
    expect([payload.toString(), qos]).toEqual(['gone', 1])
    consumer.send({ cmd: 'puback', messageId: messageId! })
  })

  it('is published when the broker stops, to those who are connected and to sessions that are kept', async () => {
    const config = { store: { kind: 'level' as const, path: await temporaryFolder() } }
    const { broker, reader } = await scene(version, { will: will({ retain: true }) }, config)
    const lasting = {
      ...{ protocolVersion: version, clientId: 'lasting', clean: false },
      ...(version === 5 ? { properties: { sessionExpiryInterval: 1000 } } : {}),
    }
    const away = await connectRaw(broker.port, lasting)
    away.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'wills', qos: 1 }] })
    await away.next('suback')
    away.socket.destroy()
    await broker.stop()
    expect(await reader.messages(1)).toEqual(['gone'])

    const after = await startBroker(config)
    const back = await connectRaw(after.port, lasting)
    await back.settled()
    expect(back.received).toMatchObject([{ cmd: 'publish', payload: Buffer.from('gone') }])
    const later = await connectClient(after.port)
    await later.mqtt.subscribeAsync('wills')
    expect(await later.messages(1)).toEqual(['gone'])
  })

  it('may be empty', async () => {
    const { client, reader } = await scene(version, { will: will({ payload: Buffer.alloc(0) }) })
    client.socket.destroy()
    expect(await reader.messages(1)).toEqual([''])
  })

  it('may be retained', async () => {
    const { broker, client, events } = await scene(version, { will: will({ retain: true }) })
    client.socket.destroy()
    await events.find('message.will-published', { clientId: 'mortal' })
    const later = await connectClient(broker.port)
    await later.mqtt.subscribeAsync('wills')
    await later.messages(1)
    expect(later.packets[0]).toMatchObject({ retain: true, topic: 'wills' })
  })

  it('is not published on a topic that clients cannot publish on', async () => {
    const { broker, client, events, said } = await scene(version, { will: will({ topic: '$SYS/broker/uptime' }) })
    const reader = await connectClient(broker.port)
    await reader.mqtt.subscribeAsync('$SYS/#')
    client.socket.destroy()
    await events.find('client.disconnected', { clientId: 'mortal' })
    expect(await said()).toEqual([])
    expect(events.of('message.will-published')).toEqual([])
    expect(reader.payloads).not.toContain('gone')
  })
})

describe('a will on MQTT 5.0', () => {
  const session = (seconds: number) => ({ clean: false, properties: { sessionExpiryInterval: seconds } })
  const delayed = (seconds: number) => will({ properties: { willDelayInterval: seconds } })

  it('is published with DISCONNECT 0x04', async () => {
    const { client, reader } = await scene(5)
    client.send({ cmd: 'disconnect', reasonCode: 0x04 })
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it.each([0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99])(
    'is published with DISCONNECT %i',
    async (reasonCode) => {
      const { client, reader } = await scene(5)
      client.send({ cmd: 'disconnect', reasonCode })
      expect(await reader.messages(1)).toEqual(['gone'])
    },
  )

  it('is published when the client wants a session prolonged that ends with its connection [MQTT-3.14.2-2]', async () => {
    const { client, reader } = await scene(5)
    client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 10 } })
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('is published at once with DISCONNECT 0x04 that ends the session, whatever its delay', async () => {
    const { client, reader } = await scene(5, { ...session(100), will: delayed(1000) })
    client.send({ cmd: 'disconnect', reasonCode: 0x04, properties: { sessionExpiryInterval: 0 } })
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('that waits is not cancelled by a client that is refused', async () => {
    const { broker, client, reader, events } = await scene(5, { ...session(100), will: delayed(1) })
    client.socket.destroy()
    await events.find('client.disconnected', { clientId: 'mortal' })
    const authentication = { authenticationMethod: 'none that we know' }
    await expect(
      connectRaw(broker.port, { protocolVersion: 5, clientId: 'mortal', clean: false, properties: authentication }),
    ).rejects.toThrow('refused')
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('without a delay is published at a takeover, although the session goes on', async () => {
    const { broker, reader } = await scene(5, session(100))
    const newer = await connectRaw(broker.port, { protocolVersion: 5, clientId: 'mortal', ...session(100) })
    expect(newer.connack.sessionPresent).toBe(true)
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('with a delay is published at once at a takeover with a clean start, which ends the session', async () => {
    const { broker, reader } = await scene(5, { ...session(100), will: delayed(1000) })
    await connectRaw(broker.port, { protocolVersion: 5, clientId: 'mortal', clean: true })
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('keeps its properties, user properties in order', async () => {
    const passedOn = {
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2, 3]),
      payloadFormatIndicator: true,
    }
    const properties = { ...passedOn, messageExpiryInterval: 100, userProperties: { b: ['2', '1'], a: '3' } }
    const { client, reader } = await scene(5, { will: will({ properties }) })
    client.socket.destroy()
    await reader.messages(1)
    const received = reader.packets[0]!.properties!
    expect(received).toMatchObject({ ...passedOn, messageExpiryInterval: 100 })
    expect(Object.entries(received.userProperties!)).toEqual([
      ['b', ['2', '1']],
      ['a', '3'],
    ])
  })

  it('waits for its delay', async () => {
    const { client, reader, said, events } = await scene(5, { ...session(100), will: delayed(1) })
    const before = Date.now()
    client.socket.destroy()
    await events.find('client.disconnected', { clientId: 'mortal' })
    expect(await said()).toEqual([])
    expect(await reader.messages(2)).toEqual(['end', 'gone'])
    expect(Date.now() - before).toBeGreaterThanOrEqual(990)
  })

  it('is cancelled when the client comes back to its session before the delay is over', async () => {
    const { broker, client, said, events } = await scene(5, { ...session(100), will: delayed(1) })
    client.socket.destroy()
    await events.find('client.disconnected', { clientId: 'mortal' })
    const again = await connectRaw(broker.port, { protocolVersion: 5, clientId: 'mortal', ...session(100) })
    expect(again.connack.sessionPresent).toBe(true)
    // A client that left at the same time as this one came back, with the same delay: its will tells that the time is up.
    const witness = await connectRaw(broker.port, {
      protocolVersion: 5,
      clientId: 'witness',
      ...session(100),
      will: delayed(1),
    })
    witness.socket.destroy()
    await events.find('message.will-published', { clientId: 'witness' })
    expect(events.of('message.will-published')).toHaveLength(1)
    expect(await said()).toEqual(['gone'])
  })

  it('is published at once when a new session takes the place of the old one', async () => {
    const { broker, client, reader, events } = await scene(5, { ...session(100), will: delayed(1000) })
    client.socket.destroy()
    await events.find('client.disconnected', { clientId: 'mortal' })
    await connectRaw(broker.port, { protocolVersion: 5, clientId: 'mortal', clean: true })
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('is published when the session ends, if that is before the delay is over', async () => {
    const { client, reader } = await scene(5, { ...session(1), will: delayed(1000) })
    client.socket.destroy()
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('is published at once when the session ends with the connection', async () => {
    const { client, reader } = await scene(5, { clean: true, will: delayed(1000) })
    client.socket.destroy()
    expect(await reader.messages(1)).toEqual(['gone'])
  })

  it('with its delay passed over to a takeover is not published when the session goes on', async () => {
    const { broker, said, events } = await scene(5, { ...session(100), will: delayed(1000) })
    await connectRaw(broker.port, { protocolVersion: 5, clientId: 'mortal', ...session(100) })
    await events.find('client.disconnected', { clientId: 'mortal', reason: 'takeover' })
    expect(await said()).toEqual([])
  })
})
