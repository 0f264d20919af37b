/** What came out, in the terms that both the table on the terminal and the page have: who, what, compared how, and notes. */

import type { Cell, Row } from '../campaign.ts'
import type { Figure, Sizes } from '../run.ts'
import type { Scenario, Subject } from '../scenarios.ts'
import type { Spread } from '../statistics.ts'
import type { Machine } from '../system/machine.ts'

export interface Report {
  readonly machine: Machine
  /** Names of the brokers, for the table. */
  readonly names: readonly string[]
  readonly rows: readonly Row[]
  /** Of each row; an idle connection is measured once. */
  readonly runs: number
  readonly sizes: Sizes
}

/** The figure that a row is about. */
export const MAIN: Readonly<Record<Subject, Figure>> = { rate: 'rate', latency: 'p99', memory: 'memory' }

/** Above this share of one core the generator may have been what limited the rate. */
const BUSY = 0.9
/** How much of the latency at p99 the generator's own delay may be. */
const LATE = 0.1

/** First broker to second: of rates, of latencies at p99, of memory. Null: not both have a figure. */
export function ratioOf({ scenario, cells }: Row): number | null {
  const [first, second] = cells.map((cell) => cell?.figures.get(MAIN[scenario.subject])?.median)
  return first === undefined || second === undefined || second === 0 ? null : first / second
}

/** What a reader must know beside the figures. */
export function notesOf(row: Row, { names, rows }: Report): string[] {
  const notes: string[] = []
  for (const [n, cell] of row.cells.entries()) {
    const name = names[n]!
    if (cell === null) notes.push(`${name}: ${whyNot(row.scenario)}`)
    else
      notes.push(...cellNotes(row.scenario, cell, otherCell(row.scenario, rows, n)).map((note) => `${name}: ${note}`))
  }
  if (row.syncUs !== null) notes.push(`fdatasync of this disk: ${milliseconds(row.syncUs)} ms`)
  return notes
}

function whyNot({ method }: Scenario): string {
  return method === 'idle' ? 'its process is not known' : 'not without queues'
}

function cellNotes(scenario: Scenario, cell: Cell, other: { cell: Cell; name: string } | null): string[] {
  const notes = cell.problems.map((problem) => `FAILED in ${problem}`)
  const median = (figure: Figure, of: Cell = cell): number | undefined => of.figures.get(figure)?.median
  const [own = 0, late = 0, p99 = 0] = [median('own'), median('late'), median('p99')]
  const [stored, inflight] = [median('stored'), median('inflight')]
  if (scenario.method !== 'steady' && own > BUSY) notes.push(`the generator was the limit (${percent(own)} of a core)`)
  if (late > LATE * p99) notes.push(`the generator itself was ${milliseconds(late)} ms late at p99`)
  const strays = cell.runs.reduce((sum, run) => sum + run.strays, 0)
  if (strays > 0) notes.push(`${strays} messages of an earlier run were passed over`)
  if (inflight !== undefined) notes.push(`takes only ${inflight} unacknowledged messages of a publisher`)
  if (stored !== undefined) notes.push(`stored at ${perSecond(stored)} msg/s`)
  const [rate, otherRate] = [median('rate'), other === null ? undefined : median('rate', other.cell)]
  if (rate !== undefined && otherRate !== undefined) notes.push(`${percent(rate / otherRate)} of ${other!.name}`)
  return notes
}

/** The same broker's figures in the scenario that this one is compared with. */
function otherCell({ against }: Scenario, rows: readonly Row[], side: number): { cell: Cell; name: string } | null {
  const cell = rows.find(({ scenario }) => scenario.name === against)?.cells[side]
  return cell === undefined || cell === null ? null : { cell, name: against! }
}

export function perSecond(rate: number): string {
  if (rate < 10_000) return grouped(Math.round(rate))
  return `${grouped(Math.round(rate / 1_000))}k`
}

export function milliseconds(us: number): string {
  return us < 100_000 ? (us / 1_000).toFixed(2) : grouped(Math.round(us / 1_000))
}

export function kibibytes(bytes: number): string {
  return (bytes / 1_024).toFixed(1)
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}

/** A median with its spread: `977k (770k to 1,329k)`; only the median where there was one run. */
export function withSpread({ median, min, max }: Spread, format: (value: number) => string): string {
  return min === max ? format(median) : `${format(median)} (${format(min)} to ${format(max)})`
}

export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
