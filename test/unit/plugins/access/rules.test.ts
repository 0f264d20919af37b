import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Action, type Rule, Rules } from '../../../../plugins/access/rules.ts'
import { matches } from '../../../../src/plugin.ts'
import { filters, topics } from './arbitraries.ts'

const nobody = { clientId: 'c1', username: null }
const ada = { clientId: 'c1', username: 'ada' }

function publish(rules: Rule[], topic: string, names: { clientId: string; username: string | null } = nobody) {
  return new Rules(rules).decide(names, 'publish', topic)
}

function subscribe(rules: Rule[], filter: string, names: { clientId: string; username: string | null } = nobody) {
  return new Rules(rules).decide(names, 'subscribe', filter)
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
