/**
 * Metrics for Prometheus, by its conventions: base units, `_total` for what only grows. They are read from the broker when they
 * are asked for. What has a label has few values: queues are told one by one only as many as `MAX_QUEUES`, the longest ones.
 */

import { collectDefaultMetrics, Gauge, Counter as Growing, Registry } from 'prom-client'
import { type Counter, type Gauges, type PluginContext, QueueCounters } from '../../src/plugin.ts'
import type { Ports, QueueNumbers } from './ports.ts'

const MAX_QUEUES = 100

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
}

const STATES = ['ready', 'inFlight', 'delayed', 'resting'] as const
const STATE_NAMES = { ready: 'ready', inFlight: 'in_flight', delayed: 'delayed', resting: 'resting' } as const

export function makeMetrics(context: PluginContext<never>, ports: Ports): Registry {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const { counters, version, node } = context
  for (const [name, [key, help]] of Object.entries(GROWING)) {
    new Growing({ name, help, registers, collect: set(() => counters[key]) })
  }
  for (const [name, [key, help]] of Object.entries(PRESENT)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(counters[key])
      },
    })
  }
  // Metrics are read in the order in which they are made here: the first of these asks every session, once for all of them.
  let gauges: Gauges
  for (const [place, [name, key, help]] of GAUGES.entries()) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        if (place === 0) gauges = context.gauges()
        this.set(gauges[key])
      },
    })
  }
  new Gauge({
    name: 'eventflow_info',
    help: 'Version and name of this node.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node }, 1)
  new Gauge({
    name: 'eventflow_store_writable',
    help: '1 while what is published can be made safe, else 0.',
    registers,
    collect() {
      this.set(context.store.fault === null ? 1 : 0)
    },
  })
  addOutcomes(registry, counters.queues)
  addQueues(registry, ports, context.clock.now)
  return registry
}

const GAUGES = [
  ['eventflow_sessions', 'sessions', 'Sessions, connected or not.'],
  ['eventflow_subscriptions', 'subscriptions', 'Subscriptions, without the shared ones.'],
  ['eventflow_shared_subscriptions', 'sharedSubscriptions', 'Shared subscriptions.'],
  ['eventflow_inflight_messages', 'inflight', 'QoS 1 and 2 messages that were sent and are not settled.'],
] as const

/** prom-client's counters know only how to add. */
function set(read: () => number) {
  let told = 0
  return function collect(this: Growing): void {
    const now = read()
    if (now > told) this.inc(now - told)
    told = now
  }
}

/** `deadLettered` → `dead_lettered`. */
const OUTCOMES = Object.keys(new QueueCounters()).map(
  (key) => [key as keyof QueueCounters, key.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`)] as const,
)

/** What became of messages of queues, those included that are forgotten. */
function addOutcomes(registry: Registry, counters: QueueCounters): void {
  for (const [key, word] of OUTCOMES) {
    const name = `eventflow_queue_${word}_messages_total`
    const help = `Messages of all queues: ${word.replace('_', '-')}.`
    new Growing({ name, help, registers: [registry], collect: set(() => counters[key]) })
  }
}

function addQueues(registry: Registry, ports: Ports, now: () => number): void {
  const registers = [registry]
  // As above: the first reads, and finds the longest, for all of them.
  let queues: QueueNumbers[] = []
  let longest: QueueNumbers[] = []
  new Gauge({
    name: 'eventflow_queues',
    help: 'Queues.',
    registers,
    collect() {
      queues = ports.queues.list()
      longest = queues.toSorted((a, b) => b.length - a.length).slice(0, MAX_QUEUES)
      this.set(queues.length)
    },
  })
  new Gauge({
    name: 'eventflow_queue_messages',
    help: `Messages by queue and state, of the ${MAX_QUEUES} longest queues.`,
    labelNames: ['queue', 'state'],
    registers,
    collect() {
      this.reset()
      for (const queue of longest) {
        for (const state of STATES) this.set({ queue: queue.name, state: STATE_NAMES[state] }, queue[state])
      }
    },
  })
  new Gauge({
    name: 'eventflow_queue_consumers',
    help: `Consumers that are connected, of the ${MAX_QUEUES} longest queues.`,
    labelNames: ['queue'],
    registers,
    collect() {
      this.reset()
      for (const { name, consumers } of longest) this.set({ queue: name }, consumers)
    },
  })
  new Gauge({
    name: 'eventflow_queue_oldest_seconds',
    help: `Age of the oldest message that is not delayed, of the ${MAX_QUEUES} longest queues.`,
    labelNames: ['queue'],
    registers,
    async collect() {
      this.reset()
      for (const { name } of longest) {
        const shown = (await ports.queues.show(name).catch(() => null)) as { oldestAt: number | null } | null
        if (shown?.oldestAt) this.set({ queue: name }, (now() - shown.oldestAt) / 1000)
      }
    },
  })
  new Gauge({
    name: 'eventflow_all_queues_messages',
    help: 'Messages of all queues by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of STATES) {
        this.set(
          { state: STATE_NAMES[state] },
          queues.reduce((sum, queue) => sum + queue[state], 0),
        )
      }
    },
  })
}
