/** A scene of the catalogue: what is done with a real broker, and the events that are to be seen of it. */

import type { EventMap, EventType } from '../../../src/core/events.ts'
import type { Eventflow } from '../../../src/eventflow.ts'
import type { CloudEvent } from '../../../src/kernel/event-record.ts'
import { startBroker } from '../../helpers/broker.ts'
import { connectClient, type TestClient } from '../../helpers/mqtt-client.ts'
import { connectRaw, type RawClient } from '../../helpers/raw-client.ts'
import { until } from '../../helpers/until.ts'

/** Data that one event of the type has, at least. */
export type Expected = { [T in EventType]?: { readonly [K in keyof EventMap[T]]?: unknown } }

export interface Scene {
  readonly name: string
  /** Does what is to be told of. Resolves with what has been told so far, whenever it is asked. */
  readonly play: () => Promise<() => readonly CloudEvent[]>
  readonly sees: Expected
}

export interface Stage {
  readonly broker: Eventflow
  readonly port: number
  /** Clients on MQTT 5.0. */
  client(clientId: string, options?: Parameters<typeof connectClient>[1]): Promise<TestClient>
  raw(clientId: string, options?: Parameters<typeof connectRaw>[1]): Promise<RawClient>
  /** Resolves when an event of this type has been told. */
  told(type: EventType): Promise<void>
}

type Config = Parameters<typeof startBroker>[0]
type Options = Parameters<typeof startBroker>[1]

/** On a broker with a reader of `$eventflow/status`, a client of the mqtt package: what it was sent is what was told. */
export function onMqtt(
  act: (stage: Stage) => Promise<void>,
  config: Config = {},
  options: Options = {},
): Scene['play'] {
  return async () => {
    const broker = await startBroker(config, options)
    const { port } = broker
    const reader = await connectClient(port, { clientId: 'reader', protocolVersion: 5 })
    await reader.mqtt.subscribeAsync('$eventflow/status')
    const told = (): CloudEvent[] => reader.payloads.map((payload) => JSON.parse(payload) as CloudEvent)
    await act({
      broker,
      port,
      client: (clientId, more = {}) => connectClient(port, { clientId, protocolVersion: 5, ...more }),
      raw: (clientId, more = {}) => connectRaw(port, { clientId, protocolVersion: 5, ...more }),
      told: (type) => until(`${type} is told`, () => reader.payloads.some((text) => text.includes(`"${type}"`))),
    })
    return told
  }
}

export function publishPacket(topic: string, fields: { qos?: 0 | 1 | 2; payload?: string } = {}) {
  const { qos = 1, payload = 'x' } = fields
  return { cmd: 'publish', topic, payload, qos, messageId: 1, dup: false, retain: false } as const
}
