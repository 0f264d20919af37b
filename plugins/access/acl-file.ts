/**
 * Mosquitto's acl_file (mosquitto.conf(5)), made into clauses that decide as Mosquitto 2.0 does: the topics of a user (or of
 * those without a name) before the patterns, which are for everyone; in both, what denies before what allows.
 *
 * Two things are stricter. A subscription is judged as a whole, where Mosquitto grants it and keeps back single messages. And
 * a name with a slash in it is put in for no placeholder.
 */

import { readFile } from 'node:fs/promises'
import { EventflowError, ruleTopicProblem } from '../../src/plugin.ts'
import type { Canonical, Clause, Subject } from './clause.ts'
import { EVERYTHING, literalPattern, patternOf } from './topic-pattern.ts'

/**
 * Read a file.
 * @throws EventflowError ACCESS_FILE_INVALID with the file and the line
 */
export async function readAclFile(file: string, canonical: Canonical): Promise<Clause[]> {
  try {
    return aclClauses(await readFile(file, 'utf8'), file, canonical)
  } catch (error) {
    if (error instanceof EventflowError) throw error
    const { code } = error as NodeJS.ErrnoException
    const what = code === 'ENOENT' ? 'does not exist' : `cannot be read: ${code ?? String(error)}`
    throw new EventflowError('ACCESS_FILE_INVALID', `the ACL file ${file} ${what}`, { cause: error })
  }
}

/** @throws EventflowError ACCESS_FILE_INVALID with the file and the line */
export function aclClauses(text: string, file: string, canonical: Canonical): Clause[] {
  const topics: Clause[] = []
  const patterns: Clause[] = []
  let user: string | null = null
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd()
    if (line === '' || line.startsWith('#')) continue
    const place = `${file}:${index + 1}`
    const [word, rest] = cut(line)
    if (word === 'user') user = rest === '' ? invalid(place, 'a user has a name') : rest
    else if (word === 'topic') topics.push(clauseOf(rest, place, user === null ? 'nameless' : { user }, canonical))
    else if (word === 'pattern') patterns.push(clauseOf(rest, place, subjectOf(rest), canonical))
    else invalid(place, 'a line begins with user, topic, pattern or #')
  }
  return [...deniesFirst(topics), ...(patterns.length === 0 ? [] : [WILD]), ...deniesFirst(patterns)]
}

/** Mosquitto has no pattern for a client whose names have a wildcard, with or without a placeholder in it. */
const WILD: Clause = {
  effect: 'deny',
  publish: true,
  subscribe: true,
  subject: 'wild',
  topics: [EVERYTHING],
  place: 'the patterns of the ACL file, none of which is for names with + or #',
}

/** A pattern with the user name says nothing of those who have none. */
function subjectOf(pattern: string): Subject {
  return pattern.includes('%u') ? 'named' : 'everyone'
}

function clauseOf(rest: string, place: string, subject: Subject, canonical: Canonical): Clause {
  const [first, second] = cut(rest)
  if (first === '') invalid(place, 'a topic is missing')
  const [access, filter] = second === '' ? ['readwrite', first] : [first, second]
  const problem = ruleTopicProblem(filter, Infinity)
  if (problem !== null) invalid(place, `no rule can be about '${filter}': ${problem}`)
  const isPattern = subject === 'everyone' || subject === 'named'
  const pattern = isPattern ? patternOf(canonical(filter), filter) : literalPattern(canonical(filter), filter)
  return { ...rightsOf(access, place), subject, topics: [pattern], place }
}

function rightsOf(access: string, place: string): Pick<Clause, 'effect' | 'publish' | 'subscribe'> {
  switch (access) {
    case 'read':
      return { effect: 'allow', publish: false, subscribe: true }
    case 'write':
      return { effect: 'allow', publish: true, subscribe: false }
    case 'readwrite':
      return { effect: 'allow', publish: true, subscribe: true }
    case 'deny':
      return { effect: 'deny', publish: true, subscribe: true }
    default:
      return invalid(place, `'${access}' is not read, write, readwrite or deny (a topic with spaces needs one of them)`)
  }
}

function deniesFirst(clauses: readonly Clause[]): Clause[] {
  return [...clauses.filter(({ effect }) => effect === 'deny'), ...clauses.filter(({ effect }) => effect === 'allow')]
}

/** The first word, and what follows it; spaces part them. */
function cut(text: string): [string, string] {
  const line = text.replace(/^ +/, '')
  const end = line.indexOf(' ')
  return end === -1 ? [line, ''] : [line.slice(0, end), line.slice(end).trim()]
}

function invalid(place: string, problem: string): never {
  throw new EventflowError('ACCESS_FILE_INVALID', `${place}: ${problem}`)
}
