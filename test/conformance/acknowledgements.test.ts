/** PUBACK, PUBREC, PUBREL and PUBCOMP: sections 3.4 to 3.7 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, properties } from '../helpers/packets.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import { expectRefused, fresh, nextMessage, noProperties, publish, subscribe, VERSIONS } from './support.ts'

const broker = sharedBroker()

const TYPES = [
  { name: 'PUBACK', first: 0x40 },
  { name: 'PUBREC', first: 0x50 },
  { name: 'PUBREL', first: 0x62 },
  { name: 'PUBCOMP', first: 0x70 },
] as const

/** Reason codes that a client may say, by packet. */
const RECEIVED = [0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
const RELEASED = [0x00, 0x92]

describe.each(VERSIONS)('acknowledgements on MQTT $name', ({ version }) => {
  const none = noProperties(version)

  it.each([0x60, 0x61, 0x63, 0x64, 0x66, 0x6a, 0x6f])(
    '[MQTT-3.6.1-1] [3.1.1: MQTT-3.6.1-1] PUBREL with the first byte %i is malformed',
    async (first) => {
      await expectRefused(broker, version, packet(first, 0, 1), 0x81)
    },
  )

  it('[MQTT-3.6.1-1] [3.1.1: MQTT-3.6.1-1] PUBREL of the broker has the flags 0010', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    await subscribe(client, topic)
    await publish(client, topic, 'x', { qos: 2 })
    const { messageId } = await client.next('publish')
    client.send({ cmd: 'pubrec', messageId: messageId! })
    await client.next('pubrel')
    expect(client.framesOf(6)).toEqual([packet(0x62, messageId! >> 8, messageId! & 0xff)])
  })

  it.each(TYPES)('$name without an identifier, or with half of one, is malformed', async ({ first }) => {
    await expectRefused(broker, version, packet(first), 0x81)
    await expectRefused(broker, version, packet(first, 1), 0x81)
  })

  it('PUBACK, PUBREC and PUBCOMP for what was never sent are passed over, and the connection goes on', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    client.sendBytes(Buffer.concat([packet(0x40, 0, 77), packet(0x70, 0, 78)]))
    client.sendBytes(packet(0x50, 0, 79))
    expect(await client.next('pubrel')).toMatchObject({ messageId: 79 })
    await client.settled()
  })

  it('[MQTT-3.5.2-1] [3.1.1: MQTT-3.3.4-1] a PUBLISH that is repeated is received again, with PUBREC', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    await subscribe(client, topic, { qos: 0 })
    for (const first of [0x34, 0x3c, 0x3c]) client.sendBytes(packet(first, topic, 0, 5, none, 1))
    for (let i = 0; i < 3; i++) await client.next('pubrec')
    expect(client.framesOf(5)).toEqual(Array.from({ length: 3 }, () => packet(0x50, 0, 5)))
  })

  it('[MQTT-3.7.2-1] PUBCOMP says whether there was something to release', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    client.sendBytes(packet(0x34, 'release', 0, 5, none, 1))
    await client.next('pubrec')
    for (let i = 0; i < 2; i++) {
      client.sendBytes(packet(0x62, 0, 5))
      await client.next('pubcomp')
    }
    const [first, second] = client.framesOf(7)
    expect(first).toEqual(packet(0x70, 0, 5))
    expect(second!.subarray(2, 5)).toEqual(Buffer.from(version === 5 ? [0, 5, 0x92] : [0, 5]))
  })

  it('[MQTT-3.7.2-1] PUBCOMP for what was released before the client came back to its session is no failure', async () => {
    const lasting = { protocolVersion: version, clientId: fresh('c'), clean: false }
    const options = version === 5 ? { ...lasting, properties: { sessionExpiryInterval: 60 } } : lasting
    const first = await connectRaw(broker.port, options)
    first.sendBytes(packet(0x34, 'release', 0, 5, none, 1))
    await first.next('pubrec')
    first.sendBytes(packet(0x62, 0, 5))
    await first.next('pubcomp')
    const second = await connectRaw(broker.port, options) // as if that PUBCOMP had been lost
    second.sendBytes(packet(0x62, 0, 5))
    await second.next('pubcomp')
    expect(second.framesOf(7)).toEqual([packet(0x70, 0, 5)])
  })
})

describe('acknowledgements on MQTT 3.1.1', () => {
  it.each(TYPES)('$name with more than an identifier is malformed', async ({ first }) => {
    await expectRefused(broker, 4, packet(first, 0, 1, 0), 0x81)
    await expectRefused(broker, 4, packet(first, 0, 1, 0, 0), 0x81)
  })
})

