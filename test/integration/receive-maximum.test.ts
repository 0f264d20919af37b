/** How many messages a client may have under way to the broker. */

import type { IPublishPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const publish = (messageId: number, qos: 1 | 2, fields: Partial<IPublishPacket> = {}): IPublishPacket => ({
  ...{ cmd: 'publish', topic: 't', payload: String(messageId), qos, messageId, dup: false, retain: false },
  ...fields,
})

const session = { clientId: 'writer', clean: false, properties: { sessionExpiryInterval: 100 } }

describe('Receive Maximum of the broker', () => {
  it('is told to MQTT 5.0 clients: 32,767, unless the operator says otherwise', async () => {
    const told = async (config: Parameters<typeof startBroker>[0]) =>
      (await connectRaw((await startBroker(config)).port, { protocolVersion: 5 })).connack.properties?.receiveMaximum
    expect(await told({})).toBe(32_767)
    expect(await told({ mqtt: { receiveMaximum: 7 } })).toBe(7)
  })

  it('may be used to the full at QoS 2: one more is 0x93 [MQTT-3.3.4-7], and is told by an event', async () => {
    const broker = await startBroker({ mqtt: { receiveMaximum: 3 } })
    const events = listenTo(broker, 'client.error', 'message.published')
    const client = await connectRaw(broker.port, { protocolVersion: 5, clientId: 'writer' })
    for (const id of [1, 2, 3]) client.send(publish(id, 2))
    for (const _ of [1, 2, 3]) await client.next('pubrec')
    client.send(publish(4, 2))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x93 })
    await client.end()
    expect(events.of('client.error')).toMatchObject([{ clientId: 'writer', reasonCode: 0x93 }])
    expect(events.of('message.published')).toHaveLength(3)
  })

  it('counts QoS 1 and 2 together, and QoS 0 not at all', async () => {
    const { port } = await startBroker({ mqtt: { receiveMaximum: 2 } })
    const client = await connectRaw(port, { protocolVersion: 5 })
    for (const id of [1, 2]) client.send(publish(id, 2))
    for (let i = 0; i < 10; i++) client.send({ ...publish(0, 1), qos: 0 })
    await client.settled()
    client.send(publish(3, 1))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x93 })
  })

  it('has room again after PUBCOMP, and after a PUBREC that says no', async () => {
    const { port } = await startBroker({
      mqtt: { receiveMaximum: 2 },
      access: { rules: [{ allow: ['publish'], topics: ['t'] }] },
    })
    const client = await connectRaw(port, { protocolVersion: 5 })
    for (let id = 1; id <= 20; id += 2) {
      client.send(publish(id, 2))
      client.send(publish(id + 1, 2, { topic: 'forbidden' }))
      await client.next('pubrec')
      expect(await client.next('pubrec')).toMatchObject({ messageId: id + 1, reasonCode: 0x87 })
      client.send({ cmd: 'pubrel', messageId: id })
      await client.next('pubcomp')
    }
  })

  it('does not count a message twice that is sent again', async () => {
    const { port } = await startBroker({ mqtt: { receiveMaximum: 2 } })
    const client = await connectRaw(port, { protocolVersion: 5 })
    client.send(publish(1, 2))
    for (let i = 0; i < 5; i++) client.send(publish(1, 2, { dup: true }))
    client.send(publish(2, 2))
    for (let i = 0; i < 7; i++) await client.next('pubrec')
    await client.settled()
  })

  it('begins anew with each connection (section 4.9), whatever a session had under way', async () => {
    const { port } = await startBroker({ mqtt: { receiveMaximum: 3 } })
    const first = await connectRaw(port, { protocolVersion: 5, ...session })
    for (const id of [1, 2, 3]) first.send(publish(id, 2))
    for (const _ of [1, 2, 3]) await first.next('pubrec')
    first.socket.destroy()
    const second = await connectRaw(port, { protocolVersion: 5, ...session })
    for (const id of [4, 5, 6]) second.send(publish(id, 2))
    for (const _ of [4, 5, 6]) await second.next('pubrec')
    for (const id of [1, 2, 3]) second.send({ cmd: 'pubrel', messageId: id })
    for (const id of [1, 2, 3]) expect(await second.next('pubcomp')).toMatchObject({ messageId: id })
    await second.settled()
  })

  it('does not hurt a client that sends too fast at QoS 1: it is read no further until the disk has caught up', async () => {
    const store = { kind: 'level', path: await temporaryFolder() } as const
    const broker = await startBroker({ store, mqtt: { receiveMaximum: 10 } })
    const client = await connectRaw(broker.port, { protocolVersion: 5 })
    const all = Array.from({ length: 500 }, (_, i) => publish(i + 1, 1, { topic: 'queue/q' }))
    client.sendTogether(...all)
    for (const { messageId } of all) expect(await client.next('puback')).toMatchObject({ messageId })
  })

  it('is no matter of MQTT 3.1.1 clients', async () => {
    const { port } = await startBroker({ mqtt: { receiveMaximum: 3 } })
    const client = await connectRaw(port)
    for (let id = 1; id <= 50; id++) client.send(publish(id, 2))
    for (let id = 1; id <= 50; id++) await client.next('pubrec')
    await client.settled()
  })

  it('is as wide as the mqtt package needs, which does not look at it', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port, { protocolVersion: 5 })
    const both = Array.from({ length: 6_000 }, (_, i) =>
      client.mqtt.publishAsync('t', 'x', { qos: i % 2 === 0 ? 1 : 2 }),
    )
    await Promise.all(both)
    expect(client.mqtt.connected).toBe(true)
  })
})
