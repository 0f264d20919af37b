/** What commands that look at a broker print: JSON for programs, an object a line as it comes; a table for people. */

import { type Cell, writeTable } from './table.ts'

export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

interface Columns<T> {
  readonly json: boolean
  readonly head: readonly string[]
  /** A cell for each name of the head. */
  readonly row: (entry: T) => readonly Cell[]
}

/** The table waits for the last entry, since each decides how wide its columns are. */
export async function printList<T extends object>(
  entries: AsyncIterable<T> | Iterable<T>,
  { json, head, row }: Columns<T>,
): Promise<void> {
  const rows: Array<readonly Cell[]> = []
  for await (const entry of entries) {
    if (json) printJson(entry)
    else rows.push(row(entry))
  }
  if (!json) writeTable(process.stdout, head, rows)
}
