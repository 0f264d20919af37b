/**
 * Metrics of queues: sums of all of them, and some of single ones. Each of those is a series that Prometheus keeps, so they are told
 * of no more than `MAX_QUEUES`, the longest ones.
 */

import { Gauge, type Registry } from 'prom-client'
import { type PluginContext, QueueCounters } from '../../../src/plugin.ts'
import type { Ports, QueueNumbers, QueueTotals } from '../ports.ts'
import { addGrowing } from './adapters.ts'

const MAX_QUEUES = 100

const STATES = ['ready', 'inFlight', 'delayed', 'resting'] as const
const STATE_NAMES = { ready: 'ready', inFlight: 'in_flight', delayed: 'delayed', resting: 'resting' } as const

export function addQueues(registry: Registry, ports: Ports, context: PluginContext<never>): void {
  addOutcomes(registry, context.counters.queues)
  // Metrics are read in the order in which they are made: the first reads for all of them.
  let longest: QueueNumbers[] = []
  addTotals(registry, () => {
    longest = ports.queues.longest(MAX_QUEUES)
    return ports.queues.totals()
  })
  addEach(registry, () => longest)
  addAges(registry, ports, { longest: () => longest, now: context.clock.now })
}

/** `deadLettered` → `dead_lettered`. */
const OUTCOMES = Object.keys(new QueueCounters()).map(
  (key) => [key as keyof QueueCounters, key.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`)] as const,
)

/** What became of messages of queues, those included that are forgotten. */
function addOutcomes(registry: Registry, counters: QueueCounters): void {
  for (const [key, word] of OUTCOMES) {
    const help = `Messages of all queues: ${word.replace('_', '-')}.`
    addGrowing(registry, `eventflow_queue_${word}_messages_total`, help, () => counters[key])
  }
}

function addTotals(registry: Registry, read: () => QueueTotals): void {
  const registers = [registry]
  let totals: QueueTotals
  new Gauge({
    name: 'eventflow_queues',
    help: 'Queues.',
    registers,
    collect() {
      totals = read()
      this.set(totals.count)
    },
  })
  new Gauge({
    name: 'eventflow_all_queues_messages',
    help: 'Messages of all queues by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of STATES) this.set({ state: STATE_NAMES[state] }, totals[state])
    },
  })
}

function addEach(registry: Registry, longest: () => QueueNumbers[]): void {
  const registers = [registry]
  new Gauge({
    name: 'eventflow_queue_messages',
    help: `Messages by queue and state, of the ${MAX_QUEUES} longest queues.`,
    labelNames: ['queue', 'state'],
    registers,
    collect() {
      this.reset()
      for (const queue of longest()) {
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
      for (const { name, consumers } of longest()) this.set({ queue: name }, consumers)
    },
  })
}

interface Ages {
  longest: () => QueueNumbers[]
  now: () => number
}

function addAges(registry: Registry, ports: Ports, { longest, now }: Ages): void {
  new Gauge({
    name: 'eventflow_queue_oldest_seconds',
    help: `Age of the oldest message that is not delayed, of the ${MAX_QUEUES} longest queues.`,
    labelNames: ['queue'],
    registers: [registry],
    async collect() {
      this.reset()
      for (const { name } of longest()) {
        const shown = (await ports.queues.show(name).catch(() => null)) as { oldestAt: number | null } | null
        if (shown?.oldestAt) this.set({ queue: name }, Math.max(now() - shown.oldestAt, 0) / 1000)
      }
    },
  })
}
