/** The authorizer: the rules in force, from the configuration and an ACL file, and what they are due to. */

import type { Action, Authorizer, PluginContext } from '../../src/plugin.ts'
import { readAclFile } from './acl-file.ts'
import { type Canonical, clausesOf, type Rule } from './clause.ts'
import { type Roles, Rules, type Verdict, type Who } from './rules.ts'

export interface RuleOptions {
  readonly rules: readonly Rule[]
  readonly roles: Roles
  /** Further rules, in Mosquitto's format; null: none. They come after `rules`. */
  readonly aclFile: string | null
}

export class Authorization implements Authorizer {
  readonly name = 'rules'
  /** Null: everybody may do everything. */
  rules: Rules | null
  readonly #accessTopic: PluginContext['accessTopic']

  constructor(rules: Rules | null, accessTopic: PluginContext['accessTopic']) {
    this.rules = rules
    this.#accessTopic = accessTopic
  }

  get allowsAll(): boolean {
    return this.rules === null
  }

  authorize(who: Who, action: Action, topic: string): 'allow' | 'deny' {
    return this.rules === null ? 'allow' : this.rules.decide(who, action, topic)
  }

  /**
   * May somebody publish on a topic, or subscribe to a filter, and why? `topic` as the client would say it.
   * @throws Refusal when it is a topic that none can publish on
   */
  explain(who: Who, action: Action, topic: string): Explanation {
    const asked = this.#accessTopic(action, topic)
    if (asked === null) return { allowed: false, asked: topic, place: null, topic: null, reason: 'only the broker may' }
    if (this.rules === null) {
      return { allowed: true, asked, place: null, topic: null, reason: 'there are no users and no rules' }
    }
    const verdict = this.rules.judge(who, action, asked)
    const { clause, topic: filter } = verdict
    return {
      allowed: verdict.decision === 'allow',
      asked,
      place: clause?.place ?? null,
      topic: filter,
      reason: why(verdict),
    }
  }
}

export interface Explanation {
  readonly allowed: boolean
  /** What rules are asked about: `queue/a` for `$queue/a`, `$delayed/5/queue/a` and `$share/g/queue/a`. */
  readonly asked: string
  /** Where the rule stands that decided, `access.rules[3]` or `config/acl:12`; null: none did. */
  readonly place: string | null
  /** The topic in that rule that did, as it was written. */
  readonly topic: string | null
  /** The same for people. */
  readonly reason: string
}

function why({ clause, topic }: Verdict): string {
  return clause === null ? 'no rule: denied by default' : `${clause.place} ${VERBS[clause.effect]} ${topic}`
}

const VERBS = { allow: 'allows', deny: 'denies' }

/**
 * The rules of these options, read anew.
 * @throws EventflowError ACCESS_FILE_INVALID with the file and the line
 */
export async function readRules({ rules, roles, aclFile }: RuleOptions, canonical: Canonical): Promise<Rules> {
  const listed = clausesOf(rules, canonical, (index) => `access.rules[${index}]`)
  const filed = aclFile === null ? [] : await readAclFile(aclFile, canonical)
  return new Rules([...listed, ...filed], roles, canonical)
}
