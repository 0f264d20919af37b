import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { type AccessOptions, access } from '../../../../plugins/access/index.ts'
import { putUser } from '../../../../plugins/access/password-file.ts'
import type { Authenticator, Authorizer, PluginContext, SessionView } from '../../../../src/plugin.ts'

const session = { clientId: 'c1', username: 'ada' } as SessionView

function temporaryFile(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'eventflow-access-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'passwords')
  writeFileSync(file, text)
  return file
}

/** The plugin, set up and started. */
async function run(options: Partial<AccessOptions>) {
  const authenticators: Authenticator[] = []
  const authorizers: Authorizer[] = []
  const warnings: string[] = []
  const context = {
    options: {
      passwordFile: null,
      scramFile: null,
      certificateUser: 'none',
      rules: [],
      publishDenied: 'close',
      users: typeof options.passwordFile === 'string',
      ...options,
    },
    log: { warn: (_data: object, text: string) => warnings.push(text) },
    authenticator: (authenticator: Authenticator) => authenticators.push(authenticator),
    authorizer: (authorizer: Authorizer) => authorizers.push(authorizer),
  } as unknown as PluginContext<AccessOptions>
  const instance = await access.setup(context)
  await instance?.start?.()
  const [authenticator, authorizer] = [authenticators[0]!, authorizers[0]!]
  return {
    warnings,
    name: authenticator.name,
    enter: (username: string | null, password: string | null) =>
      authenticator.authenticate({
        clientId: 'c1',
        address: '127.0.0.1',
        listener: 'tcp',
        certificate: null,
        username,
        password: password === null ? null : Buffer.from(password),
      }),
    mayPublish: (topic: string) => authorizer.authorize(session, 'publish', topic),
    maySubscribe: (filter: string) => authorizer.authorize(session, 'subscribe', filter),
  }
}

it('without users and rules everyone may do everything, and an operator is told', async () => {
  const { enter, mayPublish, maySubscribe, warnings, name } = await run({})
  expect([await enter(null, null), await enter('x', 'y'), name]).toEqual(['allow', 'allow', 'anonymous'])
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
  const { enter, mayPublish, maySubscribe, warnings, name } = await run({ passwordFile, rules })
  expect(name).toBe('password')
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
