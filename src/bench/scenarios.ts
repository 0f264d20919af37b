/** The named kinds of work. Each is a row of the table in docs/benchmarks.md, with the shape that the row has always had. */

import type { BenchQoS, MqttVersion } from './load/packets.ts'

/**
 * How it is measured. `throughput`: a window of messages under way, as fast as they come through. `steady`: at a fixed
 * rate, latency counted from when each was due. `backlog`: stored first, then consumed. `idle`: connections that do nothing.
 */
export type Method = 'throughput' | 'steady' | 'backlog' | 'idle'

/** Which figure the row is about: the table that it stands in. */
export type Subject = 'rate' | 'latency' | 'memory'

/**
 * Who gets a message. `pair`: the subscriber with the publisher's number. `fan-in`: the one subscriber. `fan-out`: all.
 * `queue`: one of the consumers of one queue.
 */
export type Route = 'pair' | 'fan-in' | 'fan-out' | 'queue'

export interface Scenario {
  readonly name: string
  /** What the table calls it. */
  readonly work: string
  readonly method: Method
  readonly subject: Subject
  readonly route: Route
  readonly publishers: number
  readonly subscribers: number
  readonly qos: BenchQoS
  readonly payloadBytes: number
  /** Messages of each publisher that may be under way. */
  readonly window: number
  readonly version: MqttVersion
  readonly userProperties?: ReadonlyArray<readonly [string, string]>
  /** Each subscriber has one filter for each of its share of `subscriptions`; elsewhere it has one. */
  readonly manyFilters?: boolean
  /** The scenario that this one is to be compared with; it is run as well. */
  readonly against?: string
}

const USUAL = {
  method: 'throughput',
  subject: 'rate',
  route: 'pair',
  publishers: 10,
  subscribers: 10,
  qos: 0,
  payloadBytes: 64,
  window: 100,
  version: 4,
} as const

const FAN_OUT = { route: 'fan-out', publishers: 1, subscribers: 100, window: 50 } as const
const QUEUE = { route: 'queue', publishers: 4, subscribers: 4, window: 250 } as const
const USER_PROPERTIES = [
  ['source', 'bench'],
  ['kind', 'measurement'],
] as const

/** By name, in the order in which they are run: idle connections first, while the broker's memory is still untouched. */
export const SCENARIOS: ReadonlyMap<string, Scenario> = new Map(
  [
    scenario('idle', 'an idle connection', { method: 'idle', subject: 'memory', publishers: 0 }),
    scenario('pair-qos0', 'pair 10 to 10, QoS 0', {}),
    scenario('pair-qos1', 'pair 10 to 10, QoS 1', { qos: 1 }),
    scenario('pair-qos2', 'pair 10 to 10, QoS 2', { qos: 2 }),
    scenario('fan-in', 'fan-in 50 to 1, QoS 0', { route: 'fan-in', publishers: 50, subscribers: 1, window: 20 }),
    scenario('fan-out-qos0', 'fan-out 1 to 100, QoS 0', FAN_OUT),
    scenario('fan-out-qos1', 'fan-out 1 to 100, QoS 1', { ...FAN_OUT, qos: 1 }),
    scenario('pair-1k', 'pair 10 to 10, QoS 0, 1 KiB', { payloadBytes: 1_024 }),
    scenario('pair-v5', 'pair 10 to 10, QoS 1, MQTT 5, two user properties', {
      qos: 1,
      version: 5,
      userProperties: USER_PROPERTIES,
    }),
    scenario('wildcards-one', 'one wildcard subscription and one topic a client', {}),
    scenario('wildcards', 'many wildcard subscriptions and topics', { manyFilters: true, against: 'wildcards-one' }),
    scenario('latency', 'one hop, QoS 1, at a fixed rate', {
      method: 'steady',
      subject: 'latency',
      publishers: 1,
      subscribers: 1,
      qos: 1,
    }),
    scenario('queue-qos1', 'queue 4 to 4, QoS 1', { ...QUEUE, qos: 1 }),
    scenario('queue-qos2', 'queue 4 to 4, QoS 2', { ...QUEUE, qos: 2 }),
    scenario('queue-latency', 'queue 1 to 1, QoS 1, one message at a time', {
      ...QUEUE,
      subject: 'latency',
      publishers: 1,
      subscribers: 1,
      qos: 1,
      window: 1,
    }),
    scenario('backlog', 'queue 4 to 4, QoS 1, a backlog drained', {
      ...QUEUE,
      method: 'backlog',
      qos: 1,
      against: 'queue-qos1',
    }),
  ].map((scenario) => [scenario.name, scenario]),
)

function scenario(name: string, work: string, own: Partial<Scenario>): Scenario {
  return { ...USUAL, ...own, name, work }
}
