/** Tables as people and pipes get them. */

import { expect, it } from 'vitest'
import { type Out, printable, writeTable } from '../../../src/cli/table.ts'

function written(rows: Parameters<typeof writeTable>[2], terminal: Partial<Out> = {}): string[] {
  let output = ''
  writeTable({ write: (text) => (output += text), ...terminal }, ['NAME', 'N', 'TEXT'], rows)
  return output.split('\n').slice(0, -1)
}

it('a table is aligned, numbers to the right, and nothing is a dash', () => {
  expect(
    written([
      ['a', 5, 'x'],
      ['longer', 12345, null],
      ['', 1, true],
    ]),
  ).toEqual(['NAME        N  TEXT', 'a           5  x', 'longer  12345  -', '-           1  yes'])
})

it('a table of nothing is its head', () => {
  expect(written([])).toEqual(['NAME  N  TEXT'])
})

it('a table has bold heads and lines that fit on a terminal, and neither in a pipe', () => {
  const rows = [['a', 1, 'x'.repeat(30)]]
  const terminal = { isTTY: true, columns: 12, hasColors: () => true }
  expect(written(rows, terminal)).toEqual(['\x1b[1mNAME  N  TE…\x1b[22m', 'a     1  xx…'])
  expect(written(rows, { ...terminal, hasColors: () => false })[0]).toBe('NAME  N  TE…')
  expect(written(rows)[1]).toHaveLength(39)
})

it('text that is printable has no control characters, and stays what it is otherwise', () => {
  expect(printable('a\tb\n\x1b[31m\x7f\u009b é 漢 \\')).toBe('a\\tb\\n\\u001b[31m\\u007f\\u009b é 漢 \\')
})
