/**
 * What clients may do: a list of rules, of which the first that concerns the client, the action and the topic decides.
 * When none does, it is denied. Pure: no clock, no files.
 *
 * A subscription is judged by what it could receive: an allow rule must match all of it, a deny rule any of it. A topic
 * to publish on is a filter that matches itself alone, so the same two questions serve for both.
 */

import { type Names, patternCovers, patternOverlaps } from './topic-pattern.ts'

export type Action = 'publish' | 'subscribe'

export type Actions = Action | readonly Action[]

export interface Rule {
  /** What it allows or denies: a rule has one of the two. */
  readonly allow?: Actions | undefined
  readonly deny?: Actions | undefined
  /** Whom it concerns; everyone, with and without a user name, when it is left out. */
  readonly user?: string | undefined
  /** Topic filters, with %c for the client identifier and %u for the user name. */
  readonly topics: readonly string[]
}

export class Rules {
  readonly #rules: readonly Rule[]

  constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  /** @param requested a topic to publish on, or a filter to subscribe to */
  decide(names: Names, action: Action, requested: string): 'allow' | 'deny' {
    for (const rule of this.#rules) {
      if (rule.user !== undefined && rule.user !== names.username) continue
      if (isFor(rule.deny, action) && rule.topics.some((topic) => patternOverlaps(topic, names, requested)))
        return 'deny'
      if (isFor(rule.allow, action) && rule.topics.some((topic) => patternCovers(topic, names, requested)))
        return 'allow'
    }
    return 'deny'
  }
}

function isFor(actions: Actions | undefined, action: Action): boolean {
  return typeof actions === 'object' ? actions.includes(action) : actions === action
}
