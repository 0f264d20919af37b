/** The Payload Format Indicator: passed on as it came, and checked where the operator wants it. */

import type { Packet } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'

const ILL_FORMED = Buffer.from([0xff, 0xfe])
const TEXT = { payloadFormatIndicator: true }

const publish = (qos: 0 | 1 | 2, payload: Buffer, messageId: number, properties = TEXT): Packet => ({
  ...{ cmd: 'publish', topic: 't', payload, qos, dup: false, retain: false, properties },
  ...(qos > 0 ? { messageId } : {}),
})

async function make(checkPayloadFormat: boolean) {
  const broker = await startBroker({ mqtt: { checkPayloadFormat } })
  const reader = await connectRaw(broker.port, { protocolVersion: 5 })
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 2 }] })
  await reader.next('suback')
  const writer = await connectRaw(broker.port, { protocolVersion: 5 })
  return { broker, port: broker.port, reader, writer }
}

describe('a payload that is declared as UTF-8 and is not', () => {
  it('is passed on as it came, with what was declared, unless the operator wants it checked', async () => {
    const { reader, writer } = await make(false)
    writer.send(publish(1, ILL_FORMED, 1))
    expect((await writer.next('puback')).reasonCode ?? 0).toBe(0)
    expect(await reader.next('publish')).toMatchObject({ payload: ILL_FORMED, properties: TEXT })
  })

  it('is refused with 0x99 at QoS 1 and 2 when it is checked, and the connection goes on', async () => {
    const { broker, reader, writer } = await make(true)
    const events = listenTo(broker, 'message.refused')
    writer.send(publish(1, ILL_FORMED, 1))
    expect(await writer.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x99 })
    writer.send(publish(2, ILL_FORMED, 2))
    expect(await writer.next('pubrec')).toMatchObject({ messageId: 2, reasonCode: 0x99 })
    writer.send(publish(2, Buffer.from('grün'), 2))
    expect((await writer.next('pubrec')).reasonCode ?? 0).toBe(0)
    writer.send(publish(1, ILL_FORMED, 3, { payloadFormatIndicator: false }))
    expect((await writer.next('puback')).reasonCode ?? 0).toBe(0)
    expect((await reader.next('publish')).payload.toString()).toBe('grün')
    expect((await reader.next('publish')).payload).toEqual(ILL_FORMED)
    expect(events.of('message.refused')).toMatchObject([
      { topic: 't', reasonCode: 0x99 },
      { topic: 't', reasonCode: 0x99 },
    ])
  })

  it('ends the connection with 0x99 at QoS 0 when it is checked', async () => {
    const { writer } = await make(true)
    writer.send(publish(0, ILL_FORMED, 0))
    expect(await writer.next('disconnect')).toMatchObject({ reasonCode: 0x99 })
    await writer.end()
  })

  it('is no will when it is checked: CONNACK 0x99', async () => {
    const { port } = await make(true)
    const client = await openRaw(port, 5)
    client.send({
      ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'c', clean: true, keepalive: 0 },
      will: { topic: 'w', payload: ILL_FORMED, qos: 0, retain: false, properties: TEXT },
    })
    expect(await client.next('connack')).toMatchObject({ reasonCode: 0x99 })
    await client.end()
  })
})
