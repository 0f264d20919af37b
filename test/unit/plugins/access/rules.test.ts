import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clausesOf, type Rule } from '../../../../plugins/access/clause.ts'
import { Rules } from '../../../../plugins/access/rules.ts'
import { type Action, matches, type TopicRule } from '../../../../src/plugin.ts'
import { filters, topics } from './arbitraries.ts'

const nobody = { clientId: 'c1', username: null }
const ada = { clientId: 'c1', username: 'ada' }

interface Names {
  clientId: string
  username: string | null
}

function decide(rules: Rule[], names: Names, action: Action, requested: string) {
  const clauses = clausesOf(rules, (filter) => filter, String)
  return new Rules(clauses).decide({ ...names, grants: { roles: [], rules: [] } }, action, requested)
}

function publish(rules: Rule[], topic: string, names: Names = nobody) {
  return decide(rules, names, 'publish', topic)
}

function subscribe(rules: Rule[], filter: string, names: Names = nobody) {
  return decide(rules, names, 'subscribe', filter)
}

describe('publishing', () => {
  it('is denied when no rule says otherwise', () => {
    expect(publish([], 'a')).toBe('deny')
    expect(publish([{ allow: 'publish', topics: ['b'] }], 'a')).toBe('deny')
    expect(publish([{ allow: 'subscribe', topics: ['#'] }], 'a')).toBe('deny')
  })

  it('is decided by the first rule that concerns the topic', () => {
    const rules: Rule[] = [
      { deny: 'publish', topics: ['a/secret/#'] },
      { allow: ['publish', 'subscribe'], topics: ['a/#'] },
      { deny: 'publish', topics: ['a/b'] },
    ]
    expect(publish(rules, 'a/secret/x')).toBe('deny')
    expect(publish(rules, 'a/b')).toBe('allow')
    expect(publish(rules, 'b')).toBe('deny')
  })

  it('heeds a rule for a user for that user alone', () => {
    const rules: Rule[] = [{ allow: 'publish', user: 'ada', topics: ['a'] }]
    expect(publish(rules, 'a', ada)).toBe('allow')
    expect(publish(rules, 'a')).toBe('deny')
    expect(publish(rules, 'a', { clientId: 'ada', username: 'bob' })).toBe('deny')
  })

  it('takes nothing from a rule that neither allows nor denies', () => {
    expect(publish([{ topics: ['#'] }, { allow: 'publish', topics: ['a'] }], 'a')).toBe('allow')
  })
})

describe('subscribing', () => {
  it('is allowed only to filters that the rule covers whole', () => {
    const rules: Rule[] = [{ allow: 'subscribe', topics: ['a/#', 'b/+'] }]
    expect(subscribe(rules, 'a/#')).toBe('allow')
    expect(subscribe(rules, 'a/+/c')).toBe('allow')
    expect(subscribe(rules, 'b/x')).toBe('allow')
    expect(subscribe(rules, 'b/#')).toBe('deny')
    expect(subscribe(rules, '#')).toBe('deny')
    expect(subscribe(rules, '+/x')).toBe('deny')
  })

  it('is denied to a filter that could bring in what an earlier rule denies', () => {
    const rules: Rule[] = [
      { deny: 'subscribe', topics: ['a/secret'] },
      { allow: 'subscribe', topics: ['a/#'] },
    ]
    expect(subscribe(rules, 'a/#')).toBe('deny')
    expect(subscribe(rules, 'a/+')).toBe('deny')
    expect(subscribe(rules, 'a/public')).toBe('allow')
    expect(subscribe(rules, 'a/secret/below')).toBe('allow')
  })

  it('to status needs a rule that names it', () => {
    const everything: Rule = { allow: 'subscribe', topics: ['#', '+/status', '+/#'] }
    expect(subscribe([everything], '$eventflow/status')).toBe('deny')
    expect(subscribe([everything], '$eventflow/#')).toBe('deny')
    expect(subscribe([everything, { allow: 'subscribe', topics: ['$eventflow/#'] }], '$eventflow/status')).toBe('allow')
  })
})

