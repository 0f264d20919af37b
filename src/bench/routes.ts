/** The topics that a scenario's publishers write and the filters that its subscribers read. */

import type { Scenario } from './scenarios.ts'

export interface Routes {
  /** How many subscribers get each message. */
  readonly copies: number
  /** A publisher's topics, all of one length. */
  topics(publisher: number): readonly string[]
  filters(subscriber: number): readonly string[]
}

export interface RouteOptions {
  /** Filters in all of a scenario with many. */
  readonly subscriptions: number
  /** The broker has no queues: a shared subscription stands in for one. */
  readonly share: boolean
}

export function routesOf(scenario: Scenario, { subscriptions, share }: RouteOptions): Routes {
  const { route, name, subscribers } = scenario
  if (route === 'fan-in') return { copies: 1, topics: (n) => [`bench/in/${padded(n)}`], filters: () => ['bench/in/+'] }
  if (route === 'fan-out') return { copies: subscribers, topics: () => ['bench/out'], filters: () => ['bench/out'] }
  if (route === 'queue') {
    const topic = share ? 'bench' : 'queue/bench'
    return { copies: 1, topics: () => [topic], filters: () => [share ? '$share/g/bench' : topic] }
  }
  if (!name.startsWith('wildcards')) return { copies: 1, topics: (n) => [pair(n)], filters: (n) => [pair(n)] }
  const each = scenario.manyFilters === true ? Math.max(1, Math.ceil(subscriptions / subscribers)) : 1
  const levels = (n: number) => Array.from({ length: each }, (_, level) => `bench/wild/${padded(n)}/${padded(level)}`)
  return {
    copies: 1,
    topics: (n) => levels(n).map((level) => `${level}/state`),
    filters: (n) => levels(n).map((level) => `${level}/+`),
  }
}

function pair(n: number): string {
  return `bench/${padded(n)}`
}

function padded(n: number): string {
  return String(n).padStart(6, '0')
}
