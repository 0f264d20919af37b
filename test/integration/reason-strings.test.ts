/** Answers that say why: reason strings of MQTT 5.0, and that they respect what the client takes. */

import type { IConnectPacket, Packet } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { definePlugin, ReasonCode, Refusal } from '../../src/plugin.ts'
import { startBroker } from '../helpers/broker.ts'
import { describeWithMosquitto, pub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'

/** Nobody comes in as 'banned'; nothing is taken on odd/…: the message says why, with a code that no answer has. */
const strict = definePlugin<never>({
  name: 'strict',
  setup(context) {
    context.authenticator({
      name: 'strict',
      authenticate({ clientId }) {
        if (clientId === 'banned') throw new Refusal(ReasonCode.NotAuthorized, 'you were banned on Monday')
        return null
      },
    })
    context.namespace('odd/', {
      accept(message) {
        const refusal = new Refusal(ReasonCode.ServerBusy, 'nothing odd today')
        if (message.topic === 'odd/later') return Promise.reject(refusal)
        throw refusal
      },
      subscribe() {
        throw new Refusal(ReasonCode.ServerBusy, 'not before noon')
      },
      unsubscribe() {},
    })
    return undefined
  },
})

const start = () =>
  startBroker(
    { access: { rules: [{ allow: ['publish', 'subscribe'], topics: ['open/#', 'odd/#'] }] } },
    { plugins: [strict] },
  )

async function connect5(properties: IConnectPacket['properties'] = {}) {
  const { port } = await start()
  return connectRaw(port, { protocolVersion: 5, properties })
}

const publish = (topic: string, qos: 0 | 1 | 2 = 1): Packet => ({
  ...{ cmd: 'publish', topic, payload: 'x', qos, dup: false, retain: false },
  ...(qos > 0 ? { messageId: 1 } : {}),
})

const subscribe = (...topics: string[]): Packet => ({
  cmd: 'subscribe',
  messageId: 1,
  subscriptions: topics.map((topic) => ({ topic, qos: 0 as const })),
})

const DENIED = 'not allowed to publish on this topic'

/** CONNECT of MQTT 5.0 with these properties, as bytes. */
function connectPacket(clientId: string, properties: IConnectPacket['properties'] = {}): Packet {
  const rest = { protocolId: 'MQTT', protocolVersion: 5, clean: true, keepalive: 0 } as const
  return { cmd: 'connect', clientId, properties, ...rest }
}

describe('an MQTT 5.0 client is told why', () => {
  it('its CONNECT is refused', async () => {
    const { port } = await start()
    const client = await openRaw(port, 5)
    client.send(connectPacket('banned'))
    const properties = { reasonString: 'you were banned on Monday' }
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x87, properties })
    await client.end()
  })

  it('its CONNECT is no CONNECT', async () => {
    const { port } = await start()
    const client = await openRaw(port, 5)
    client.sendBytes([0x10, 14, 0, 4, 77, 81, 84, 84, 5, 2, 0, 0, 0, 0, 9, 99])
    const properties = { reasonString: 'the packet is cut short' }
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x81, properties })
  })

  it('its message is refused, by access or by a plugin, at once or later', async () => {
    const client = await connect5()
    client.send(publish('closed', 1))
    expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87, properties: { reasonString: DENIED } })
    client.send(publish('closed', 2))
    expect(await client.next('pubrec')).toMatchObject({ reasonCode: 0x87, properties: { reasonString: DENIED } })
    const odd = { reasonCode: 0x83, properties: { reasonString: 'nothing odd today' } }
    client.send(publish('odd/now'))
    expect(await client.next('puback')).toMatchObject(odd)
    client.send(publish('odd/later'))
    expect(await client.next('puback')).toMatchObject(odd)
  })

  it('its message is refused behind others that wait for the disk', async () => {
    const client = await connect5()
    client.sendTogether(publish('odd/later', 1), { ...publish('closed', 1), messageId: 2 } as Packet)
    expect(await client.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x83 })
    const properties = { reasonString: DENIED }
    expect(await client.next('puback')).toMatchObject({ messageId: 2, reasonCode: 0x87, properties })
  })

  it('its subscriptions are refused: each reason once', async () => {
    const client = await connect5()
    client.send(subscribe('open/a', 'closed/a', 'closed/b', 'odd/a'))
    expect(await client.next('suback')).toMatchObject({
      granted: [0, 0x87, 0x87, 0x83],
      properties: { reasonString: 'not allowed to subscribe to this filter; not before noon' },
    })
    client.send(subscribe('open/b'))
    expect(await client.next('suback')).not.toHaveProperty('properties.reasonString')
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['open/a', 'a/#/b', 'never'] })
    const unsuback = await client.next('unsuback')
    expect(unsuback).toMatchObject({ granted: [0, 0x8f, 0x11] })
    expect(unsuback.properties?.reasonString).toMatch(/#/)
  })

  it('its connection ends', async () => {
    const client = await connect5()
    client.send(publish('closed', 0))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x87, properties: { reasonString: DENIED } })
    await client.end()
  })

  it('its connection ends for another', async () => {
    const { port } = await start()
    const first = await connectRaw(port, { protocolVersion: 5, clientId: 'same' })
    await connectRaw(port, { protocolVersion: 5, clientId: 'same' })
    const properties = { reasonString: 'another connection with this client identifier' }
    expect(await first.next('disconnect')).toMatchObject({ reasonCode: 0x8e, properties })
  })

  it('in an error of the mqtt package', async () => {
    const { port } = await start()
    const client = await connectClient(port, { protocolVersion: 5 })
    const refused = client.mqtt.publishAsync('closed', 'x', { qos: 1 })
    await expect(refused).rejects.toMatchObject({ code: 0x87 })
  })
})

