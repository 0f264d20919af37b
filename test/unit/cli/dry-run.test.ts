/** What `eventflow check` finds wrong without starting anything, and what it says that clients may do. */

import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ask } from '../../../src/cli/access-question.ts'
import { problemsOf } from '../../../src/cli/dry-run.ts'
import { resolveConfig } from '../../../src/config/load.ts'
import type { ConfigInput } from '../../../src/config/schema.ts'
import { temporaryFolder } from '../../helpers/broker.ts'
import { tlsFiles } from '../../helpers/tls.ts'

/** A folder with a file of nonsense, one of a secret, and one of users. */
async function arrange() {
  const folder = await temporaryFolder()
  const files = { nonsense: 'n o n s e n s e', secret: 's'.repeat(64), users: '' }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const path = (name: string) => join(folder, name)
  const problems = (config: ConfigInput) => problemsOf(resolveConfig({ store: { kind: 'memory' }, ...config }))
  return { folder, path, problems }
}

it('nothing is wrong with what is right, and nothing is written', async () => {
  const { folder, path, problems } = await arrange()
  const { options: tls } = await tlsFiles()
  const config: ConfigInput = {
    listeners: { tcp: { authenticators: ['password', 'jwt', 'http'] }, tls },
    store: { kind: 'level', path: path('data') },
    access: { passwordFile: path('users') },
    jwt: { secretFile: path('secret'), algorithms: ['HS256'] },
    httpAuth: { url: 'http://127.0.0.1:1/' },
    http: { port: 0 },
    status: { file: { path: path('log/events.jsonl') } },
    log: { file: { path: path('log/broker.log') } },
  }
  expect(await problems(config)).toEqual([])
  expect((await readdir(folder)).toSorted()).toEqual(['nonsense', 'secret', 'users'])
})

it.each<[what: string, config: (path: (name: string) => string) => ConfigInput, problem: RegExp]>([
  [
    'a password file',
    (path) => ({ access: { passwordFile: path('nonsense') } }),
    /nonsense: line 1 is not of the form/,
  ],
  ['a SCRAM file', (path) => ({ access: { scramFile: path('nonsense') } }), /nonsense/],
  ['an ACL file', (path) => ({ access: { aclFile: path('nonsense') } }), /nonsense/],
  ['keys of tokens', (path) => ({ jwt: { jwksFile: path('nonsense') } }), /nonsense/],
  ['a secret for tokens', (path) => ({ jwt: { secretFile: path('users'), algorithms: ['HS256'] } }), /users/],
  ['a bearer token', (path) => ({ httpAuth: { url: 'http://x/', bearerTokenFile: path('none') } }), /none .*ENOENT/],
  ['tokens of HTTP', (path) => ({ http: { port: 0, tokenFile: path('nonsense') } }), /nonsense, line 1: expected/],
  [
    'a certificate',
    (path) => ({ listeners: { tls: { cert: path('nonsense'), key: path('none') } } }),
    /^listeners\.tls\.cert: .*nonsense/,
  ],
  [
    'the name of an authenticator',
    () => ({ listeners: { tcp: { authenticators: ['nobody'] } } }),
    /^listeners\.tcp\.authenticators: expected names out of .*, found "nobody"$/,
  ],
  ['a file of events', (path) => ({ status: { file: { path: path('folder') } } }), /^status\.file\.path: .* directory/],
  ['a log', (path) => ({ log: { file: { path: path('users/log') } } }), /^log\.file\.path: .* cannot be/],
  ['a store', (path) => ({ store: { kind: 'level', path: path('users') } }), /^store\.path: .* not a directory$/],
])('%s that is wrong is found', async (_what, config, problem) => {
  const { path, problems } = await arrange()
  await mkdir(path('folder'))
  expect(await problems(config(path))).toEqual([expect.stringMatching(problem)])
})

it('all that is wrong is said at once', async () => {
  const { path, problems } = await arrange()
  const config: ConfigInput = {
    access: { passwordFile: path('nonsense') },
    http: { port: 0, tokenFile: path('none') },
    status: { file: { path: path('users/events') } },
  }
  expect(await problems(config)).toHaveLength(3)
})

it.each<[string, (path: string) => ConfigInput]>([
  ['tokens', (secretFile) => ({ jwt: { secretFile, algorithms: ['HS256'] } })],
  ['a server', () => ({ httpAuth: { url: 'http://127.0.0.1:1/' } })],
])('where %s say who somebody is and no rule what one may do, nothing is allowed', async (_what, config) => {
  const { path } = await arrange()
  const question = { user: 'ada', clientId: 'ada', roles: [], action: 'publish', topic: 'a' } as const
  const answer = await ask(resolveConfig(config(path('secret'))), question)
  expect(answer).toMatchObject({ allowed: false, reason: 'no rule: denied by default' })
  expect(await ask(resolveConfig({}), question)).toMatchObject({ allowed: true })
})
