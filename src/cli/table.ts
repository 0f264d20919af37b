/**
 * Tables for people: aligned columns, numbers to the right, a line a row whatever is in it. On a terminal the head is bold, and
 * a row that is too long ends with `…`; into a pipe everything is written, plainly.
 */

import { styleText } from 'node:util'

export type Cell = string | number | boolean | null

/** Where a table goes. */
export interface Out {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  hasColors?(): boolean
}

/** @param head a name for each column */
export function writeTable(out: Out, head: readonly string[], rows: ReadonlyArray<readonly Cell[]>): void {
  const texts = rows.map((row) => row.map(textOf))
  const widths = head.map((name, n) => Math.max(name.length, longestOf(texts, n)))
  const right = head.map((_, n) => rows.length > 0 && rows.every((row) => typeof row[n] === 'number'))
  const line = (cells: readonly string[]): string =>
    clipped(
      out,
      cells.map((cell, n) => pad(cell, widths[n]!, right[n]!)),
    )
  out.write(`${emphasized(out, line(head))}\n`)
  for (const row of texts) out.write(`${line(row)}\n`)
}

/** One thing: a line for each of its fields. */
export function writeFields(out: Out, fields: Readonly<Record<string, Cell>>): void {
  const width = Math.max(...Object.keys(fields).map((name) => name.length))
  for (const [name, value] of Object.entries(fields))
    out.write(`${clipped(out, [name.padEnd(width), textOf(value)])}\n`)
}

/** Text that a terminal shows and does not obey: control characters as `\n` or `\u001b`. */
export function printable(value: string): string {
  return value.replace(/\p{Cc}/gu, (char) => {
    const short = JSON.stringify(char).slice(1, -1)
    return short === char ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : short
  })
}

/** Bold where the terminal can. */
export function emphasized(out: Out, line: string): string {
  return out.isTTY === true && out.hasColors?.() === true ? styleText('bold', line, { validateStream: false }) : line
}

/** Lengths of one column; a reduction, for there may be more rows than a call takes arguments. */
function longestOf(texts: ReadonlyArray<readonly string[]>, column: number): number {
  return texts.reduce((longest, row) => Math.max(longest, row[column]!.length), 0)
}

function textOf(cell: Cell): string {
  if (cell === null || cell === '') return '-'
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no'
  return printable(String(cell))
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width)
}

function clipped(out: Out, cells: readonly string[]): string {
  const line = cells.join('  ').trimEnd()
  const width = out.isTTY === true ? (out.columns ?? 80) : Infinity
  return line.length > width ? `${line.slice(0, width - 1)}…` : line
}
