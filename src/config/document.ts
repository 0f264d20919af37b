/** The configuration file: YAML read strictly, with the line of every value, so that a problem can point at it. */

import { readFileSync } from 'node:fs'
import { LineCounter, parseDocument } from 'yaml'
import { listGroups } from './options.ts'
import { configError, type Path } from './problems.ts'

export interface ConfigDocument {
  /** What the file says; a group that is left empty is an empty group. */
  readonly values: Record<string, unknown>
  /** `config/eventflow.yaml:12`: where the value at `path` stands, or as much of the path as there is. */
  origin(path: Path): string
}

/** Read `file`. `namedBy` says who named it, for the message when it is missing. */
export function readDocument(file: string, namedBy: string): ConfigDocument {
  const lines = new LineCounter()
  // Without pretty errors: those quote the line, and a line may hold a secret.
  const document = parseDocument(readText(file, namedBy), { lineCounter: lines, prettyErrors: false })
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    throw configError(
      faults.map(({ message, pos }) => {
        const { line, col } = lines.linePos(pos[0])
        return `${file}: line ${line}, column ${col}: ${message}`
      }),
    )
  }
  return {
    values: withGroups(toValue(document, file), file),
    origin(path) {
      for (let depth = path.length; depth > 0; depth--) {
        const node = document.getIn(path.slice(0, depth), true)
        if (hasRange(node)) return `${file}:${lines.linePos(node.range[0]).line}`
      }
      return file
    },
  }
}

function readText(file: string, namedBy: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const what = code === 'ENOENT' ? 'there is no such file' : `the file cannot be read: ${code}`
    throw configError([`${file}: ${what} (${namedBy})`], error)
  }
}

function toValue(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS() ?? {}
  } catch (error) {
    // An alias without its anchor, or aliases that multiply without end.
    throw configError([`${file}: ${error instanceof Error ? error.message : String(error)}`], error)
  }
}

/** A group whose options are all commented out reads as null. It means an empty group. */
function withGroups(values: unknown, file: string): Record<string, unknown> {
  if (!isGroup(values)) throw configError([`${file}: expected options by name, found a list or a single value`])
  for (const path of listGroups()) {
    const keys = path.split('.')
    const last = keys.pop()!
    let group: unknown = values
    for (const key of keys) group = isGroup(group) ? group[key] : undefined
    if (isGroup(group) && group[last] === null) group[last] = {}
  }
  return values
}

/** Whether a value is a map of names to values. */
export function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
}
