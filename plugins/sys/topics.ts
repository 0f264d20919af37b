/** Every topic below `$SYS/`, in order, with what stands on it. docs/sys.md is held to this table by a test. */

import type { Counters, Gauges, QueueCounters } from '../../src/plugin.ts'
import { FLOWS, type LoadAverages, PERIODS } from './load-averages.ts'

export const PREFIX = '$SYS/'

/** The broker at one moment. */
export interface Reading {
  version: string
  uptimeMs: number
  counters: Readonly<Counters>
  gauges: Gauges
  load: LoadAverages
  /** Bytes in use, and the most that were seen in use. */
  heap: { current: number; maximum: number }
}

type Value = (reading: Reading) => string | number

const disconnected: Value = ({ gauges, counters }) => gauges.sessions - counters.clientsConnected
const stored: Value = ({ counters }) => counters.retainedMessages + counters.queuedMessages

const QUEUE_COUNTERS: ReadonlyArray<[name: string, counter: keyof QueueCounters]> = [
  ['enqueued', 'enqueued'],
  ['delayed', 'delayed'],
  ['delivered', 'delivered'],
  ['acknowledged', 'acknowledged'],
  ['redelivered', 'redelivered'],
  ['dead-lettered', 'deadLettered'],
  ['expired', 'expired'],
  ['dropped', 'dropped'],
  ['purged', 'purged'],
  ['redriven', 'redriven'],
  ['refused', 'refused'],
]

const VALUES: ReadonlyArray<[name: string, value: Value]> = [
  ['version', ({ version }) => `eventflow version ${version}`],
  ['uptime', ({ uptimeMs }) => `${Math.max(0, Math.floor(uptimeMs / 1000))} seconds`],
  ['clients/total', ({ gauges }) => gauges.sessions],
  ['clients/connected', ({ counters }) => counters.clientsConnected],
  ['clients/disconnected', disconnected],
  ['clients/maximum', ({ counters }) => counters.clientsMaximum],
  ['clients/expired', ({ counters }) => counters.sessionsExpired],
  ['clients/active', ({ counters }) => counters.clientsConnected],
  ['clients/inactive', disconnected],
  ['bytes/received', ({ counters }) => counters.bytesReceived],
  ['bytes/sent', ({ counters }) => counters.bytesSent],
  ['messages/received', ({ counters }) => counters.packetsReceived],
  ['messages/sent', ({ counters }) => counters.packetsSent],
  ['messages/inflight', ({ gauges }) => gauges.inflight],
  ['messages/stored', stored],
  ['publish/messages/received', ({ counters }) => counters.publishReceived],
  ['publish/messages/sent', ({ counters }) => counters.publishSent],
  ['publish/messages/dropped', ({ counters }) => counters.publishDropped],
  ['publish/bytes/received', ({ counters }) => counters.publishBytesReceived],
  ['publish/bytes/sent', ({ counters }) => counters.publishBytesSent],
  ['store/messages/count', stored],
  ['store/messages/bytes', ({ counters }) => counters.retainedBytes + counters.queuedBytes],
  ['retained messages/count', ({ counters }) => counters.retainedMessages],
  ['subscriptions/count', ({ gauges }) => gauges.subscriptions],
  ['shared_subscriptions/count', ({ gauges }) => gauges.sharedSubscriptions],
  ...QUEUE_COUNTERS.map(([name, counter]): [string, Value] => [
    `queues/messages/${name}`,
    ({ counters }) => counters.queues[counter],
  ]),
  ['heap/current', ({ heap }) => heap.current],
  ['heap/maximum', ({ heap }) => heap.maximum],
  ...[...FLOWS.keys()].flatMap((flow) =>
    PERIODS.map((minutes): [string, Value] => [
      `load/${flow}/${minutes}min`,
      ({ load }) => load.average(flow, minutes).toFixed(2),
    ]),
  ),
]

export const TOPICS: ReadonlyMap<string, Value> = new Map(
  VALUES.map(([name, value]) => [`${PREFIX}broker/${name}`, value]),
)
