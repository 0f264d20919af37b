/** What a token says of its bearer, once it is known to be genuine. Pure. */

import { type Identity, isUsername, readRoles, readTopicRules } from '../../src/plugin.ts'

export interface ClaimNames {
  readonly usernameClaim: string
  readonly rolesClaim: string
  readonly rulesClaim: string
}

/**
 * Who the token is for, with roles and rules; null when it does not say, or says it in a way that nobody can read.
 * @param toleranceMs how long after its end a token still counts
 */
export function identityOf(
  claims: { readonly [claim: string]: unknown },
  names: ClaimNames,
  toleranceMs: number,
): Identity | null {
  const username = claimOf(claims, names.usernameClaim)
  const roles = readRoles(claimOf(claims, names.rolesClaim))
  const rules = readTopicRules(claimOf(claims, names.rulesClaim))
  if (!isUsername(username) || roles === null || rules === null) return null
  const { exp } = claims
  return { username, roles, rules, expiresAt: typeof exp === 'number' ? exp * 1000 + toleranceMs : undefined }
}

/** The claim of that name, which may be an address with dots in it; or else the way to one within another: `realm_access.roles`. */
function claimOf(claims: { readonly [claim: string]: unknown }, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const key of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as { [key: string]: unknown })[key]
  }
  return value
}
