/**
 * Metrics for Prometheus, by its conventions: base units, `_total` for what only grows. They are read from the broker when they
 * are asked for; nothing is measured for them. What has a label has few values.
 */

import { Gauge, Registry } from 'prom-client'
import * as z from 'zod'
import type { Counter, PluginContext } from '../../../src/plugin.ts'
import type { Ports } from '../ports.ts'
import { type Route, route } from '../route.ts'
import { addGrowing, addHistogram, addPresent } from './adapters.ts'
import { processMetrics } from './process.ts'
import { addQueues } from './queues.ts'

export interface Metrics {
  readonly contentType: string
  /** All of them, as Prometheus reads them. */
  text(): Promise<string>
}

type Numbers = { [name: string]: readonly [key: Counter, help: string] }

const GROWING: Numbers = {
  eventflow_received_bytes_total: ['bytesReceived', 'Bytes read from sockets.'],
  eventflow_sent_bytes_total: ['bytesSent', 'Bytes that sockets have taken.'],
  eventflow_received_packets_total: ['packetsReceived', 'MQTT packets that were taken up.'],
  eventflow_sent_packets_total: ['packetsSent', 'MQTT packets that were written.'],
  eventflow_received_messages_total: ['publishReceived', 'PUBLISH packets that were taken up.'],
  eventflow_sent_messages_total: ['publishSent', 'PUBLISH packets that were written.'],
  eventflow_received_payload_bytes_total: [
    'publishBytesReceived',
    'Bytes of payload in PUBLISH packets that were taken up.',
  ],
  eventflow_sent_payload_bytes_total: ['publishBytesSent', 'Bytes of payload in PUBLISH packets that were written.'],
  eventflow_dropped_messages_total: [
    'publishDropped',
    'Messages lost to a subscriber that was too slow or had no room.',
  ],
  eventflow_connections_total: ['sockets', 'Connections that were opened.'],
  eventflow_connects_total: ['connects', 'CONNECT packets.'],
  eventflow_expired_sessions_total: ['sessionsExpired', 'Sessions that ended because their client was away too long.'],
}

const PRESENT: Numbers = {
  eventflow_connected_clients: ['clientsConnected', 'Clients that are connected.'],
  eventflow_retained_messages: ['retainedMessages', 'Retained messages.'],
  eventflow_retained_bytes: ['retainedBytes', 'Bytes of payload of retained messages.'],
  eventflow_session_messages: ['queuedMessages', 'Messages that are kept for persistent sessions.'],
  eventflow_session_bytes: ['queuedBytes', 'Bytes of payload that are kept for persistent sessions.'],
  eventflow_subscriptions: ['subscriptions', 'Subscriptions, without the shared ones.'],
  eventflow_shared_subscriptions: ['sharedSubscriptions', 'Shared subscriptions.'],
  eventflow_inflight_messages: ['inflight', 'QoS 1 and 2 messages that were sent and are not settled.'],
}

export function metricsRoute(metrics: Metrics): Route {
  return route(
    {},
    {
      method: 'GET',
      role: 'read',
      tag: 'health',
      path: '/metrics',
      summary: 'Metrics for Prometheus.',
      answer: z.string(),
      type: 'text/plain',
      handle: async (_input, reply) => reply.type(metrics.contentType).send(await metrics.text()),
    },
  )
}

export function makeMetrics(context: PluginContext<never>, ports: Ports): Metrics {
  const registry = new Registry()
  const { counters, version, node, store } = context
  for (const [name, [key, help]] of Object.entries(GROWING)) addGrowing(registry, name, help, () => counters[key])
  for (const [name, [key, help]] of Object.entries(PRESENT)) addPresent(registry, name, help, () => counters[key])
  addPresent(registry, 'eventflow_sessions', 'Sessions, connected or not.', () => context.gauges().sessions)
  const held = 'Memory that clients have the broker keep: see limits.maxMemory.'
  addPresent(registry, 'eventflow_client_memory_bytes', held, () => context.gauges().clientMemory)
  new Gauge({
    name: 'eventflow_info',
    help: 'Version and name of this node.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node }, 1)
  const writable = '1 while what is published can be made safe, else 0.'
  addPresent(registry, 'eventflow_store_writable', writable, () => (store.fault === null ? 1 : 0))
  const help = 'How long it took until a batch was on disk that somebody waited for.'
  addHistogram(registry, 'eventflow_store_commit_duration_seconds', help, () => store.commitTimes)
  addQueues(registry, ports, context)
  const own = { contentType: registry.contentType }
  return { ...own, text: async () => `${await processMetrics().metrics()}\n${await registry.metrics()}` }
}
