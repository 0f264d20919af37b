/** UNSUBSCRIBE and UNSUBACK: sections 3.10 and 3.11 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, properties, rawText } from '../helpers/packets.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import {
  expectRefused,
  fresh,
  lasting,
  nextMessage,
  noProperties,
  payloads,
  publish,
  subscribe,
  VERSIONS,
} from './support.ts'

const broker = sharedBroker()

async function unsubscribe(client: RawClient, ...unsubscriptions: string[]) {
  client.send({ cmd: 'unsubscribe', messageId: 77, unsubscriptions })
  return client.next('unsuback')
}

describe.each(VERSIONS)('UNSUBSCRIBE on MQTT $name', ({ version }) => {
  const none = noProperties(version)

  it.each([0xa0, 0xa1, 0xa3, 0xa4, 0xa6, 0xaa, 0xaf])(
    '[MQTT-3.10.1-1] [3.1.1: MQTT-3.10.1-1] with the first byte %i is malformed',
    async (first) => {
      await expectRefused(broker, version, packet(first, 0, 1, none, 'a'), 0x81)
    },
  )

  it('[MQTT-3.10.3-1] [3.1.1: MQTT-3.10.3-1] with a filter that is not UTF-8 is malformed', async () => {
    await expectRefused(broker, version, packet(0xa2, 0, 1, none, rawText(0xff)), 0x81)
    await expectRefused(broker, version, packet(0xa2, 0, 1, none, 'a', rawText(0x61, 0)), 0x81)
  })

  it.each([
    ['without a filter', packet(0xa2, 0, 1, none), 0x82],
    ['with a filter cut short', packet(0xa2, 0, 1, none, 'a', 0, 9, 0x61), 0x81],
    ['with surplus bytes', packet(0xa2, 0, 1, none, 'a', 0), 0x81],
    ['without an identifier', packet(0xa2), 0x81],
  ])('[MQTT-3.10.3-2] [3.1.1: MQTT-3.10.3-2] %s is refused', async (_, sent, code) => {
    await expectRefused(broker, version, sent, code)
  })

  it('[MQTT-3.10.4-1] [3.1.1: MQTT-3.10.4-1] ends the subscription on that very filter, and no other', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const prefix = fresh('t')
    const [plain, plus, hash] = [`${prefix}/a`, `${prefix}/+`, `${prefix}/#`]
    for (const filter of [plain, plus]) await subscribe(client, filter, { qos: 1 })
    await unsubscribe(client, hash, `${prefix}/A`, `${plain}/`, `/${plain}`, `${prefix}/b`)
    await publish(client, plain, 'both')
    expect(await payloads(client)).toEqual(['both'])
    await unsubscribe(client, plus)
    await publish(client, plain, 'by the other')
    await publish(client, `${prefix}/b`, 'by none')
    expect(await payloads(client)).toEqual(['by the other'])
    await unsubscribe(client, plain)
    await publish(client, plain, 'by none')
    expect(await payloads(client)).toEqual([])
  })

  it('[MQTT-3.10.4-2] [3.1.1: MQTT-3.10.4-2] brings no message any more that is published after it', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    await subscribe(client, topic)
    const before = packet(0x30, topic, none, 0x31)
    const after = packet(0x30, topic, none, 0x32)
    client.sendBytes(Buffer.concat([before, packet(0xa2, 0, 1, none, topic), after]))
    await client.next('unsuback')
    expect(await payloads(client)).toEqual(['1'])
  })

  it.each([1, 2] as const)(
    '[MQTT-3.10.4-3] [3.1.1: MQTT-3.10.4-3] lets what was begun at QoS %i be finished, also on another connection',
    async (qos) => {
      const options = lasting(version, fresh('session'))
      const client = await connectRaw(broker.port, options)
      const topic = fresh('t')
      await subscribe(client, topic)
      await publish(client, topic, 'begun', { qos })
      await client.next('publish')
      await unsubscribe(client, topic)
      client.socket.destroy()
      const back = await connectRaw(broker.port, options)
      const { messageId, payload, dup } = await back.next('publish')
      expect([payload.toString(), dup]).toEqual(['begun', true])
      if (qos === 1) back.send({ cmd: 'puback', messageId: messageId! })
      else {
        back.send({ cmd: 'pubrec', messageId: messageId! })
        expect(await back.next('pubrel')).toMatchObject({ messageId })
        back.send({ cmd: 'pubcomp', messageId: messageId! })
      }
      await back.settled()
      back.socket.destroy()
      expect(await payloads(await connectRaw(broker.port, options))).toEqual([])
    },
  )

  it('[MQTT-3.10.4-4, MQTT-3.10.4-5] [3.1.1: MQTT-3.10.4-4, MQTT-3.10.4-5] is answered with UNSUBACK under its identifier, also where there was nothing to end', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topic = fresh('t')
    await subscribe(client, topic)
    for (const [low, code] of [
      [1, 0],
      [2, 0x11],
    ] as const) {
      client.sendBytes(packet(0xa2, 0x12, low, none, topic))
      await client.next('unsuback')
      expect(client.frames.at(-1)).toEqual(packet(0xb0, 0x12, low, ...(version === 5 ? [0, code] : [])))
    }
  })

  it('[MQTT-3.10.4-6] [3.1.1: MQTT-3.10.4-6] with several filters is as good as several, with one UNSUBACK', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const prefix = fresh('t')
    for (const name of ['a', 'b', 'c']) await subscribe(client, `${prefix}/${name}`)
    await unsubscribe(client, `${prefix}/a`, `${prefix}/none`, `${prefix}/b`, `${prefix}/a`)
    expect(client.framesOf(11)).toHaveLength(1)
    for (const name of ['a', 'b', 'c']) await publish(client, `${prefix}/${name}`, name)
    expect(await payloads(client)).toEqual(['c'])
    await subscribe(client, `${prefix}/a`)
    await publish(client, `${prefix}/a`, 'again')
    expect(await nextMessage(client)).toBe('again at 0')
  })
})

describe('UNSUBSCRIBE on MQTT 5.0', () => {
  it('[MQTT-3.11.3-1, MQTT-3.11.3-2] UNSUBACK says of each filter, in order, what became of it', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const [one, two] = [fresh('t'), fresh('t')]
    await subscribe(client, one)
    await subscribe(client, two)
    client.sendBytes(packet(0xa2, 0, 5, 0, fresh('t'), one, 'a#', two, one, '#/a'))
    const granted = [0x11, 0x00, 0x8f, 0x00, 0x11, 0x8f]
    expect(await client.next('unsuback')).toMatchObject({ messageId: 5, granted })
  })

  it('[MQTT-3.11.2-1, MQTT-3.11.2-2] neither reason string nor user properties make UNSUBACK larger than the client takes', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: 5, properties: { maximumPacketSize: 30 } })
    client.sendBytes(packet(0xa2, 0, 1, 0, 'a#'))
    expect(await client.next('unsuback')).toMatchObject({ granted: [0x8f] })
    for (const { length } of client.frames) expect(length).toBeLessThanOrEqual(30)
  })

  it.each([
    ['an unknown property', properties(0x7e, 0)],
    ['a subscription identifier', properties(0x0b, 1)],
    ['a reason string', properties(0x1f, 'why')],
    ['a user property cut short', properties(0x26, 'a')],
    ['properties that run beyond the packet', Buffer.from([50, 0x26])],
  ])('[MQTT-4.13.1-1] with %s is malformed', async (_, all) => {
    await expectRefused(broker, 5, packet(0xa2, 0, 1, all, 'a'), 0x81)
  })
})
