/** The report for a terminal: a line for each broker and kind of work, in columns. */

import type { Cell, Row } from '../campaign.ts'
import type { Figure } from '../run.ts'
import type { Subject } from '../scenarios.ts'
import { kibibytes, milliseconds, notesOf, perSecond, type Report, ratioOf, withSpread } from './report.ts'

interface Column {
  readonly head: string
  readonly value: (cell: Cell) => string
}

const latency = (figure: Figure, head: string): Column => column(figure, head, milliseconds)

const COLUMNS: Readonly<Record<Subject, readonly Column[]>> = {
  rate: [
    column('rate', 'msg/s', perSecond, true),
    latency('p50', 'p50 ms'),
    latency('p99', 'p99 ms'),
    column('cpu', 'CPU µs/msg', (us) => us.toFixed(1)),
    column('own', 'generator', (part) => `${Math.round(part * 100)} %`),
  ],
  latency: [
    latency('p50', 'p50 ms'),
    latency('p99', 'p99 ms'),
    latency('p999', 'p99.9 ms'),
    latency('max', 'max ms'),
    column('rate', 'msg/s', perSecond),
  ],
  memory: [column('memory', 'KiB a connection', kibibytes)],
}

const WHAT_RATIO: Readonly<Record<Subject, string>> = { rate: 'ratio', latency: 'ratio of p99', memory: 'ratio' }

/** A block of lines for each subject that has rows. */
export function textOf(report: Report): string {
  const subjects = (['rate', 'latency', 'memory'] as const).filter((subject) => rowsOf(report, subject).length > 0)
  return subjects.map((subject) => block(report, subject)).join('\n')
}

function rowsOf({ rows }: Report, subject: Subject): Row[] {
  return rows.filter(({ scenario }) => scenario.subject === subject)
}

function block(report: Report, subject: Subject): string {
  const columns = COLUMNS[subject]
  const two = report.names.length > 1
  const head = ['scenario', 'broker', ...columns.map(({ head }) => head), ...(two ? [WHAT_RATIO[subject]] : [])]
  const lines = rowsOf(report, subject).flatMap((row) => {
    const ratio = ratioOf(row)
    return row.cells.map((cell, n) => [
      n === 0 ? row.scenario.name : '',
      report.names[n]!,
      ...columns.map(({ value }) => (cell === null ? '–' : value(cell))),
      ...(two ? [n === 0 && ratio !== null ? ratio.toFixed(2) : ''] : []),
    ])
  })
  const notes = rowsOf(report, subject).flatMap((row) =>
    notesOf(row, report).map((note) => `  ${row.scenario.name}: ${note}`),
  )
  return `${[...aligned([head, ...lines]), ...notes].join('\n')}\n`
}

/** Columns of one width: words to the left, figures to the right. */
function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const pad = (text: string, column: number): string =>
    column < 2 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  return lines.map((line) => line.map(pad).join('  ').trimEnd())
}

function column(figure: Figure, head: string, format: (value: number) => string, spread = false): Column {
  return {
    head,
    value: ({ figures }) => {
      const found = figures.get(figure)
      if (found === undefined) return '–'
      return spread ? withSpread(found, format) : format(found.median)
    },
  }
}
