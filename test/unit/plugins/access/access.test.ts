import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { type AccessControl, type AccessOptions, access } from '../../../../plugins/access/index.ts'
import type { Link } from '../../../../plugins/access/link.ts'
import { putUser } from '../../../../plugins/access/password-file.ts'
import type { Authenticator, Authorizer, PluginContext, SessionView } from '../../../../src/plugin.ts'

const session = { clientId: 'c1', username: 'ada', grants: { roles: [], rules: [] } } as unknown as SessionView

function temporaryFile(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'eventflow-access-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'passwords')
  writeFileSync(file, text)
  return file
}

const FROM = { clientId: 'c1', address: '127.0.0.1', listener: 'tcp', certificate: null }

const DEFAULTS: AccessOptions = {
  passwordFile: null,
  scramFile: null,
  certificateUser: 'none',
  rules: [],
  roles: {},
  aclFile: null,
  publishDenied: 'close',
}

/** The plugin, set up and started. */
async function run(options: Partial<AccessOptions>) {
  const authenticators: Authenticator[] = []
  const authorizers: Authorizer[] = []
  const warnings: string[] = []
  const changes: string[] = []
  const context = {
    options: { ...DEFAULTS, ...options },
    log: { warn: (_data: object, text: string) => warnings.push(text) },
    authenticator: (authenticator: Authenticator) => authenticators.push(authenticator),
    authenticationMethod: () => {},
    authorizer: (authorizer: Authorizer) => authorizers.push(authorizer),
    accessTopic: (_action: string, topic: string) => topic,
    accessChanged: async () => void changes.push('changed'),
  } as unknown as PluginContext<AccessOptions>
  const instance = await access.setup(context)
  await instance?.start?.()
  const authorizer = authorizers[0]!
  /** Who decided, and how. */
  const ask = async (username: string | null, password: string | null) => {
    const secret = password === null ? null : Buffer.from(password)
    for (const authenticator of authenticators.filter(({ onlyByName }) => !onlyByName)) {
      const decision = await authenticator.authenticate({ ...FROM, username, password: secret })
      if (decision !== null) return { name: authenticator.name, decision }
    }
    return { name: null, decision: null }
  }
  return {
    warnings,
    changes,
    instance: instance!,
    change: (changed: Partial<AccessOptions>) => (instance!.api as AccessControl).change({ ...DEFAULTS, ...changed }),
    name: (await ask(null, null)).name,
    get names() {
      const there = authenticators.filter((one) => (one as Link).holder !== null && !one.onlyByName)
      return there.map(({ name }) => name)
    },
    enter: async (username: string | null, password: string | null) => (await ask(username, password)).decision,
    mayPublish: (topic: string) => authorizer.authorize(session, 'publish', topic),
    maySubscribe: (filter: string) => authorizer.authorize(session, 'subscribe', filter),
  }
}

it('without users and rules everyone may do everything, and an operator is told', async () => {
  const { enter, mayPublish, maySubscribe, warnings, names } = await run({})
  expect([await enter(null, null), await enter('x', 'y'), names]).toEqual(['allow', 'allow', ['anonymous']])
  expect([mayPublish('a'), maySubscribe('#'), maySubscribe('$eventflow/status')]).toEqual(['allow', 'allow', 'allow'])
  expect(warnings).toEqual([expect.stringContaining('nobody needs a password')])
})

it('with rules alone everyone comes in and may do what they allow', async () => {
  const { enter, mayPublish, maySubscribe } = await run({ rules: [{ allow: 'publish', topics: ['a/%c'] }] })
  expect(await enter(null, null)).toBe('allow')
  expect([mayPublish('a/c1'), mayPublish('a/c2'), maySubscribe('a/c1')]).toEqual(['allow', 'deny', 'deny'])
})

it('with users only they come in, and they may do what the rules allow', async () => {
  const passwordFile = temporaryFile('# people\n')
  await putUser(passwordFile, { user: 'ada', password: 'secret', iterations: 100 })
  const rules = [{ allow: ['publish', 'subscribe'], user: 'ada', topics: ['#'] }] as const
  const { enter, mayPublish, maySubscribe, warnings, names } = await run({ passwordFile, rules })
  expect(names).toEqual(['password'])
  expect([await enter('ada', 'secret'), await enter('ada', 'x'), await enter(null, null)]).toEqual([
    'allow',
    'deny',
    null,
  ])
  expect([mayPublish('a'), maySubscribe('#'), maySubscribe('$eventflow/status')]).toEqual(['allow', 'allow', 'deny'])
  expect(warnings).toEqual([])
})

it('with users and no rules nobody may do anything, and an operator is told', async () => {
  const { mayPublish, maySubscribe, warnings } = await run({ passwordFile: temporaryFile('') })
  expect([mayPublish('a'), maySubscribe('a')]).toEqual(['deny', 'deny'])
  expect(warnings).toEqual([expect.stringContaining('no access.rules')])
})

