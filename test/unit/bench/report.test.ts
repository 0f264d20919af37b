/** What a reader of the table and of the page is told. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Cell, Row } from '../../../src/bench/campaign.ts'
import { parseBench } from '../../../src/bench/options.ts'
import { readableName } from '../../../src/bench/report/names.ts'
import { pageOf } from '../../../src/bench/report/page.ts'
import { notesOf, type Report } from '../../../src/bench/report/report.ts'
import { textOf } from '../../../src/bench/report/table.ts'
import type { Figures } from '../../../src/bench/run.ts'
import { SCENARIOS } from '../../../src/bench/scenarios.ts'
import { spreadOf } from '../../../src/bench/statistics.ts'
import { bench } from '../../../src/cli/commands/bench.ts'

const machine = { processor: 'Some | CPU', cores: 2, memoryGiB: 8, node: '20.20.2', system: 'Linux 6.1' }
const page = { words: ['--name', "it's mine"], date: new Date('2026-01-02T03:04:05Z'), version: '1.2.3' }

function cell(...runs: Figures[]): Cell {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run) as Array<keyof Figures>))]
  return {
    figures: new Map(names.map((name) => [name, spreadOf(runs.map((run) => run[name]!))])),
    runs: [],
    problems: [],
  }
}

function report(rows: Row[], names = ['One 1.0', 'Two 2.0']): Report {
  return { machine, names, rows, runs: 3, sizes: parseBench([]).sizes }
}

function row(name: string, ...cells: Array<Cell | null>): Row {
  return { scenario: SCENARIOS.get(name)!, cells, syncUs: null }
}

const fast = cell(
  { rate: 900_000, p50: 800, p99: 3_000, cpu: 0.9, own: 0.5 },
  { rate: 1_100_000, p50: 900, p99: 5_000, cpu: 1.1, own: 0.5 },
)
const slow = cell({ rate: 9_000, p50: 13_370, p99: 250_000, cpu: 13.2, own: 0.2 })

describe('the table and the page', () => {
  it('have medians, spread and ratio', () => {
    const two = report([row('pair-qos0', fast, slow)])
    const line =
      '| pair 10 to 10, QoS 0 | 1,000k (900k to 1,100k) | 9,000 | 111.11 | 0.85 / 4.00 | 13.37 / 250 | 1.0, 13.2 |  |'
    expect(pageOf(two, page)).toContain(`${line}\n`)
    const [head, first, second] = textOf(two).split('\n')
    expect(head!.split(/ {2,}/).at(-1)).toBe('ratio')
    expect(first!.split(/ {2,}/)).toEqual([
      'pair-qos0',
      'One 1.0',
      '1,000k (900k to 1,100k)',
      '0.85',
      '4.00',
      '1.0',
      '50 %',
      '111.11',
    ])
    expect(second!.split(/ {2,}/)).toEqual(['', 'Two 2.0', '9,000', '13.37', '250', '13.2', '20 %'])
  })

  it('compare latencies at p99, and have no ratio for one broker alone', () => {
    const figures = { p50: 100, p99: 300, p999: 400, max: 500, rate: 5_000, late: 1 }
    const two = report([row('latency', cell(figures), cell({ ...figures, p99: 600 }))])
    expect(pageOf(two, page)).toMatch(/\| 0\.30 \| 0\.60 \| 0\.50 \| 0\.10 \/ 0\.40 \/ 0\.50 \|/)
    expect(textOf(report([row('latency', cell(figures))], ['One']))).not.toContain('ratio')
  })

  it('say so when the machine was the limit, or late', () => {
    const busy = cell({ rate: 1, p50: 1, p99: 1, own: 0.95 })
    expect(notesOf(row('pair-qos0', busy), report([], ['One']))).toEqual([
      'One: the generator was the limit (95 % of a core)',
    ])
    const late = cell({ rate: 1, p99: 1_000, late: 200, own: 1 })
    expect(notesOf(row('latency', late), report([], ['One']))).toEqual([
      'One: the generator itself was 0.20 ms late at p99',
    ])
  })

  it('compare a scenario with the one that it is against', () => {
    const rows = [row('wildcards-one', cell({ rate: 200 })), row('wildcards', cell({ rate: 150 }))]
    expect(notesOf(rows[1]!, report(rows, ['One']))).toEqual(['One: 75 % of wildcards-one'])
  })

  it('say what a broker cannot do', () => {
    const two = report([row('backlog', fast, null)])
    expect(textOf(two)).toContain('backlog: Two 2.0: not without queues')
    expect(pageOf(two, page)).toContain('| – |')
  })

  it('do not say that all went well when it did not', () => {
    const failed: Cell = { figures: new Map(), runs: [], problems: ['run 1: 3 of 9 messages lost'] }
    expect(pageOf(report([row('pair-qos0', fast, slow)]), page)).toContain('No run lost a message')
    const text = pageOf(report([row('pair-qos0', fast, failed)]), page)
    expect(text).not.toContain('No run lost')
    expect(text).toContain('Two 2.0: FAILED in run 1: 3 of 9 messages lost')
  })

  it('keep what others wrote on the page, and replace what a report writes', () => {
    const before = pageOf(report([row('pair-qos0', fast, slow)]), page)
    const own = '## What falls short\n\nThis and that.\n\n### In short\n\nNothing.'
    const old = before.replace('## Conditions', `${own}\n\n## Conditions`)
    const after = pageOf(report([row('pair-qos0', slow, fast)]), { ...page, old })
    expect(after).toContain(`\n\n${own}\n\n## Conditions\n`)
    expect(after.match(/^## .*/gm)).toEqual([
      '## Throughput',
      '## What falls short',
      '## Conditions',
      '## The commands',
    ])
    expect(after).not.toContain(before.split('\n').find((line) => line.includes('1,000k'))!)
    expect(pageOf(report([row('pair-qos0', slow, fast)]), { ...page, old: after })).toBe(after)
  })

  it('have the command as a shell takes it', () => {
    expect(pageOf(report([row('pair-qos0', fast, slow)]), page)).toContain(
      "npx eventflow bench --name 'it'\\''s mine'\n",
    )
  })
})

