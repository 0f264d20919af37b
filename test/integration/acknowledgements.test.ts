/** What PUBACK and PUBREC say of a message that was taken. */

import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { describeWithMosquitto, pub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'

async function codes(client: RawClient, topic: string, retain = false): Promise<number[]> {
  const publish = { cmd: 'publish', topic, payload: 'x', dup: false, retain } as const
  client.send({ ...publish, qos: 1, messageId: 1 })
  const puback = await client.next('puback')
  client.send({ ...publish, qos: 2, messageId: 2 })
  const pubrec = await client.next('pubrec')
  client.send({ cmd: 'pubrel', messageId: 2 })
  const pubcomp = await client.next('pubcomp')
  return [puback, pubrec, pubcomp].map(({ reasonCode }) => reasonCode ?? 0)
}

describe('a message for nobody', () => {
  it('is acknowledged with 0x10, no matching subscribers, on MQTT 5.0; retained or not', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    expect(await codes(client, 'a/b')).toEqual([0x10, 0x10, 0])
    expect(await codes(client, 'a/b', true)).toEqual([0x10, 0x10, 0])
  })

  it('is acknowledged with 0 once somebody is subscribed, connected or not, and in a queue', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    const reader = await connectRaw(port, { clean: false, clientId: 'reader' })
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/+', qos: 1 }] })
    await reader.next('suback')
    expect(await codes(client, 'a/b')).toEqual([0, 0, 0])
    reader.send({ cmd: 'disconnect' })
    await reader.end()
    expect(await codes(client, 'a/b')).toEqual([0, 0, 0])
    expect(await codes(client, 'queue/a')).toEqual([0, 0, 0])
  })

  it('is acknowledged with 0 when a group shares the subscription', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: 5 })
    const reader = await connectRaw(port)
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/a/+', qos: 1 }] })
    await reader.next('suback')
    expect(await codes(client, 'a/b')).toEqual([0, 0, 0])
    reader.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['$share/g/a/+'] })
    await reader.next('unsuback')
    expect(await codes(client, 'a/b')).toEqual([0x10, 0x10, 0])
  })

  it('is no failure to the mqtt package', async () => {
    const { port } = await startBroker()
    const client = await connectClient(port, { protocolVersion: 5 })
    await client.mqtt.publishAsync('a', 'x', { qos: 1 })
    await client.mqtt.publishAsync('a', 'x', { qos: 2 })
  })
})

describeWithMosquitto('mosquitto_pub', () => {
  it('takes a message for nobody for published', async () => {
    const { port } = await startBroker()
    for (const qos of ['1', '2']) {
      expect(await pub(port, '-V', '5', '-t', 'a', '-m', 'x', '-q', qos)).toMatchObject({ code: 0, stderr: '' })
    }
  })
})
