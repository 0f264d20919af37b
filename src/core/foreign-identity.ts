/**
 * What somebody outside says of a user (a token, a server that was asked), checked before anything relies on it. Nothing is
 * passed over: of a rule that cannot be read nobody knows what it would have forbidden.
 */

import { type Action, ruleTopicProblem, type TopicRule } from './grants.ts'

const ACTIONS: readonly unknown[] = ['publish', 'subscribe'] satisfies Action[]
const MAX_LEVELS = 256
/** More are no list of a person's roles, or rules, but an attempt to fill the memory. */
const MOST = 1_000

/** What MQTT would take as a user name: no control characters, and not so long that it could not be told [MQTT-1.5.4]. */
export function isUsername(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || /\p{Cc}/u.test(value)) return false
  return Buffer.byteLength(value) <= 65_535
}

/** Roles as a list, or as words with blanks between them (as in `scope` of OAuth); absent: none; null: it is neither. */
export function readRoles(value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return []
  const roles = typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : value
  return Array.isArray(roles) && roles.length <= MOST && roles.every(isUsername) ? roles : null
}

/** Topic rules in the form of `access.rules`, without user and role; absent: none; null: they are something else. */
export function readTopicRules(value: unknown): readonly TopicRule[] | null {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length > MOST || !value.every(isTopicRule)) return null
  return value.map(({ allow, deny, topics }) => (allow === undefined ? { deny, topics } : { allow, topics }))
}

function isTopicRule(value: unknown): value is TopicRule {
  if (typeof value !== 'object' || value === null) return false
  const { allow, deny, topics, ...others } = value as { [key: string]: unknown }
  if (Object.keys(others).length > 0 || (allow === undefined) === (deny === undefined)) return false
  return isActions(allow ?? deny) && isFilters(topics)
}

function isActions(value: unknown): boolean {
  if (!Array.isArray(value)) return ACTIONS.includes(value)
  return value.length > 0 && value.every((action) => ACTIONS.includes(action))
}

function isFilters(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST) return false
  return value.every((filter) => typeof filter === 'string' && ruleTopicProblem(filter, MAX_LEVELS) === null)
}