describe('an MQTT 5.0 client that wants no problem information [MQTT-3.1.2-29]', () => {
  it('gets codes without words, but for CONNACK and DISCONNECT', async () => {
    const client = await connect5({ requestProblemInformation: false })
    client.send(publish('closed', 1))
    const puback = await client.next('puback')
    client.send(publish('closed', 2))
    const pubrec = await client.next('pubrec')
    client.send(subscribe('closed/a'))
    const suback = await client.next('suback')
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a/#/b'] })
    const unsuback = await client.next('unsuback')
    expect([puback.reasonCode, pubrec.reasonCode, suback.granted, unsuback.granted]).toEqual([
      0x87,
      0x87,
      [0x87],
      [0x8f],
    ])
    for (const { properties } of [puback, pubrec, suback, unsuback]) expect(properties?.reasonString).toBeUndefined()
    client.send(publish('closed', 0))
    expect(await client.next('disconnect')).toMatchObject({ properties: { reasonString: DENIED } })
  })
})

describe('an MQTT 5.0 client that takes small packets only [MQTT-3.1.2-24]', () => {
  it('gets no reason that would make a packet too large', async () => {
    const client = await connect5({ maximumPacketSize: 40 })
    client.send(publish('closed', 1))
    const puback = await client.next('puback')
    client.send(subscribe('closed/a'))
    const suback = await client.next('suback')
    client.send(publish('closed', 0))
    const disconnect = await client.next('disconnect')
    expect([puback.reasonCode, suback.granted, disconnect.reasonCode]).toEqual([0x87, [0x87], 0x87])
    for (const { properties } of [puback, suback, disconnect]) expect(properties?.reasonString).toBeUndefined()
  })

  it('is refused without words, or without an answer, when its CONNACK is too large for it', async () => {
    const { port } = await start()
    const answer = async (maximumPacketSize: number) => {
      const client = await openRaw(port, 5)
      client.send(connectPacket('small', { maximumPacketSize }))
      await client.end()
      return client.received
    }
    expect(await answer(15)).toMatchObject([{ cmd: 'connack', reasonCode: 0x95 }])
    expect(await answer(4)).toEqual([])
  })

  it('is refused without words also when CONNECT is malformed behind its properties', async () => {
    const { port } = await start()
    const client = await openRaw(port, 5)
    client.sendBytes([0x10, 19, 0, 4, 77, 81, 84, 84, 5, 2, 0, 0, 5, 0x27, 0, 0, 0, 10, 0, 9, 99])
    const connack = await client.next('connack')
    expect(connack.reasonCode).toBe(0x81)
    expect(connack.properties?.reasonString).toBeUndefined()
  })

  it('is told 0x95 when the answer to its SUBSCRIBE is too large for it', async () => {
    const client = await connect5({ maximumPacketSize: 40 })
    client.send(subscribe(...Array.from({ length: 40 }, (_, i) => `open/${i}`)))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x95 })
    await client.end()
  })
})

describe('an MQTT 3.1.1 client', () => {
  it('gets codes as it knows them', async () => {
    const { port } = await start()
    const client = await connectRaw(port)
    client.send(subscribe('closed/a', 'odd/a'))
    expect((await client.next('suback')).granted).toEqual([0x80, 0x80])
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a/#/b'] })
    await client.next('unsuback')
    const banned = await openRaw(port)
    banned.send({ ...connectPacket('banned'), protocolVersion: 4, properties: undefined } as never)
    expect(await banned.next('connack')).toMatchObject({ returnCode: 5 })
  })
})

describeWithMosquitto('mosquitto_pub', () => {
  it('shows that it was refused', async () => {
    const { port } = await start()
    const { stderr } = await pub(port, '-V', '5', '-t', 'closed', '-m', 'x', '-q', '1')
    expect(stderr).toMatch(/Not authorized/)
  })
})
