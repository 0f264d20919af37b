/**
 * Whatever the rules, the client and the way that a subscription is written: once it is granted, nothing that it matches is
 * denied. Through the kernel, so that groups and other names of topics are part of it.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aclClauses } from '../../plugins/access/acl-file.ts'
import { Authorization } from '../../plugins/access/authorization.ts'
import { type Clause, clausesOf, type Rule } from '../../plugins/access/clause.ts'
import { Rules, type Who } from '../../plugins/access/rules.ts'
import { filterBehind, filterProblem, matches } from '../../src/core/topics.ts'
import { Access } from '../../src/kernel/access.ts'
import { Namespaces } from '../../src/kernel/namespaces.ts'
import type { SessionView } from '../../src/plugin.ts'
import { filters, topics } from '../unit/plugins/access/arbitraries.ts'

const namespaces = new Namespaces()
for (const alias of ['$queue/', '$q/']) namespaces.alias(alias, 'queue/')
const canonical = (filter: string): string => namespaces.canonical(filter)
const asked = (filter: string): string => canonical(filterBehind(filter))

const LETTERS = ['a', 'b', '', '$x', '$q', 'queue', '%c', '%u', 'x%c']
const names = fc.constantFrom('a', 'b', 'c/d', '+', '#', '$x', '%u', 'a+b', '')
const role = fc.constantFrom('r', 's')

const who: fc.Arbitrary<Who> = fc.record({
  clientId: names,
  username: fc.option(names),
  grants: fc.record({ roles: fc.array(role, { maxLength: 1 }), rules: fc.constant([]) }),
})

const rule: fc.Arbitrary<Rule> = fc
  .record({
    effect: fc.constantFrom('allow', 'deny'),
    actions: fc.constantFrom('publish', 'subscribe', ['publish', 'subscribe'] as const),
    whom: fc.oneof(
      fc.constant({}),
      names.map((user) => ({ user })),
      role.map((role) => ({ role })),
    ),
    topics: fc.array(filters(LETTERS), { minLength: 1, maxLength: 3 }),
  })
  .map(({ effect, actions, whom, topics }) => ({ [effect]: actions, ...whom, topics }))

const aclLine = fc
  .tuple(
    fc.constantFrom('topic', 'pattern'),
    fc.constantFrom('', 'read ', 'write ', 'deny ', 'deny ', 'readwrite '),
    filters(LETTERS).filter((filter) => filter.trim() !== ''),
  )
  .map(([word, access, filter]) => `${word} ${access}${filter}`)
const acl = fc.array(fc.oneof(aclLine, fc.constantFrom('user a', 'user b', '# x')), { maxLength: 8 })

/** As clients write them: as they are, in a group, by another name. */
const requested = fc
  .tuple(fc.constantFrom('', '$share/g/', '$share/g/$q/', '$queue/', '$q/', 'queue/'), filters(LETTERS))
  .map(([before, filter]) => before + filter)
  .filter((filter) => filterProblem(filter, 100) === null)

function accessWith(clauses: Clause[]): Access {
  const access = new Access()
  access.addAuthorizer(
    new Authorization(new Rules(clauses, { r: ['a'], s: ['b', '+'] }, canonical), (_, topic) => topic),
  )
  return access
}

function holds(
  clauses: Clause[],
  client: Who,
  own: readonly Rule[],
  filter: string,
  topicList: readonly string[],
): void {
  const access = accessWith(clauses)
  const session = { ...client, grants: { ...client.grants, rules: own } } as unknown as SessionView
  if (!access.maySubscribe(session, asked(filter))) return
  for (const topic of topicList) {
    if (matches(asked(filter), topic)) expect(access.maySubscribe(session, topic), `${filter} ${topic}`).toBe(true)
  }
}

/** Topics that often are below the filter: its wildcards filled in. */
function below(filter: string, words: readonly string[]): string {
  let next = 0
  const word = () => words[next++ % words.length]!
  return asked(filter)
    .split('/')
    .flatMap((level) => (level === '+' ? [word()] : level === '#' ? [word(), word()] : [level]))
    .join('/')
}

const words = fc.array(fc.constantFrom('a', 'b', 'c', '', 'x', '$x', 'queue', 'xa'), { minLength: 1, maxLength: 4 })

describe('a subscription that is granted brings in nothing that is denied', () => {
  it('by rules of the configuration, and rules that the client brought along', () => {
    let granted = 0
    fc.assert(
      fc.property(
        ...[fc.array(rule, { maxLength: 6 }), who, fc.array(rule, { maxLength: 2 }), requested],
        ...[fc.array(words, { minLength: 1, maxLength: 6 }), fc.array(topics(), { maxLength: 6 })],
        (rules, client, own, filter, fillings, more) => {
          const clauses = clausesOf(rules, canonical, String)
          const candidates = [...fillings.map((filling) => below(filter, filling)), ...more].filter((it) => it !== '')
          holds(clauses, client, own, filter, candidates)
          const session = { ...client, grants: { ...client.grants, rules: own } } as unknown as SessionView
          if (accessWith(clauses).maySubscribe(session, asked(filter))) granted++
        },
      ),
      { numRuns: 5_000 },
    )
    expect(granted).toBeGreaterThan(50) // or nothing was looked at
  })

  it('by an ACL file', () => {
    fc.assert(
      fc.property(
        acl,
        who,
        requested,
        fc.array(words, { minLength: 1, maxLength: 6 }),
        (lines, client, filter, fillings) => {
          const clauses = aclClauses(lines.join('\n'), 'acl', canonical)
          holds(
            clauses,
            client,
            [],
            filter,
            fillings.map((filling) => below(filter, filling)).filter((it) => it !== ''),
          )
        },
      ),
      { numRuns: 3_000 },
    )
  })
})