describe('%c and %u', () => {
  const rules: Rule[] = [{ allow: ['publish', 'subscribe'], topics: ['clients/%c/#', 'users/%u'] }]

  it('stand for the client identifier and the user name', () => {
    expect(publish(rules, 'clients/c1/x', ada)).toBe('allow')
    expect(publish(rules, 'clients/c2/x', ada)).toBe('deny')
    expect(publish(rules, 'users/ada', ada)).toBe('allow')
    expect(subscribe(rules, 'clients/c1/#', ada)).toBe('allow')
    expect(publish([{ allow: 'publish', topics: ['dev-%c/%u'] }], 'dev-c1/ada', ada)).toBe('allow')
  })

  it.each(['+', '#', 'a/b', 'c1/../#', '/'])('give nothing to a client called %j', (clientId) => {
    const names = { clientId, username: 'ada' }
    expect(subscribe(rules, `clients/${clientId}/#`, names)).toBe('deny')
    expect(subscribe(rules, 'clients/c1/#', names)).toBe('deny')
    expect(publish(rules, 'clients/c1/x', names)).toBe('deny')
    expect(publish(rules, 'users/ada', names)).toBe('allow')
  })

  it('give nothing to a client without a user name', () => {
    expect(publish(rules, 'users/', nobody)).toBe('deny')
    expect(publish(rules, 'users/null', nobody)).toBe('deny')
  })

  it('do not lead to the topics of the broker', () => {
    const first: Rule[] = [{ allow: 'subscribe', topics: ['%c/#', '%c'] }]
    expect(subscribe(first, 'c1/x')).toBe('allow')
    for (const clientId of ['$eventflow', '$SYS', '$']) {
      expect(subscribe(first, `${clientId}/#`, { clientId, username: null })).toBe('deny')
    }
  })

  it('are not looked for in a name', () => {
    const tricky = { clientId: '%u', username: 'ada' }
    expect(publish([{ allow: 'publish', topics: ['x/%c'] }], 'x/ada', tricky)).toBe('deny')
    expect(publish([{ allow: 'publish', topics: ['x/%c'] }], 'x/%u', tricky)).toBe('allow')
    expect(publish([{ allow: 'publish', topics: ['x/%c'] }], 'x/$&', { clientId: '$&', username: null })).toBe('allow')
  })

  it('deny a client whose name cannot be put in all that they could stand for', () => {
    const denying: Rule[] = [
      { deny: ['publish', 'subscribe'], topics: ['a/%c/locked'] },
      { allow: ['publish', 'subscribe'], topics: ['#', '$x/#'] },
    ]
    const odd = { clientId: 'x/y', username: null }
    expect(publish(denying, 'a/c1/locked')).toBe('deny')
    expect(publish(denying, 'a/c2/locked')).toBe('allow')
    expect(publish(denying, 'a/x/y/locked', odd)).toBe('deny')
    expect(subscribe(denying, 'a/#', odd)).toBe('deny')
    expect(publish(denying, 'b', odd)).toBe('allow')
    const fromTheStart: Rule[] = [
      { deny: 'publish', topics: ['%c/locked'] },
      { allow: 'publish', topics: ['#', '$x/#'] },
    ]
    expect(publish(fromTheStart, '$x/y/locked', { clientId: '$x/y', username: null })).toBe('deny')
    expect(publish(fromTheStart, '$x/locked', { clientId: '$x', username: null })).toBe('deny')
  })
})

describe('roles', () => {
  const rules: Rule[] = [
    { deny: 'publish', role: 'guests', topics: ['a/locked'] },
    { allow: 'publish', role: 'operators', topics: ['a/#'] },
    { allow: 'subscribe', role: 'guests', topics: ['news'] },
  ]
  const table = new Rules(
    clausesOf(rules, (filter) => filter, String),
    { operators: ['ada', 'bob'], guests: ['eve'] },
  )
  const may = (username: string | null, action: Action, topic: string, roles: string[] = []) =>
    table.decide({ clientId: 'c1', username, grants: { roles, rules: [] } }, action, topic)

  it('are had by the users that the configuration names', () => {
    expect([may('ada', 'publish', 'a/x'), may('bob', 'publish', 'a/x'), may('eve', 'publish', 'a/x')]).toEqual([
      'allow',
      'allow',
      'deny',
    ])
    expect([may('eve', 'subscribe', 'news'), may('ada', 'subscribe', 'news'), may(null, 'subscribe', 'news')]).toEqual([
      'allow',
      'deny',
      'deny',
    ])
  })

  it('are had by those who brought them along, beside those that they have', () => {
    expect(may('carl', 'publish', 'a/locked', ['operators'])).toBe('allow')
    expect(may('ada', 'publish', 'a/locked', ['guests'])).toBe('deny')
    expect(may(null, 'subscribe', 'news', ['guests'])).toBe('allow')
  })

  it('are no names of users, nor of objects', () => {
    expect(may('operators', 'publish', 'a/x')).toBe('deny')
    expect(may('ada', 'publish', 'a/x', ['constructor', '__proto__', 'toString'])).toBe('allow')
    expect(may('constructor', 'publish', 'a/x')).toBe('deny')
  })
})

