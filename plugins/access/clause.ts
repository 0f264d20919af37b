/**
 * A rule made ready to be asked, wherever it was written: in the configuration, in an ACL file, or in what a client brought
 * along. Only this form is judged by; see rules.ts.
 */

import { type Actions, ruleTopicProblem, type TopicRule } from '../../src/plugin.ts'
import { EVERYTHING, type Pattern, patternOf } from './topic-pattern.ts'

/** A rule of the configuration. For everyone, with and without a user name, when it names neither user nor role. */
export interface Rule extends TopicRule {
  readonly user?: string | undefined
  readonly role?: string | undefined
}

/** Whom a clause concerns. */
export type Subject =
  | 'everyone'
  /** Those without a user name. */
  | 'nameless'
  /** Those with one. */
  | 'named'
  /** Those whose user name or client identifier has a wildcard in it. */
  | 'wild'
  | { readonly user: string }
  | { readonly role: string }

export interface Clause {
  readonly effect: 'allow' | 'deny'
  readonly publish: boolean
  readonly subscribe: boolean
  readonly subject: Subject
  readonly topics: readonly Pattern[]
  /** Where it stands, for people: `access.rules[3]`, `config/acl:12`. */
  readonly place: string
}

/** Another name of a topic as the one that rules are asked about: `$queue/a` as `queue/a`. */
export type Canonical = (filter: string) => string

/** The clauses of a list of rules, in its order; one that neither allows nor denies is none. */
export function clausesOf(rules: readonly Rule[], canonical: Canonical, placeOf: (index: number) => string): Clause[] {
  return rules.flatMap(({ allow, deny, user, role, topics }, index) => {
    const actions = allow ?? deny
    if (actions === undefined) return []
    const effect = allow === undefined ? 'deny' : 'allow'
    const subject = user !== undefined ? { user } : role !== undefined ? { role } : 'everyone'
    const patterns = topics.flatMap((topic) => patternsOf(topic, effect, canonical))
    return [{ effect, ...partsOf(actions), subject, topics: patterns, place: placeOf(index) }]
  })
}

/**
 * The configuration has been checked, what a client brings along has not. What no rule can be about allows nothing, and denies
 * everything.
 */
function patternsOf(topic: string, effect: 'allow' | 'deny', canonical: Canonical): Pattern[] {
  if (ruleTopicProblem(topic, Infinity) === null) return [patternOf(canonical(topic), topic)]
  return effect === 'allow' ? [] : [EVERYTHING]
}

function partsOf(actions: Actions): { publish: boolean; subscribe: boolean } {
  const list = typeof actions === 'object' ? actions : [actions]
  return { publish: list.includes('publish'), subscribe: list.includes('subscribe') }
}
