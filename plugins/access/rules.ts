/**
 * What clients may do: a list of rules, of which the first that concerns the client, the action and the topic decides.
 * When none does, it is denied. Pure: no clock, no files.
 *
 * A subscription is judged by what it could receive: an allow rule must match all of it, a deny rule any of it. A topic
 * to publish on is a filter that matches itself alone, so the same two questions serve for both.
 */

import type { Action, Grants } from '../../src/plugin.ts'
import { type Canonical, type Clause, clausesOf, type Subject } from './clause.ts'
import type { Names } from './topic-pattern.ts'

export type { Rule } from './clause.ts'

/** A client, as far as rules look at it. */
export interface Who extends Names {
  readonly grants: Grants
}

/** Which users have a role. */
export type Roles = Readonly<Record<string, readonly string[]>>

export interface Verdict {
  readonly decision: 'allow' | 'deny'
  /** What decided; null: nothing did, so it is denied. */
  readonly clause: Clause | null
  /** The filter in it that did, as it was written. */
  readonly topic: string | null
}

const NOTHING_DECIDES: Verdict = { decision: 'deny', clause: null, topic: null }

export class Rules {
  readonly #clauses: readonly Clause[]
  readonly #canonical: Canonical
  /** `role user`, the role being of one word or of more: U+0000 parts them. */
  readonly #roles = new Set<string>()
  /** The rules that clients brought along, made ready. */
  readonly #own = new WeakMap<Grants, readonly Clause[]>()

  /** @param canonical for the rules that clients bring along; those of `clauses` are so already */
  constructor(clauses: readonly Clause[], roles: Roles = {}, canonical: Canonical = (filter) => filter) {
    this.#clauses = clauses
    this.#canonical = canonical
    for (const [role, users] of Object.entries(roles)) for (const user of users) this.#roles.add(pair(role, user))
  }

  /** @param requested a topic to publish on, or a filter to subscribe to */
  decide(who: Who, action: Action, requested: string): 'allow' | 'deny' {
    return this.judge(who, action, requested).decision
  }

  /** The decision, and what it is due to. */
  judge(who: Who, action: Action, requested: string): Verdict {
    const own = who.grants.rules.length === 0 ? null : this.#firstOf(this.#ownOf(who.grants), who, action, requested)
    return own ?? this.#firstOf(this.#clauses, who, action, requested) ?? NOTHING_DECIDES
  }

  /** Whether a user has the role, by the configuration or of its own. */
  hasRole({ username, grants }: Who, role: string): boolean {
    return grants.roles.includes(role) || (username !== null && this.#roles.has(pair(role, username)))
  }

  #firstOf(clauses: readonly Clause[], who: Who, action: Action, requested: string): Verdict | null {
    for (const clause of clauses) {
      if (!clause[action] || !this.#concerns(clause.subject, who)) continue
      const { effect } = clause
      const found = clause.topics.find((pattern) =>
        effect === 'deny' ? pattern.overlaps(who, requested) : pattern.covers(who, requested),
      )
      if (found !== undefined) return { decision: effect, clause, topic: found.text }
    }
    return null
  }

  #concerns(subject: Subject, who: Who): boolean {
    const { clientId, username } = who
    if (typeof subject === 'object') {
      return 'user' in subject ? subject.user === username : this.hasRole(who, subject.role)
    }
    switch (subject) {
      case 'everyone':
        return true
      case 'nameless':
        return username === null
      case 'named':
        return username !== null
      case 'wild':
        return WILDCARD.test(clientId) || WILDCARD.test(username ?? '')
    }
  }

  #ownOf(grants: Grants): readonly Clause[] {
    let clauses = this.#own.get(grants)
    if (clauses === undefined) {
      clauses = clausesOf(grants.rules, this.#canonical, (index) => `rule ${index + 1} that the client brought along`)
      this.#own.set(grants, clauses)
    }
    return clauses
  }
}

const WILDCARD = /[+#]/

function pair(role: string, user: string): string {
  return `${role}\u0000${user}`
}
