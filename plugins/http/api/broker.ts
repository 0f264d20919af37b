/** The broker as a whole: what it is, how it does, its configuration. */

import * as z from 'zod'
import type { PluginContext } from '../../../src/plugin.ts'
import type { Ports } from '../ports.ts'
import type { Rates } from '../rates.ts'
import { type Route, route } from '../route.ts'
import { withoutSecrets } from '../secrets.ts'
import { rates as queueRates } from './queues.ts'

const overview = z.object({
  node: z.string(),
  version: z.string(),
  startedAt: z.string(),
  uptimeSeconds: z.number(),
  listeners: z.array(z.object({ name: z.string(), url: z.string() })),
  store: z.object({ kind: z.string(), fault: z.string().nullable() }),
  counters: z
    .looseObject({ queues: z.record(z.string(), z.number()) })
    .describe('Since the start, or now; `queues`: what became of the messages of all queues.'),
  gauges: z.record(z.string(), z.number()),
  rates: z
    .record(z.string(), z.number())
    .describe('How much those counters grow in a second that only grow, in the last five to ten seconds.'),
  queues: z.object({ count: z.int(), messages: z.int(), inFlight: z.int(), rates: queueRates }),
})

const reloaded = z
  .object({ changed: z.array(z.string()), needRestart: z.array(z.string()) })
  .loose()
  .describe('Options that have changed, and those that keep their old values until the broker is started again.')

export interface BrokerParts {
  context: PluginContext<never>
  ports: Ports
  rates: Rates
  /** Where MQTT over WebSocket is; null: it is not. */
  mqttUrl: () => string | null
}

export function brokerRoutes(parts: BrokerParts): Route[] {
  const { context, ports } = parts
  return [
    route(
      {},
      {
        method: 'GET',
        role: 'read',
        tag: 'broker',
        path: '/overview',
        summary: 'What this broker is, and how it does.',
        answer: overview,
        handle: () => overviewOf(parts),
      },
    ),
    route(
      {},
      {
        method: 'GET',
        role: 'read',
        tag: 'broker',
        path: '/config',
        summary: 'Every option with the value that is in force. Durations in milliseconds, sizes in bytes; no secrets.',
        answer: z.record(z.string(), z.unknown()),
        handle: () => withoutSecrets(ports.broker.configuration()),
      },
    ),
    route(
      {},
      {
        method: 'POST',
        role: 'operate',
        tag: 'broker',
        path: '/reload',
        summary:
          'Read again what files say: users, rules, certificates, options that may change while the broker runs.',
        answer: reloaded,
        handle: () => context.reload(),
      },
    ),
  ]
}

function overviewOf({ context, ports, rates, mqttUrl }: BrokerParts): z.output<typeof overview> {
  const { node, version, clock, store, counters } = context
  const { startedAt, listeners } = ports.broker
  const { count, length, inFlight, rates: queueRates } = ports.queues.totals()
  const url = mqttUrl()
  return {
    ...{ node, version },
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.round((clock.now() - startedAt) / 1000),
    listeners: [...listeners.map(({ name, url }) => ({ name, url })), ...(url === null ? [] : [{ name: 'http', url }])],
    store: { kind: store.kind, fault: store.fault?.message ?? null },
    counters: { ...counters, queues: { ...counters.queues } },
    gauges: { ...context.gauges() },
    rates: rates.now,
    queues: { count, messages: length, inFlight, rates: queueRates },
  }
}
