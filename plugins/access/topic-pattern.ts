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

/** For allow rules: whether everything that `filter` matches is matched by the pattern. */
export function patternCovers(pattern: string, names: Names, filter: string): boolean {
  const wide = fillIn(pattern, names)
  return wide !== null && covers(wide, filter)
}

/** For deny rules: whether `filter` matches anything that the pattern matches. */
export function patternOverlaps(pattern: string, names: Names, filter: string): boolean {
  const filled = fillIn(pattern, names) ?? widened(pattern)
  return filled === EVERYTHING || overlaps(filled, filter)
}

const PLACEHOLDER = /%[cu]/g

/** Not '#', which leaves out what starts with '$'. No filter is empty. */
const EVERYTHING = ''

/** The pattern with the names put in, in one pass: a name that contains '%u' stays what it is. Null if they cannot be. */
function fillIn(pattern: string, { clientId, username }: Names): string | null {
  if (!pattern.includes('%')) return pattern
  let safe = true
  const filled = pattern.replace(PLACEHOLDER, (placeholder) => {
    const name = placeholder === '%c' ? clientId : username
    if (name === null || /[+#/]/.test(name)) safe = false
    return name ?? ''
  })
  if (filled.startsWith('$') && !pattern.startsWith('$')) return null
  return safe ? filled : null
}

/** What the pattern matches with whatever names: a name with slashes spans any number of levels. */
function widened(pattern: string): string {
  const levels = pattern.split('/')
  const first = levels.findIndex((level) => level.search(PLACEHOLDER) !== -1)
  return first <= 0 ? EVERYTHING : [...levels.slice(0, first), '#'].join('/')
}