it('refuses to be set up with a broken password file, or one that is not there', async () => {
  const broken = temporaryFile('ada:hunter2\n')
  const problem = { code: 'ACCESS_FILE_INVALID' }
  await expect(run({ passwordFile: broken })).rejects.toMatchObject({
    ...problem,
    message: `${broken}: line 1 has no password hash that starts with $7$ or $6$`,
  })
  await expect(run({ passwordFile: `${broken}.no` })).rejects.toMatchObject({
    ...problem,
    message: `the password file ${broken}.no does not exist`,
  })
  await expect(run({ passwordFile: tmpdir() })).rejects.toMatchObject(problem)
})

it('reads an ACL file, whose rules come after the others', async () => {
  const aclFile = temporaryFile('user ada\ntopic a/#\ntopic b\n')
  const rules = [{ deny: 'publish', topics: ['a/locked'] }] as const
  const { mayPublish, warnings } = await run({ aclFile, rules, passwordFile: temporaryFile('') })
  expect([mayPublish('a/x'), mayPublish('a/locked'), mayPublish('b'), mayPublish('c')]).toEqual([
    'allow',
    'deny',
    'allow',
    'deny',
  ])
  expect(warnings).toEqual([])
})

it('takes other options while it runs: rules, roles and files that are read anew', async () => {
  const aclFile = temporaryFile('user ada\ntopic a\n')
  const { mayPublish, enter, change, changes, names } = await run({ aclFile })
  expect([mayPublish('a'), mayPublish('b'), names]).toEqual(['allow', 'deny', ['anonymous']])
  writeFileSync(aclFile, 'user ada\ntopic b\n')
  await change({ aclFile })
  expect([mayPublish('a'), mayPublish('b'), changes.length]).toEqual(['deny', 'allow', 1])
  await change({ rules: [{ allow: 'publish', role: 'r', topics: ['c'] }], roles: { r: ['ada'] } })
  expect([mayPublish('b'), mayPublish('c')]).toEqual(['deny', 'allow'])
  await change({})
  expect([mayPublish('anything'), await enter(null, null)]).toEqual(['allow', 'allow'])
  const passwordFile = temporaryFile('')
  await putUser(passwordFile, { user: 'ada', password: 'secret', iterations: 10 })
  await change({ passwordFile })
  expect([mayPublish('anything'), await enter(null, null), await enter('ada', 'secret')]).toEqual([
    'deny',
    null,
    'allow',
  ])
})

it('keeps what was in force when a file is wrong, and says where', async () => {
  const aclFile = temporaryFile('user ada\ntopic a\n')
  const { mayPublish, change, changes } = await run({ aclFile })
  writeFileSync(aclFile, 'user ada\ntopic reed b\n')
  await expect(change({ aclFile })).rejects.toMatchObject({
    code: 'ACCESS_FILE_INVALID',
    message: `${aclFile}:2: 'reed' is not read, write, readwrite or deny (a topic with spaces needs one of them)`,
  })
  await expect(change({ aclFile: `${aclFile}.no` })).rejects.toThrow(`the ACL file ${aclFile}.no does not exist`)
  await expect(change({ aclFile, passwordFile: `${aclFile}.no` })).rejects.toMatchObject({
    code: 'ACCESS_FILE_INVALID',
  })
  expect([mayPublish('a'), mayPublish('b'), changes.length]).toEqual(['allow', 'deny', 0])
})

it('when it is told twice at once, the last has the last word', async () => {
  const { mayPublish, change } = await run({})
  const slow = change({ aclFile: temporaryFile('topic a\n'), passwordFile: temporaryFile('') })
  const quick = change({ rules: [{ allow: 'publish', topics: ['b'] }] })
  await Promise.all([slow, quick])
  expect([mayPublish('a'), mayPublish('b')]).toEqual(['deny', 'allow'])
})

it('reloaded, it has found all of it right before any of it is in force, and names its files', async () => {
  const [aclFile, passwordFile] = [temporaryFile('topic a\nuser ada\ntopic a\n'), temporaryFile('')]
  const { mayPublish, instance, changes } = await run({ aclFile })
  expect(instance.files!()).toEqual([aclFile])
  const options = { ...DEFAULTS, passwordFile, rules: [{ allow: 'publish', topics: ['b'] }] }
  const apply = await instance.reload!(options)
  expect([mayPublish('a'), mayPublish('b'), changes.length, instance.files!()]).toEqual(['allow', 'deny', 0, [aclFile]])
  apply!()
  expect([mayPublish('a'), mayPublish('b'), changes.length, instance.files!()]).toEqual([
    'deny',
    'allow',
    1,
    [passwordFile],
  ])
  await expect(instance.reload!({ ...options, aclFile: `${aclFile}.no` })).rejects.toThrow(/does not exist/)
})
