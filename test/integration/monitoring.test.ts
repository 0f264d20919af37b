/** The alerts and the dashboard that come with Eventflow ask for metrics, and labels of them, that a broker has; the manual has each alert. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { Eventflow } from '../../src/eventflow.ts'
import { metricsOf, selectionsOf } from '../helpers/prometheus.ts'

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')

interface Alert {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: { summary: string }
}

interface Panel {
  id: number
  title: string
  type: string
  targets?: Array<{ expr: string }>
  gridPos: { x: number; y: number; w: number; h: number }
}

interface Dashboard {
  panels: Panel[]
  templating: { list: Array<{ name: string; type: string; query: string | { query: string } }> }
}

const { groups } = parse(read('config/prometheus/alerts.yml')) as { groups: Array<{ rules: Alert[] }> }
const alerts = groups.flatMap(({ rules }) => rules)
const dashboard = JSON.parse(read('config/grafana/eventflow.json')) as Dashboard

/** Labels that Prometheus itself puts to all it reads. */
const OF_PROMETHEUS = ['job', 'instance']
const metrics = new Map<string, Set<string>>()

beforeAll(async () => {
  const config = { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' as const }, http: { port: 0 } }
  const broker = new Eventflow({ config })
  await broker.start()
  await broker.publish('queue/jobs', 'x')
  const ask = async () => metricsOf(await (await fetch(`${broker.httpUrl}/metrics`)).text())
  // What garbage collection took has its labels once there was one.
  while (!(await ask()).get('nodejs_gc_duration_seconds_sum')?.has('kind')) Array.from({ length: 1e5 }, (_, i) => [i])
  for (const [name, labels] of await ask()) metrics.set(name, labels)
  metrics.set('up', new Set())
  await broker.stop()
})

/** What `expr` asks for that is not there: `name`, or `name{label}`. */
function missingOf(expr: string): string[] {
  const { selections, groupings } = selectionsOf(expr)
  const all = new Set(OF_PROMETHEUS)
  const missing = selections.flatMap(({ name, labels }) => {
    const known = metrics.get(name)
    if (known === undefined) return [name]
    for (const label of known) all.add(label)
    return labels
      .filter((label) => !known.has(label) && !OF_PROMETHEUS.includes(label))
      .map((label) => `${name}{${label}}`)
  })
  return [...missing, ...groupings.filter((label) => !all.has(label)).map((label) => `by ${label}`)]
}

it('what is missing is found', () => {
  const expr =
    'sum by (queue, shelf) (rate(eventflow_no_such_total{job="x"}[5m])) > on (job) eventflow_queue_messages{room="a"}'
  expect(missingOf(expr)).toEqual(['eventflow_no_such_total', 'eventflow_queue_messages{room}', 'by shelf'])
})

describe('config/prometheus/alerts.yml', () => {
  it('has alerts with a name of their own, a severity and a sentence', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
    for (const { alert, labels, annotations } of alerts) {
      expect(alert).toMatch(/^Eventflow[A-Z]\w+$/)
      expect(['critical', 'warning']).toContain(labels.severity)
      expect(annotations.summary).toMatch(/.{20,}\.$/)
    }
  })

  it.each(alerts.map(({ alert, expr }) => [alert, expr]))(
    '%s asks for metrics and labels that there are',
    (_alert, expr) => {
      expect(selectionsOf(expr).selections.length).toBeGreaterThan(0)
      expect(missingOf(expr)).toEqual([])
    },
  )

  it('is explained in docs/operations.md, alert by alert, and no other', () => {
    const rows = [...read('docs/operations.md').matchAll(/^\| `(Eventflow\w+)` \| (.{20,}) \| (.{20,}) \|$/gm)]
    expect(rows.map(([, alert]) => alert)).toEqual(alerts.map(({ alert }) => alert))
  })
})

describe('config/grafana/eventflow.json', () => {
  const charts = dashboard.panels.filter(({ type }) => type !== 'row')

  it.each(charts.map(({ title, targets }) => [title, targets ?? []] as const))(
    '%s asks for metrics and labels that there are',
    (_title, targets) => {
      expect(targets.length).toBeGreaterThan(0)
      expect(targets.flatMap(({ expr }) => missingOf(expr))).toEqual([])
    },
  )

  it('lets people choose data source, job and instance, and asks with what they chose', () => {
    const { list } = dashboard.templating
    expect(list.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance'])
    const queries = list.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.query]))
    expect(queries.flatMap((query) => missingOf(query.replace(/^label_values\((.*), \w+\)$/, '$1')))).toEqual([])
    for (const { expr } of charts.flatMap(({ targets }) => targets ?? [])) {
      const chosen = expr.match(/\{job=~"\$job", instance=~"\$instance"/g) ?? []
      expect([expr, chosen]).toEqual([expr, selectionsOf(expr).selections.map(() => chosen[0])])
    }
  })

  it('has panels that do not lie over one another', () => {
    const taken = new Map<string, number>()
    for (const { id, gridPos } of dashboard.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([x, y, taken.get(`${x},${y}`)]).toEqual([x, y, undefined])
          taken.set(`${x},${y}`, id)
        }
      }
    }
    expect(new Set(taken.values()).size).toBe(dashboard.panels.length)
  })
})
