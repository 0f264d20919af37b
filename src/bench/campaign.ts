/** Scenarios on one broker, or on two in turn, several times each: the same minute is as noisy for one as for the other. */

import { measure } from './measure.ts'
import type { Figure, Run, Side, Sizes } from './run.ts'
import type { Scenario } from './scenarios.ts'
import { type Spread, spreadOf } from './statistics.ts'
import { syncTimeUs } from './system/disk.ts'

export interface Campaign {
  /** In the order in which they are run. */
  readonly scenarios: readonly Scenario[]
  /** One or two. */
  readonly sides: readonly Side[]
  readonly sizes: Sizes
  readonly runs: number
  /** A folder on the disk that a durable queue's latency is to be seen beside. */
  readonly disk: string
  /** Told before each run, which counts from 1. */
  readonly onRun?: (scenario: Scenario, side: number, run: number) => void
}

/** What one broker did in one scenario. */
export interface Cell {
  readonly figures: ReadonlyMap<Figure, Spread>
  /** Runs that were made. After one with a problem there is no other. */
  readonly runs: readonly Run[]
  readonly problems: readonly string[]
}

export interface Row {
  readonly scenario: Scenario
  /** By side; null: this broker cannot do it. */
  readonly cells: ReadonlyArray<Cell | null>
  /** Median of an `fdatasync` in microseconds; null: does not matter here. */
  readonly syncUs: number | null
}

export async function runCampaign({ scenarios, sides, sizes, runs, disk, onRun }: Campaign): Promise<Row[]> {
  const rows: Row[] = []
  for (const scenario of scenarios) {
    const made: Run[][] = sides.map(() => [])
    // A process keeps the memory that it once had: a second measurement would find no growth.
    const times = scenario.method === 'idle' ? 1 : runs
    for (let run = 1; run <= times; run++) {
      for (const [n, side] of sides.entries()) {
        if (!can(scenario, side) || made[n]!.some(({ problems }) => problems.length > 0)) continue
        onRun?.(scenario, n, run)
        made[n]!.push(await measure(scenario, side, sizes))
      }
    }
    const onDisk = scenario.route === 'queue' && scenario.subject === 'latency'
    const cells = made.map((cell) => (cell.length > 0 ? cellOf(cell) : null))
    rows.push({ scenario, cells, syncUs: onDisk ? syncTimeUs(disk) : null })
  }
  return rows
}

/** Whether the broker can do this at all, as far as we know it. */
export function can(scenario: Scenario, side: Side): boolean {
  if (scenario.method === 'idle') return side.pid !== null
  // A shared subscription keeps nothing while nobody is subscribed.
  return scenario.method !== 'backlog' || !side.share
}

/** These scenarios and those that they are compared with, in the order of `all`. */
export function withComparisons(all: ReadonlyMap<string, Scenario>, names: readonly string[]): Scenario[] {
  const wanted = new Set(names)
  for (const name of names) {
    const against = all.get(name)?.against
    if (against !== undefined) wanted.add(against)
  }
  return [...all.values()].filter(({ name }) => wanted.has(name))
}

function cellOf(runs: readonly Run[]): Cell {
  const good = runs.filter(({ problems }) => problems.length === 0)
  const names = new Set(good.flatMap(({ figures }) => Object.keys(figures) as Figure[]))
  const figures = new Map(
    [...names].map((name) => [name, spreadOf(good.flatMap((run) => run.figures[name] ?? []))] as const),
  )
  const problems = runs.flatMap((run, n) => run.problems.map((problem) => `run ${n + 1}: ${problem}`))
  return { figures, runs, problems }
}
