/** The report as a page: docs/benchmarks.md is written by `eventflow bench --write`. */

import type { Cell, Row } from '../campaign.ts'
import { type Figure, type Sizes, windowOf } from '../run.ts'
import type { Scenario, Subject } from '../scenarios.ts'
import { grouped, kibibytes, milliseconds, notesOf, perSecond, type Report, ratioOf, withSpread } from './report.ts'

export interface PageOptions {
  /** What was typed after `eventflow bench`, without secrets. */
  readonly words: readonly string[]
  readonly date: Date
  /** The version of the generator. */
  readonly version: string
  /** What was written before: sections that are not of this report stay. */
  readonly old?: string
}

/** The whole page, in Markdown. */
export function pageOf(report: Report, options: PageOptions): string {
  const before = [intro(report), ...tables(report)]
  const after = [conditions(report, options), commands(report, options)]
  return `${[...before, ...othersIn(options.old ?? ''), ...after].join('\n\n')}\n`
}

/** Sections that people wrote: those with titles that a report does not have. */
function othersIn(page: string): string[] {
  const [, ...sections] = page.split(/^(?=## )/m)
  return sections.filter((section) => !OURS.has(/^## (.*)$/m.exec(section)![1]!)).map((section) => section.trimEnd())
}

function intro({ names, rows, runs }: Report): string {
  const turns = names.length > 1 ? `${names.join(' against ')} on the same machine, the two in turn` : names[0]!
  const failed = rows.some(({ cells }) => cells.some((cell) => cell !== null && cell.problems.length > 0))
  const verdict = failed
    ? 'Runs that lost a message, delivered one twice or could not be made are marked FAILED.'
    : 'No run lost a message or delivered one twice.'
  const ofRuns = runs > 1 ? `medians of ${runs} runs (in parentheses the lowest and the highest)` : 'one run each'
  return `# Benchmarks\n\n${turns}:\n${ofRuns}.\nAbsolute figures mean little elsewhere; ratios mean more. ${verdict}`
}

interface Section {
  readonly title: string
  readonly head: (names: readonly string[]) => string[]
  readonly values: (row: Row) => string[]
}

const two = (names: readonly string[]): boolean => names.length > 1

/** One column a broker, and the ratio where there are two. */
function compared(names: readonly string[], unit: string): string[] {
  return [...names.map((name) => `${name}, ${unit}`), ...(two(names) ? ['Ratio'] : [])]
}

function values(row: Row, figure: Figure, format: (value: number) => string): string[] {
  const ratio = ratioOf(row)
  const cells = row.cells.map((cell) => spread(cell, figure, format))
  return [...cells, ...(row.cells.length > 1 ? [ratio?.toFixed(2) ?? '–'] : [])]
}

const SECTIONS: Readonly<Record<Subject, Section>> = {
  rate: {
    title: 'Throughput',
    head: (names) => [
      ...compared(names, 'msg/s'),
      ...names.map((name) => `p50 / p99 ms${two(names) ? ` (${name})` : ''}`),
      'CPU µs/msg',
    ],
    values: (row) => [
      ...values(row, 'rate', perSecond),
      ...row.cells.map((cell) => `${plain(cell, 'p50', milliseconds)} / ${plain(cell, 'p99', milliseconds)}`),
      row.cells.map((cell) => plain(cell, 'cpu', (us) => us.toFixed(1))).join(', '),
    ],
  },
  latency: {
    title: 'Latency',
    head: (names) => [
      ...compared(names, 'p99 ms'),
      ...names.map((name) => `p50 / p99.9 / max ms${two(names) ? ` (${name})` : ''}`),
    ],
    values: (row) => [
      ...values(row, 'p99', milliseconds),
      ...row.cells.map((cell) =>
        (['p50', 'p999', 'max'] as const).map((figure) => plain(cell, figure, milliseconds)).join(' / '),
      ),
    ],
  },
  memory: {
    title: 'Memory',
    head: (names) => compared(names, 'KiB'),
    values: (row) => values(row, 'memory', kibibytes),
  },
}

const OURS: ReadonlySet<string> = new Set([
  ...Object.values(SECTIONS).map(({ title }) => title),
  'Conditions',
  'The commands',
])

function tables(report: Report): string[] {
  return (Object.entries(SECTIONS) as Array<[Subject, Section]>).flatMap(([subject, { title, head, values }]) => {
    const rows = report.rows.filter(({ scenario }) => scenario.subject === subject)
    if (rows.length === 0) return []
    const heads = ['Work', ...head(report.names), 'Notes']
    const lines = rows.map((row) => [row.scenario.work, ...values(row), notesOf(row, report).join('; ')])
    return [`## ${title}\n\n${[heads, heads.map(() => '---'), ...lines].map(lineOf).join('\n')}`]
  })
}

function conditions({ machine, names, rows }: Report, { date, version }: PageOptions): string {
  const { processor, cores, memoryGiB, node, system } = machine
  const many = rows.some(({ scenario }) => scenario.subject === 'rate')
  return [
    '## Conditions',
    '',
    `${processor}, ${cores} cores, ${memoryGiB} GiB; ${system}, Node.js ${node}; brokers: ${names.join(', ')}; generator: Eventflow`,
    `${version}; ${date.toISOString().slice(0, 10)}. Generator and broker share the machine and talk over loopback.`,
    ...(many
      ? ['"CPU" is the processor time of the broker process for each message delivered, where its process is known.']
      : []),
  ].join('\n')
}

function commands({ rows, sizes }: Report, { words }: PageOptions): string {
  const command = ['npx eventflow bench', ...words.map(quoted)].join(' ')
  const shapes = rows.map(({ scenario }) => lineOf([`\`${scenario.name}\``, shapeOf(scenario, sizes)]))
  const table = ['| Scenario | What it does |', '| --- | --- |', ...shapes].join('\n')
  return `## The commands\n\n\`\`\`sh\n${command}\n\`\`\`\n\n${START}\n\n${table}\n\n${METHOD}`
}

const METHOD = `Each message carries its publisher and its number: one that is lost, or comes twice, fails the run and the command (exit
code 1). Throughput is a closed loop: the publishers together have so many messages under way, and send as many as have been
delivered, in turn. At a fixed rate the schedule is kept whatever the broker does, and latency counts from when a message was due.
An idle connection's memory is the growth of the broker's resident memory, measured once, before anything else. Where the
generator itself was busy or late a note says so; \`test/bench/mqload.c\` is the same load in C, to compare it with.`

const START = `The brokers run before it, each in a process of its own. Eventflow:
\`npm run build && node dist/src/cli/main.js start --log-level warn\`. Mosquitto: \`mosquitto -c FILE\` with \`listener 1885 127.0.0.1\`,
\`allow_anonymous true\`, \`persistence false\` and \`max_queued_messages 0\` in it.`

/** What a scenario does, in words. */
function shapeOf(scenario: Scenario, sizes: Sizes): string {
  const { method, publishers, subscribers, qos, payloadBytes, version, manyFilters, userProperties } = scenario
  if (method === 'idle') return `${grouped(sizes.connections)} connections that do nothing (\`--connections\`)`
  const parts = [
    counted(publishers, 'publisher'),
    counted(subscribers, 'subscriber'),
    `QoS ${qos}`,
    `${payloadBytes} bytes`,
    version === 5 ? 'MQTT 5' : 'MQTT 3.1.1',
    ...(userProperties === undefined ? [] : [`${userProperties.length} user properties`]),
    ...(manyFilters === true
      ? [`${grouped(sizes.subscriptions)} filters and as many topics (\`--subscriptions\`)`]
      : []),
  ]
  return [...parts, loadOf(scenario, sizes)].join(', ')
}

function loadOf({ method, window }: Scenario, sizes: Sizes): string {
  if (method === 'steady') return `${grouped(sizes.rate)} messages a second (\`--rate\`)`
  if (method === 'backlog')
    return `${grouped(sizes.backlog)} messages stored before the first is consumed (\`--backlog\`)`
  const under = windowOf(window, sizes)
  return `${counted(under, 'message')} of each publisher under way`
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function spread(cell: Cell | null, figure: Figure, format: (value: number) => string): string {
  const found = cell?.figures.get(figure)
  return found === undefined ? '–' : withSpread(found, format)
}

function plain(cell: Cell | null, figure: Figure, format: (value: number) => string): string {
  const found = cell?.figures.get(figure)
  return found === undefined ? '–' : format(found.median)
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
