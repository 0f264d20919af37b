/** What the server that was asked may answer, and what it means. Pure. Nothing is passed over: a word that is misspelt may matter. */

import { type Decision, type Identity, isUsername, readRoles, readTopicRules } from '../../src/plugin.ts'

/** 'deny' and null (ignore) as in the chain of authenticators. */
export type Answer = Decision | Identity

/** Seconds since the epoch; more would be milliseconds, and a client that stays for fifty thousand years. */
const LATEST = 100_000_000_000

/**
 * @param json the body of the answer
 * @param username what the client called itself: the user, when the answer names none
 * @throws Error that says what is wrong, and quotes nothing
 */
export function readAnswer(json: string, username: string | null): Answer {
  const { result, ...rest } = fieldsOf(json)
  if (result === 'deny') return 'deny'
  if (result === 'ignore') return null
  if (result !== 'allow') throw new Error('the answer has no result: allow, deny or ignore')
  return identityOf(rest, username)
}

function identityOf(fields: { readonly [name: string]: unknown }, given: string | null): Answer {
  const { username = given, roles, rules, expiresAt, ...others } = fields
  const unknown = Object.keys(others).length
  if (unknown > 0) throw new Error(`the answer has ${unknown} fields that mean nothing`)
  const said = { roles: readRoles(roles), rules: readTopicRules(rules) }
  if (said.roles === null) throw new Error('the roles are no list of words')
  if (said.rules === null) throw new Error('the rules are not in the form of access.rules')
  if (expiresAt !== undefined && !isTime(expiresAt))
    throw new Error('expiresAt is no number of seconds since the epoch')
  // Nobody in particular: whoever gave no name, and was given none.
  if (username === null && roles === undefined && rules === undefined && expiresAt === undefined) return 'allow'
  if (!isUsername(username)) throw new Error('there is no user name that MQTT would take')
  return { username, roles: said.roles, rules: said.rules, expiresAt: isTime(expiresAt) ? expiresAt * 1000 : undefined }
}

function fieldsOf(json: string): { readonly [name: string]: unknown } {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new Error('the answer is no JSON') // whose own words would quote it
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('the answer is no object')
  return value as { readonly [name: string]: unknown }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value < LATEST
}
