/** SUBSCRIBE and SUBACK: sections 3.8 and 3.9 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, properties, rawText } from '../helpers/packets.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import {
  arrived,
  expectRefused,
  fresh,
  LEVELS,
  lasting,
  nextMessage,
  noProperties,
  payloads,
  publish,
  subscribe,
  VERSIONS,
} from './support.ts'

const broker = sharedBroker()

const INVALID = ['a#', 'a+', '+a', 'ab/+c', 'a/b+', 'a/#/b', '#/a', '#a', '##', '++', 'a/#b']

describe.each(VERSIONS)('SUBSCRIBE on MQTT $name', ({ version }) => {
  const none = noProperties(version)
  const failure = version === 5 ? 0x8f : 0x80

  it.each([0x80, 0x81, 0x83, 0x84, 0x86, 0x8a, 0x8f])(
    '[MQTT-3.8.1-1] [3.1.1: MQTT-3.8.1-1] with the first byte %i is malformed',
    async (first) => {
      await expectRefused(broker, version, packet(first, 0, 1, none, 'a', 0), 0x81)
    },
  )

  it.each([
    ['without a filter', packet(0x82, 0, 1, none), 0x82],
    ['without options', packet(0x82, 0, 1, none, 'a'), 0x81],
    ['without options of the second filter', packet(0x82, 0, 1, none, 'a', 0, 'b'), 0x81],
    ['with a filter cut short', packet(0x82, 0, 1, none, 'a', 0, 0, 9, 0x61), 0x81],
    ['with surplus bytes', packet(0x82, 0, 1, none, 'a', 0, 0), 0x81],
    ['without an identifier', packet(0x82), 0x81],
    ['with half an identifier', packet(0x82, 0), 0x81],
  ])('[MQTT-3.8.3-2] [3.1.1: MQTT-3.8.3-3] %s is refused', async (_, sent, code) => {
    await expectRefused(broker, version, sent, code)
  })

  it('[MQTT-3.8.3-1] [3.1.1: MQTT-3.8.3-1] with a filter that is not UTF-8 is malformed, whatever stands beside it', async () => {
    await expectRefused(broker, version, packet(0x82, 0, 1, none, rawText(0xff), 0), 0x81)
    await expectRefused(broker, version, packet(0x82, 0, 1, none, 'a', 0, rawText(0xc3, 0x28), 0), 0x81)
  })

  it.each([0x03, 0x40, 0x80, 0xc0, 0xff])(
    '[MQTT-3.8.3-5] [3.1.1: MQTT-3.8.3-4] with the options %i, of which some are reserved, is refused',
    async (options) => {
      const isQos3 = options === 3 && version === 5
      await expectRefused(broker, version, packet(0x82, 0, 1, none, 'a', options), isQos3 ? 0x82 : 0x81)
      await expectRefused(broker, version, packet(0x82, 0, 1, none, 'a', 0, 'b', options), isQos3 ? 0x82 : 0x81)
    },
  )

  it('[MQTT-3.8.4-1, MQTT-3.8.4-2] [3.1.1: MQTT-3.8.4-1, MQTT-3.8.4-2] is answered with SUBACK, under its identifier', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    client.sendBytes(packet(0x82, 0x12, 0x34, none, fresh('t'), 1))
    await client.next('suback')
    expect(client.frames.at(-1)).toEqual(packet(0x90, 0x12, 0x34, none, 1))
  })

  it('[MQTT-3.8.4-3] [3.1.1: MQTT-3.8.4-3] on a filter that there is replaces it: its QoS is the new one, and nothing comes twice', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    for (const qos of [2, 0, 1] as const) {
      expect(await subscribe(client, topic, { qos })).toBe(qos)
      await publish(client, topic, 'x', { qos: 2 })
      expect(await nextMessage(client)).toBe(`x at ${qos}`)
      expect(await payloads(client)).toEqual([])
    }
  })

  it('[MQTT-3.8.4-4] [3.1.1: MQTT-3.8.4-3] again and again loses no message that is published meanwhile', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const writer = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    await subscribe(client, topic, { qos: 1 })
    const sent = Array.from({ length: 100 }, (_, i) => String(i))
    for (const [i, payload] of sent.entries()) {
      writer.sendBytes(packet(0x30, topic, none, Buffer.from(payload)))
      client.sendBytes(packet(0x82, 1, i + 1, none, topic, i % 3))
    }
    await writer.settled()
    expect(await payloads(client)).toEqual(sent)
  })

  it('[MQTT-3.8.4-5, MQTT-3.8.4-6, MQTT-3.9.3-1] [3.1.1: MQTT-3.8.4-4, MQTT-3.8.4-5, MQTT-3.9.3-1] with several filters is as good as several: one SUBACK with a code for each, in order', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const prefix = fresh('t')
    const wanted = [`${prefix}/a`, 2, 'a#', 1, `${prefix}/b`, 0, '#/b', 2, `${prefix}/c`, 1, `${prefix}/a`, 1] as const
    client.sendBytes(packet(0x82, 0, 7, none, ...wanted))
    const granted = [2, failure, 0, failure, 1, 1]
    expect(await client.next('suback')).toMatchObject({ messageId: 7, granted })
    expect(client.framesOf(9)).toHaveLength(1)
    const writer = await connectRaw(broker.port)
    for (const name of ['a', 'b', 'c', 'd']) await publish(writer, `${prefix}/${name}`, name, { qos: 2 })
    const messages = (await arrived(client)).map(({ payload, qos }) => `${payload} at ${qos}`)
    expect(messages).toEqual(['a at 1', 'b at 0', 'c at 1'])
  })

  it.each(['a session that is kept', 'one that ends with its connection'])(
    '[MQTT-3.8.4-5] [3.1.1: MQTT-3.8.4-4] with one filter twice is as good as two, in %s: the second replaces the first',
    async (kind) => {
      const session =
        kind === 'a session that is kept' ? lasting(version, fresh('twice')) : { protocolVersion: version }
      const writer = await connectRaw(broker.port)
      const topic = fresh('t')
      await publish(writer, topic, 'kept', { qos: 2, retain: true })
      const client = await connectRaw(broker.port, session)
      client.sendBytes(packet(0x82, 0, 7, none, topic, 2, topic, 1))
      expect(await client.next('suback')).toMatchObject({ granted: [2, 1] })
      const kept = (await arrived(client)).map(({ payload, qos, retain }) => `${payload} at ${qos} ${retain}`)
      expect(kept.toSorted()).toEqual(['kept at 1 true', 'kept at 2 true'])
      await publish(writer, topic, 'live', { qos: 2 })
      expect(await nextMessage(client)).toBe('live at 1')
    },
  )

  it.each(LEVELS)(
    '[MQTT-3.8.4-7, MQTT-3.9.3-2] [3.1.1: MQTT-3.8.4-5, MQTT-3.9.3-2] SUBACK says what is granted: QoS %i',
    async (qos) => {
      const client = await connectRaw(broker.port, { protocolVersion: version })
      expect(await subscribe(client, fresh('t'), { qos })).toBe(qos)
    },
  )

  it.each(INVALID)(
    '[MQTT-3.8.4-7, MQTT-3.9.3-2, MQTT-4.7.1-1, MQTT-4.7.1-2] [3.1.1: MQTT-3.8.4-5, MQTT-3.9.3-2, MQTT-4.7.1-2, MQTT-4.7.1-3] SUBACK says that %j is no filter, and the connection goes on',
    async (filter) => {
      const client = await connectRaw(broker.port, { protocolVersion: version })
      const good = fresh('t')
      client.sendBytes(packet(0x82, 0, 7, none, filter, 1, good, 1))
      expect(await client.next('suback')).toMatchObject({ messageId: 7, granted: [failure, 1] })
      await publish(client, good, 'x')
      expect(await payloads(client)).toEqual(['x'])
    },
  )

  it('[MQTT-4.7.3-1] [3.1.1: MQTT-4.7.3-1] with an empty filter is malformed: none of it is granted', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    client.sendBytes(packet(0x82, 0, 7, none, fresh('t'), 1, '', 1))
    if (version === 5) expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x81 })
    await client.end()
    expect(client.framesOf(9)).toEqual([])
  })

  it.each(LEVELS)(
    '[MQTT-3.8.4-8] [3.1.1: MQTT-3.8.4-6] granted QoS %i brings messages at the lower of both QoS',
    async (granted) => {
      const client = await connectRaw(broker.port, { protocolVersion: version })
      const topic = fresh('t')
      await subscribe(client, topic, { qos: granted })
      for (const qos of LEVELS) {
        await publish(client, topic, 'x', { qos })
        expect(await nextMessage(client)).toBe(`x at ${Math.min(qos, granted)}`)
      }
    },
  )

  it('[3.1.1: MQTT-3.8.3-2] may have wildcards', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const prefix = fresh('t')
    for (const filter of [`${prefix}/+`, `${prefix}/#`, '+/+/+', '#', '+', '/', '+/', '/+', '/#', '+/#']) {
      expect(await subscribe(client, filter, { qos: 1 })).toBe(1)
    }
  })
})

describe('SUBSCRIBE on MQTT 3.1.1', () => {
  it.each([0x04, 0x08, 0x10, 0x20, 0x3c])(
    '[3.1.1: MQTT-3.8.3-4] with the options %i of MQTT 5.0 is malformed',
    async (options) => {
      await expectRefused(broker, 4, packet(0x82, 0, 1, 'a', options), 0x81)
    },
  )
})

describe('SUBSCRIBE on MQTT 5.0', () => {
  it('[MQTT-3.8.3-3] with no local is not sent what its own client publishes', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const other = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    await subscribe(client, topic, { qos: 1, nl: true })
    await publish(client, topic, 'own', { qos: 1 })
    await publish(other, topic, 'of another', { qos: 1 })
    expect(await payloads(client)).toEqual(['of another'])
  })

  it('[MQTT-3.8.3-3] with no local is not sent what its own client has retained', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const other = await connectRaw(broker.port, { protocolVersion: 5 })
    const prefix = fresh('t')
    await publish(client, `${prefix}/own`, 'own', { qos: 1, retain: true })
    await publish(other, `${prefix}/other`, 'of another', { qos: 1, retain: true })
    await subscribe(client, `${prefix}/+`, { qos: 1, nl: true })
    expect(await payloads(client)).toEqual(['of another'])
    await subscribe(client, `${prefix}/+`, { qos: 1, nl: false })
    expect((await payloads(client)).toSorted()).toEqual(['of another', 'own'])
  })

  it('[MQTT-3.8.3-3] without no local as well, in an overlapping subscription, is sent its own by that one', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const prefix = fresh('t')
    await subscribe(client, `${prefix}/+`, { qos: 2, nl: true }, 1)
    await subscribe(client, `${prefix}/a`, { qos: 1 }, 2)
    await publish(client, `${prefix}/a`, 'own', { qos: 2 })
    const { qos, properties: received } = await client.next('publish')
    expect([qos, received?.subscriptionIdentifier]).toEqual([1, 2])
    expect(await payloads(client)).toEqual([])
  })

  it('[MQTT-3.8.3-4] with no local on a shared subscription is a protocol error', async () => {
    await expectRefused(broker, 5, packet(0x82, 0, 1, 0, '$share/group/a', 0x05), 0x82)
    await expectRefused(broker, 5, packet(0x82, 0, 1, 0, 'a', 0, '$share/group/a', 0x04), 0x82)
  })

  it.each([0x30, 0x31, 0x3a])('with the retain handling 3, as in %i, is a protocol error', async (options) => {
    await expectRefused(broker, 5, packet(0x82, 0, 1, 0, 'a', options), 0x82)
  })

  it.each([
    ['an unknown property', 0x81, properties(0x7e, 0)],
    ['a property of PUBLISH', 0x81, properties(0x02, 0, 0, 0, 1)],
    ['a reason string', 0x81, properties(0x1f, 'why')],
    ['a user property cut short', 0x81, properties(0x26, 'a', 0, 9)],
    ['a subscription identifier cut short', 0x81, properties(0x0b)],
    ['a subscription identifier that does not end', 0x81, properties(0x0b, 0x80)],
    ['properties that run beyond the packet', 0x81, Buffer.from([50, 0x0b, 1])],
    ['the subscription identifier 0', 0x82, properties(0x0b, 0)],
    ['the subscription identifier twice', 0x82, properties(0x0b, 1, 0x0b, 2)],
  ])('[MQTT-4.13.1-1] with %s is refused', async (_, code, all) => {
    await expectRefused(broker, 5, packet(0x82, 0, 1, all, 'a', 0), code)
  })

  it('may have user properties, the same one twice', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    client.sendBytes(packet(0x82, 0, 1, properties(0x26, 'a', '1', 0x26, 'a', '1', 0x0b, 5), fresh('t'), 0))
    expect(await client.next('suback')).toMatchObject({ granted: [0] })
  })

  it('[MQTT-3.9.2-1, MQTT-3.9.2-2] neither reason string nor user properties make SUBACK larger than the client takes', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5, properties: { maximumPacketSize: 30 } })
    client.sendBytes(packet(0x82, 0, 1, 0, 'a#', 0))
    expect(await client.next('suback')).toMatchObject({ granted: [0x8f] })
    for (const { length } of client.frames) expect(length).toBeLessThanOrEqual(30)
  })
})
