/** Order: the messages of one publisher on one topic arrive as they were sent, however they were sent. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { generate } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { describeWithMosquitto, sub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'

const VERSIONS = [
  { name: '3.1.1', words: ['-V', 'mqttv311'], version: 4 },
  { name: '5.0', words: ['-V', 'mqttv5'], version: 5 },
] as const

const LEVELS = [0, 1, 2] as const
const COUNT = 5_000
const numbers = Array.from({ length: COUNT }, (_, i) => String(i))

describe.each(VERSIONS)('5,000 messages pipelined on MQTT $name', ({ version }) => {
  it.each(LEVELS)('arrive in order at QoS %i', async (qos) => {
    const { port } = await startBroker()
    const reader = await connectClient(port, { protocolVersion: version })
    const second = await connectClient(port, { protocolVersion: version })
    await reader.mqtt.subscribeAsync('t', { qos })
    await second.mqtt.subscribeAsync('+', { qos: 0 })
    const writer = await connectClient(port, { protocolVersion: version })
    for (const payload of numbers) writer.mqtt.publish('t', payload, { qos })
    expect(await reader.messages(COUNT)).toEqual(numbers)
    expect(await second.messages(COUNT)).toEqual(numbers)
  })

  it('arrive in order at QoS 1 when every one of them is made safe on disk', async () => {
    const { port } = await startBroker({ store: { kind: 'level', path: await temporaryFolder() } })
    const reader = await connectClient(port, {
      protocolVersion: version,
      clientId: 'persistent',
      clean: false,
      properties: version === 5 ? { sessionExpiryInterval: 1000 } : {},
    })
    await reader.mqtt.subscribeAsync('t', { qos: 1 })
    const writer = await connectClient(port, { protocolVersion: version })
    await Promise.all(numbers.map((payload) => writer.mqtt.publishAsync('t', payload, { qos: 1 })))
    expect(await reader.messages(COUNT)).toEqual(numbers)
  })

  it('are acknowledged in the order in which they came', async () => {
    const { port } = await startBroker({ store: { kind: 'level', path: await temporaryFolder() } })
    const client = await connectRaw(port, { protocolVersion: version })
    const packets = numbers.map((payload, i) => {
      // Every third message is retained, so it has to be made safe; the others need not wait for a disk.
      const retain = i % 3 === 0
      return generate(
        { cmd: 'publish', topic: `t/${i % 10}`, payload, qos: 1, messageId: i + 1, dup: false, retain },
        { protocolVersion: version },
      )
    })
    client.sendBytes(Buffer.concat(packets))
    const order: number[] = []
    while (order.length < COUNT) order.push((await client.next('puback')).messageId!)
    expect(order).toEqual(numbers.map((_, i) => i + 1))
  })
})

describe.each(VERSIONS)('packets cut by TCP, on MQTT $name', ({ version }) => {
  const publish = (payload: string, messageId: number) =>
    generate(
      { cmd: 'publish', topic: 't', payload, qos: 1, messageId, dup: false, retain: false },
      { protocolVersion: version },
    )

  it('a packet is served whole when something was answered between its two halves', async () => {
    const { port } = await startBroker({ store: { kind: 'level', path: await temporaryFolder() } })
    const session = {
      protocolVersion: version,
      clientId: 'keeps',
      clean: false,
      properties: { sessionExpiryInterval: 9 },
    }
    const reader = await connectRaw(port, session)
    reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] })
    await reader.next('suback')
    const writer = await connectRaw(port, { protocolVersion: version })
    const second = publish('second', 2)
    writer.sendBytes(Buffer.concat([publish('first', 1), second.subarray(0, 4)]))
    // The first one waited for the disk; meanwhile half of the second one was there.
    expect(await writer.next('puback')).toMatchObject({ messageId: 1 })
    writer.sendBytes(second.subarray(4))
    expect(await writer.next('puback')).toMatchObject({ messageId: 2 })
    expect((await reader.next('publish')).payload.toString()).toBe('first')
    expect((await reader.next('publish')).payload.toString()).toBe('second')
  })

  it('[MQTT-4.2-1] [3.1.1: MQTT-7.1.1-1] packets that come byte by byte are served', async () => {
    const { port } = await startBroker()
    const client = await connectRaw(port, { protocolVersion: version })
    const subscribe = generate(
      { cmd: 'subscribe', messageId: 9, subscriptions: [{ topic: 't', qos: 0 }] },
      { protocolVersion: version },
    )
    for (const byte of Buffer.concat([subscribe, publish('dripping', 1)])) {
      client.sendBytes([byte])
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await client.next('publish')).payload.toString()).toBe('dripping')
  })
})

describeWithMosquitto('mosquitto_pub -l and mosquitto_sub', () => {
  describe.each(VERSIONS)('on MQTT $name', ({ words }) => {
    it.each(LEVELS)('lines arrive in order at QoS %i', async (qos) => {
      const { port } = await startBroker()
      const lines = numbers.slice(0, 1000)
      const reader = await sub(port, ...words, '-q', String(qos), '-t', 't', '-C', '1000', '-F', '%p')
      const options = ['-h', '127.0.0.1', '-p', String(port), ...words, '-q', String(qos), '-t', 't', '-l']
      const writer = spawn('mosquitto_pub', options)
      writer.stdin.end(`${lines.join('\n')}\n`)
      expect(await once(writer, 'exit')).toEqual([0, null])
      expect(await reader.messages(1000)).toEqual(lines)
    })
  })
})
