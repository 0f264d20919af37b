/** Mosquitto's ACL files: decided as Mosquitto 2.0.11 does, where nothing else is said in the table. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { aclClauses } from '../../../../plugins/access/acl-file.ts'
import { Rules } from '../../../../plugins/access/rules.ts'
import { ACL_CASES, BROKEN_ACLS } from './acl-table.ts'

const NONE = { roles: [], rules: [] }
const same = (filter: string): string => filter

describe.each(ACL_CASES)('$what', ({ acl, questions }) => {
  const rules = new Rules(aclClauses(acl, 'acl', same))

  it.each(questions)('$user ($clientId), $action on $topic', (question) => {
    const { user, clientId = 'c0', action, topic, allowed, here = allowed } = question
    const decision = rules.decide({ clientId, username: user, grants: NONE }, action, topic)
    expect(decision).toBe(here ? 'allow' : 'deny')
  })
})

it.each(BROKEN_ACLS)('$acl is refused, with its line', ({ acl, line }) => {
  expect(() => aclClauses(acl, 'some/acl', same)).toThrow(
    expect.objectContaining({
      code: 'ACCESS_FILE_INVALID',
      message: expect.stringMatching(new RegExp(`^some/acl:${line}: .`)),
    }),
  )
})

it.each(['topic read $share/g/a', 'pattern $delayed/5/%c'])('%s is refused: no rule can be about it', (acl) => {
  expect(() => aclClauses(acl, 'acl', same)).toThrow(/^acl:1: no rule can be about/)
})

it('a subscription is judged as a whole, where Mosquitto grants it and keeps back single messages', () => {
  const rules = new Rules(aclClauses('user ada\ntopic read a/#\ntopic deny a/secret\n', 'acl', same))
  const may = (filter: string) => rules.decide({ clientId: 'c', username: 'ada', grants: NONE }, 'subscribe', filter)
  expect([may('a/b'), may('a/b/#'), may('a/#'), may('#'), may('a/+')]).toEqual([
    'allow',
    'allow',
    'deny',
    'deny',
    'deny',
  ])
})

it('a verdict names the file and the line', () => {
  const rules = new Rules(aclClauses('# mine\n\ntopic a\npattern deny b/%c\n', 'config/acl', same))
  const place = (topic: string) =>
    rules.judge({ clientId: 'c', username: null, grants: NONE }, 'publish', topic).clause?.place
  expect([place('a'), place('b/c'), place('x')]).toEqual(['config/acl:3', 'config/acl:4', undefined])
})

it('other names of topics are the same topics', () => {
  const canonical = (filter: string) => filter.replace(/^\$queue\//, 'queue/')
  const rules = new Rules(aclClauses('topic deny $queue/secret\ntopic $queue/#\npattern $queue/%c\n', 'acl', canonical))
  const may = (topic: string) => rules.decide({ clientId: 'c', username: null, grants: NONE }, 'publish', topic)
  expect([may('queue/a'), may('queue/secret')]).toEqual(['allow', 'deny'])
})

it('the example is one', () => {
  const file = new URL('../../../../config/acl.example', import.meta.url)
  const rules = new Rules(aclClauses(readFileSync(file, 'utf8'), 'acl', same))
  const may = (username: string | null, action: 'publish' | 'subscribe', topic: string) =>
    rules.decide({ clientId: 'c', username, grants: NONE }, action, topic)
  expect([may('ada', 'publish', 'devices/x'), may('ada', 'publish', 'devices/vault/x')]).toEqual(['allow', 'deny'])
  expect([may(null, 'subscribe', 'news/x'), may('eve', 'publish', 'devices/eve/x')]).toEqual(['allow', 'allow'])
})