describe('acknowledgements on MQTT 5.0', () => {
  it('[MQTT-3.4.2-1, MQTT-3.5.2-1] a message that is not allowed is answered with 0x87', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    client.sendBytes(packet(0x32, '$SYS/forged', 0, 1, 0, 1))
    expect(await client.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x87 })
    client.sendBytes(packet(0x34, '$SYS/forged', 0, 2, 0, 1))
    expect(await client.next('pubrec')).toMatchObject({ messageId: 2, reasonCode: 0x87 })
    await client.settled()
  })

  it('[MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1] success goes without a reason code, or with 0x00', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const topic = fresh('t')
    await subscribe(client, topic)
    await publish(client, topic, 'x', { qos: 1, messageId: 1 })
    await publish(client, topic, 'x', { qos: 2, messageId: 2 })
    await client.next('publish')
    const { messageId } = await client.next('publish')
    client.send({ cmd: 'pubrec', messageId: messageId! })
    await client.next('pubrel')
    for (const type of [4, 5, 6, 7]) {
      expect(client.framesOf(type)).toHaveLength(1)
      expect(client.framesOf(type)[0]![4] ?? 0).toBe(0)
    }
  })

  it('[MQTT-3.6.2-1] PUBREC for an identifier that is not in use is answered by PUBREL 0x92', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    client.sendBytes(packet(0x50, 0x12, 0x34))
    expect(await client.next('pubrel')).toMatchObject({ messageId: 0x1234, reasonCode: 0x92 })
  })

  it('a PUBREC that says no is answered with nothing', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    client.sendBytes(packet(0x50, 0, 9, 0x80))
    await client.settled()
    expect(client.framesOf(6)).toEqual([])
  })

  it.each([
    ['PUBACK', 0x40, RECEIVED],
    ['PUBREC', 0x50, RECEIVED],
    ['PUBREL', 0x62, RELEASED],
    ['PUBCOMP', 0x70, RELEASED],
  ] as const)(
    '[MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1] %s has one of its reason codes, or is refused',
    async (_, first, codes) => {
      const client = await connectRaw(broker.port, { protocolVersion: 5 })
      for (const code of codes) {
        client.sendBytes(packet(first, 0, 9, code))
        client.sendBytes(packet(first, 0, 9, code, 0))
        client.sendBytes(packet(first, 0, 9, code, properties(0x1f, 'why', 0x26, 'a', '1', 0x26, 'a', '1')))
      }
      await client.settled()
      for (const code of [0x01, 0x10, 0x18, 0x7f, 0x81, 0x82, 0x92, 0x95, 0xff]) {
        if (codes.includes(code as never)) continue
        await expectRefused(broker, 5, packet(first, 0, 9, code), 0x82)
      }
    },
  )

  it.each(TYPES)(
    '[MQTT-4.13.1-1] $name with properties that are not its own, come twice or are cut short is refused',
    async ({ first }) => {
      const refused = (code: number, ...rest: Array<number | Buffer>) =>
        expectRefused(broker, 5, packet(first, 0, 9, 0, ...rest), code)
      await refused(0x81, properties(0x7e, 0))
      await refused(0x81, properties(0x01, 1))
      await refused(0x81, properties(0x23, 0, 1))
      await refused(0x81, properties(0x1f, 0, 9, 0x61))
      await refused(0x81, 9, 0x1f)
      await refused(0x81, 0, 0)
      await refused(0x82, properties(0x1f, 'a', 0x1f, 'a'))
    },
  )

  it('[MQTT-3.4.2-2, MQTT-3.4.2-3, MQTT-3.5.2-2, MQTT-3.5.2-3, MQTT-3.6.2-2, MQTT-3.6.2-3, MQTT-3.7.2-2, MQTT-3.7.2-3] no reason string and no user property makes them larger than the client takes', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5, properties: { maximumPacketSize: 30 } })
    client.sendBytes(packet(0x32, '$SYS/x', 0, 1, 0, 1))
    expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87 })
    client.sendBytes(packet(0x34, '$SYS/x', 0, 2, 0, 1))
    expect(await client.next('pubrec')).toMatchObject({ reasonCode: 0x87 })
    client.sendBytes(packet(0x50, 0, 3))
    expect(await client.next('pubrel')).toMatchObject({ reasonCode: 0x92 })
    client.sendBytes(packet(0x62, 0, 4))
    expect(await client.next('pubcomp')).toMatchObject({ reasonCode: 0x92 })
    for (const { length } of client.frames) expect(length).toBeLessThanOrEqual(30)
  })

  it('PUBACK for a message at QoS 2, PUBREC for one at QoS 1, and PUBCOMP before PUBREC are protocol errors', async () => {
    for (const [qos, wrong] of [
      [2, 0x40],
      [1, 0x50],
      [2, 0x70],
    ] as const) {
      const client = await connectRaw(broker.port, { protocolVersion: 5 })
      const topic = fresh('t')
      await subscribe(client, topic)
      await publish(client, topic, 'x', { qos })
      const { messageId } = await client.next('publish')
      client.sendBytes(packet(wrong, messageId! >> 8, messageId! & 0xff))
      expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
      await client.end()
    }
  })

  it('a message that its subscriber refuses makes room for the next', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5, properties: { receiveMaximum: 1 } })
    const topic = fresh('t')
    await subscribe(client, topic)
    await publish(client, topic, 'one', { qos: 1 })
    await publish(client, topic, 'two', { qos: 2 })
    await publish(client, topic, 'three', { qos: 1 })
    const one = await client.next('publish')
    client.send({ cmd: 'puback', messageId: one.messageId!, reasonCode: 0x83 })
    const two = await client.next('publish')
    client.send({ cmd: 'pubrec', messageId: two.messageId!, reasonCode: 0x97 })
    expect(await nextMessage(client)).toBe('three at 1')
    expect(client.framesOf(6)).toEqual([])
  })
})
