/** Numbers that are counted elsewhere, as metrics of prom-client, which would count itself. */

import { Counter, Gauge, type Registry } from 'prom-client'
import type { Store } from '../../../src/plugin.ts'

/** Its counters know only how to add. */
export function addGrowing(registry: Registry, name: string, help: string, read: () => number): void {
  let told = 0
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      const now = read()
      if (now > told) this.inc(now - told)
      told = now
    },
  })
}

export function addPresent(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}

/** Its histograms take one measurement at a time; a registry asks no more of a metric than this. */
export function addHistogram(registry: Registry, name: string, help: string, read: () => Store['commitTimes']): void {
  const get = async () => ({ name, help, type: 'histogram', values: [...valuesOf(name, read())] })
  registry.registerMetric({ name, get } as never)
}

/** Prometheus adds up: a class has all that were no longer than its bound. */
function* valuesOf(name: string, { bounds, counts, sum }: Store['commitTimes']) {
  let count = 0
  for (const [place, more] of counts.entries()) {
    count += more
    yield { metricName: `${name}_bucket`, labels: { le: bounds[place] ?? '+Inf' }, value: count }
  }
  yield { metricName: `${name}_sum`, labels: {}, value: sum }
  yield { metricName: `${name}_count`, labels: {}, value: count }
}
