/** The `mqtt` package as a program uses it: connected, never reconnecting by itself, its messages kept in order. */

import mqtt, { type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { until } from './until.ts'

export interface TestClient {
  readonly mqtt: MqttClient
  readonly connack: IConnackPacket
  /** Every PUBLISH, as it came. */
  readonly packets: IPublishPacket[]
  readonly payloads: string[]
  /** Wait for so many messages; returns the payloads of all there are. */
  messages(count: number): Promise<string[]>
}

/** A client of the `mqtt` package that has its CONNACK; closed when the test ends. */
export async function connectClient(port: number, options: IClientOptions = {}): Promise<TestClient> {
  const client = mqtt.connect({
    host: '127.0.0.1',
    port,
    reconnectPeriod: 0,
    resubscribe: false,
    protocolVersion: 4,
    ...options,
  })
  onTestFinished(() => void client.end(true))
  const packets: IPublishPacket[] = []
  const payloads: string[] = []
  client.on('message', (_topic, payload, packet) => {
    packets.push(packet)
    payloads.push(payload.toString())
  })
  const connack = await new Promise<IConnackPacket>((resolve, reject) => {
    client.once('connect', resolve)
    client.once('error', reject)
    client.once('close', () => reject(new Error('closed before CONNACK')))
  })
  client.on('error', () => {})
  const messages = async (count: number): Promise<string[]> => {
    await until(`${count} messages are there, not ${payloads.length}`, () => payloads.length >= count)
    return payloads
  }
  return { mqtt: client, connack, packets, payloads, messages }
}
