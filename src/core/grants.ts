/**
 * What somebody brings along from whoever let him in, beside a name: roles, which access rules may be about, and rules of
 * his own, as a token may carry them. Kept with the session, for its will is judged by them when the client is gone.
 */

import { filterProblem } from './topics.ts'

export type Action = 'publish' | 'subscribe'

export type Actions = Action | readonly Action[]

/** Allows or denies: a rule has one of the two. */
export interface TopicRule {
  readonly allow?: Actions | undefined
  readonly deny?: Actions | undefined
  /** Topic filters, with %c for the client identifier and %u for the user name. */
  readonly topics: readonly string[]
}

export interface Grants {
  /** Roles that it has beside those that the configuration gives its name. */
  readonly roles: readonly string[]
  /** Asked before those of the configuration. */
  readonly rules: readonly TopicRule[]
}

/** Of those who bring nothing: one object for all of them. */
export const NO_GRANTS: Grants = { roles: [], rules: [] }

/** As an authenticator gives them: what is left out is none. */
export function grantsOf({ roles = [], rules = [] }: Partial<Grants>): Grants {
  return roles.length === 0 && rules.length === 0 ? NO_GRANTS : { roles, rules }
}

/** What leads elsewhere is asked about by where it leads. */
const INDIRECT: ReadonlyArray<[prefix: string, problem: string]> = [
  ['$share/', 'rules are about the filter behind $share/<group>/'],
  ['$delayed/', 'rules are about the topic behind $delayed/<seconds>/'],
]

/** Why no rule can be about `filter`, or null. */
export function ruleTopicProblem(filter: string, maxLevels: number): string | null {
  const indirect = INDIRECT.find(([prefix]) => filter.startsWith(prefix))
  return indirect === undefined ? filterProblem(filter, maxLevels) : indirect[1]
}