it.each([
  ['mosquitto version 2.0.11', 'Mosquitto 2.0.11'],
  ['eventflow 0.1.0', 'Eventflow 0.1.0'],
  ['', 'here:1883'],
  [null, 'here:1883'],
])('a broker that says %j is called %j', (version, name) => {
  expect(readableName(version, { host: 'here', port: 1883 })).toBe(name)
})

describe('the options', () => {
  it('run what is to be compared as well, in the usual order', () => {
    const names = parseBench(['wildcards', 'pair-qos0']).scenarios.map(({ name }) => name)
    expect(names).toEqual(['pair-qos0', 'wildcards-one', 'wildcards'])
  })

  it('leave out by default what the broker cannot do', () => {
    const names = parseBench(['--share']).scenarios.map(({ name }) => name)
    expect(names).not.toContain('idle')
    expect(names).not.toContain('backlog')
    expect(names).toHaveLength(SCENARIOS.size - 2)
  })

  it('take an IPv6 address for the second broker, which has no queues unless it is said to', () => {
    expect(parseBench(['--vs', '[::1]:1885']).sides[1]).toMatchObject({ host: '::1', port: 1885, share: true })
    expect(parseBench(['--vs', 'a:1', '--vs-queue']).sides[1]).toMatchObject({ share: false })
  })
})

it.each([...SCENARIOS.keys()])('%s is in the help and in docs/benchmarks.md', (name) => {
  const page = readFileSync(new URL('../../../docs/benchmarks.md', import.meta.url), 'utf8')
  expect(page).toContain(`\`${name}\``)
  expect(bench.usage.split(/\s+/)).toContain(name)
})

it('the help fits a screen', () => {
  const lines = bench.usage.split('\n')
  expect(lines.length).toBeLessThanOrEqual(40)
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(105)
})