describe('rules that a client brought along', () => {
  const table = new Rules(
    clausesOf(
      [
        { deny: 'publish', topics: ['a/b'] },
        { allow: ['publish', 'subscribe'], topics: ['a/#'] },
      ],
      (filter) => filter,
      (index) => `list[${index}]`,
    ),
  )
  const judge = (rules: TopicRule[], action: Action, topic: string) =>
    table.judge({ clientId: 'c1', username: 'ada', grants: { roles: [], rules } }, action, topic)

  it('come before those of the configuration, and leave to them what they do not decide', () => {
    const own: TopicRule[] = [
      { allow: 'publish', topics: ['a/b', 'own/%u/%c'] },
      { deny: 'subscribe', topics: ['a/c'] },
    ]
    expect(judge(own, 'publish', 'a/b').decision).toBe('allow')
    expect(judge(own, 'publish', 'own/ada/c1').decision).toBe('allow')
    expect(judge(own, 'publish', 'own/ada/c2').decision).toBe('deny')
    expect(judge(own, 'subscribe', 'a/c').decision).toBe('deny')
    expect(judge(own, 'subscribe', 'a/#').decision).toBe('deny')
    expect(judge(own, 'publish', 'a/c')).toMatchObject({ decision: 'allow', clause: { place: 'list[1]' } })
  })

  it.each(['a#', 'a/#/b', '', 'x+', '$share/g/a', '$delayed/5/a'])(
    'with %j, which no rule can be about, allow nothing and deny everything',
    (topic) => {
      expect(judge([{ allow: 'publish', topics: [topic] }], 'publish', 'x/y').decision).toBe('deny')
      expect(judge([{ deny: 'publish', topics: [topic] }], 'publish', 'a/x').decision).toBe('deny')
    },
  )
})

describe('a verdict', () => {
  it('names the rule and the topic in it, or that there was none', () => {
    const clauses = clausesOf(
      [
        { deny: 'publish', topics: ['x', 'a/%c'] },
        { allow: 'publish', topics: ['a/#'] },
      ],
      (filter) => filter,
      (index) => `rules[${index}]`,
    )
    const who = { clientId: 'c1', username: null, grants: { roles: [], rules: [] } }
    const judge = (topic: string) => new Rules(clauses).judge(who, 'publish', topic)
    expect(judge('a/c1')).toMatchObject({ decision: 'deny', topic: 'a/%c', clause: { place: 'rules[0]' } })
    expect(judge('a/c2')).toMatchObject({ decision: 'allow', topic: 'a/#', clause: { place: 'rules[1]' } })
    expect(judge('b')).toEqual({ decision: 'deny', topic: null, clause: null })
  })
})

describe('whatever the rules', () => {
  const actions = fc.constantFrom<Action>('publish', 'subscribe')
  const rule = fc.record({
    kind: fc.boolean(),
    action: actions,
    topics: fc.array(filters(), { minLength: 1, maxLength: 3 }),
  })
  const ruleList = fc
    .array(rule, { maxLength: 5 })
    .map((list) =>
      list.map(({ kind, action, topics }): Rule => (kind ? { allow: action, topics } : { deny: action, topics })),
    )

  it('a subscription lets in nothing that one to the topic itself would not', () => {
    fc.assert(
      fc.property(ruleList, filters(), topics(), (rules, filter, topic) => {
        if (!matches(filter, topic) || subscribe(rules, filter) === 'deny') return
        expect(subscribe(rules, topic)).toBe('allow')
      }),
      { numRuns: 2_000 },
    )
  })

  it('the first that matches the topic decides about publishing', () => {
    fc.assert(
      fc.property(ruleList, topics(), (rules, topic) => {
        const first = rules.find(
          ({ allow, deny, topics: list }) =>
            (allow ?? deny) === 'publish' && list.some((filter) => matches(filter, topic)),
        )
        expect(publish(rules, topic)).toBe(first?.allow === 'publish' ? 'allow' : 'deny')
      }),
    )
  })
})
