/** The report for programs. */

import { notesOf, type Report, ratioOf } from './report.ts'

/** Figures are in the units of `Figure` (run.ts). */
export function jsonOf(report: Report): string {
  const { machine, names, rows, runs, sizes } = report
  const scenarios = rows.map((row) => ({
    name: row.scenario.name,
    work: row.scenario.work,
    brokers: row.cells.map(
      (cell, n) =>
        cell && {
          name: names[n]!,
          figures: Object.fromEntries(cell.figures),
          runs: cell.runs,
          problems: cell.problems,
        },
    ),
    ratio: ratioOf(row),
    syncUs: row.syncUs,
    notes: notesOf(row, report),
  }))
  return `${JSON.stringify({ machine, brokers: names, runs, sizes, scenarios }, null, 2)}\n`
}
