/**
 * A topic filter of a rule, in which %c stands for the client identifier and %u for the user name.
 *
 * Clients choose their identifiers. One that contains '+', '#' or '/' would turn `private/%c` into another filter than
 * was meant, so nothing is put in for it: an allow rule then gives nothing, and a deny rule takes all that any name
 * could have been put in for. Likewise for a client that has no user name, and for a name that starts with '$' where
 * the filter starts with it, which would lead to the broker's own topics.
 */

import { covers } from '../../src/plugin.ts'
import { overlaps } from './overlaps.ts'

export interface Names {
  readonly clientId: string
  readonly username: string | null
}

export interface Pattern {
  /** As it was written. */
  readonly text: string
  /** For allow rules: whether everything that `filter` matches is matched by the pattern. */
  covers(names: Names, filter: string): boolean
  /** For deny rules: whether `filter` matches anything that the pattern matches. */
  overlaps(names: Names, filter: string): boolean
}

/** The pattern as it is asked about, `filter`, and as it was written. */
export function patternOf(filter: string, text = filter): Pattern {
  if (filter.search(PLACEHOLDER) === -1) return literalPattern(filter, text)
  return {
    text,
    covers(names, asked) {
      const wide = fillIn(filter, names)
      return wide !== null && covers(wide, asked)
    },
    overlaps(names, asked) {
      const filled = fillIn(filter, names) ?? widened(filter)
      return filled === null || overlaps(filled, asked)
    },
  }
}

/** A filter in which %c and %u are letters like others. */
export function literalPattern(filter: string, text = filter): Pattern {
  return {
    text,
    covers: (_names, asked) => covers(filter, asked),
    overlaps: (_names, asked) => overlaps(filter, asked),
  }
}

/** Not '#', which leaves out what starts with '$'. */
export const EVERYTHING: Pattern = { text: 'everything', covers: () => true, overlaps: () => true }

const PLACEHOLDER = /%[cu]/g

/** The pattern with the names put in, in one pass: a name that contains '%u' stays what it is. Null if they cannot be. */
function fillIn(pattern: string, { clientId, username }: Names): string | null {
  let safe = true
  const filled = pattern.replace(PLACEHOLDER, (placeholder) => {
    const name = placeholder === '%c' ? clientId : username
    if (name === null || /[+#/]/.test(name)) safe = false
    return name ?? ''
  })
  if (filled.startsWith('$') && !pattern.startsWith('$')) return null
  return safe ? filled : null
}

/** What the pattern matches with whatever names: a name with slashes spans any number of levels. Null: everything. */
function widened(pattern: string): string | null {
  const levels = pattern.split('/')
  const first = levels.findIndex((level) => level.search(PLACEHOLDER) !== -1)
  return first <= 0 ? null : [...levels.slice(0, first), '#'].join('/')
}
