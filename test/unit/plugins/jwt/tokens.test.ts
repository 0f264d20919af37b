/** Tokens as passwords: which are taken, and as whom. */

import { exportPKCS8, exportSPKI } from 'jose'
import { describe, expect, it } from 'vitest'
import { type JwtOptions, jwt } from '../../../../plugins/jwt/index.ts'
import { resolveConfig } from '../../../../src/config/load.ts'
import type { Authenticator, PluginContext } from '../../../../src/plugin.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { fileWith, forge, keySetOf, makeKeys, publicKeyFile, SECRET, sign } from '../../../helpers/tokens.ts'
import { SILENT } from '../../kernel/support.ts'

/** The plugin's authenticator. */
async function make(options: Partial<JwtOptions>, clock = new FakeClock(Date.now())) {
  const given = resolveConfig({ jwt: options as { algorithms: ['RS256'] } }).jwt
  let authenticator: Authenticator | undefined
  const context = { options: given, clock, log: SILENT, authenticator: (own: Authenticator) => (authenticator = own) }
  await jwt.setup(context as unknown as PluginContext<JwtOptions | null>)
  const enter = (token: string | null, username: string | null = null) =>
    Promise.resolve(
      authenticator!.authenticate({
        clientId: 'c1',
        address: '127.0.0.1:1',
        listener: 'tcp',
        certificate: null,
        username,
        password: token === null ? null : Buffer.from(token),
      }),
    )
  return { enter, clock }
}

const withSecret = async (more: Partial<JwtOptions> = {}) =>
  make({ algorithms: ['HS256'], secretFile: await fileWith(SECRET), ...more })

describe.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('a token with %s', (algorithm) => {
  it('is taken with its public key, in PEM or in a JWK Set, and with no other', async () => {
    const [keys, others] = [await makeKeys(algorithm), await makeKeys(algorithm)]
    const algorithms = [algorithm]
    const { enter } = await make({ algorithms, publicKeyFile: await publicKeyFile(keys) })
    expect(await enter(await sign(keys.privateKey, algorithm))).toMatchObject({ username: 'alice' })
    await expect(enter(await sign(others.privateKey, algorithm))).rejects.toMatchObject({ code: 0x86 })
    const jwksFile = await fileWith(JSON.stringify(await keySetOf({ a: others, b: keys })))
    const set = await make({ algorithms, jwksFile })
    expect(await set.enter(await sign(keys.privateKey, algorithm, {}, { kid: 'b' }))).toMatchObject({
      username: 'alice',
    })
    await expect(set.enter(await sign(keys.privateKey, algorithm, {}, { kid: 'a' }))).rejects.toMatchObject({
      code: 0x86,
    })
  })

  it('that does not name its key is tried with all that it could have', async () => {
    const [a, b, c] = [await makeKeys(algorithm), await makeKeys(algorithm), await makeKeys(algorithm)]
    const jwksFile = await fileWith(JSON.stringify(await keySetOf({ a, b })))
    const { enter } = await make({ algorithms: [algorithm], jwksFile })
    expect(await enter(await sign(b.privateKey, algorithm))).toMatchObject({ username: 'alice' })
    await expect(enter(await sign(c.privateKey, algorithm))).rejects.toMatchObject({ code: 0x86 })
  })
})

describe('a token with HS256', () => {
  it('is taken with its secret, a line break at the end of the file aside', async () => {
    const token = await sign(SECRET, 'HS256')
    expect(await (await withSecret()).enter(token)).toMatchObject({ username: 'alice' })
    const secretFile = await fileWith(`${SECRET.toString()}\r\n`)
    expect(await (await withSecret({ secretFile })).enter(token)).toMatchObject({ username: 'alice' })
    const other = await sign(Buffer.from(`${SECRET.toString()}!`), 'HS256')
    await expect((await withSecret()).enter(other)).rejects.toMatchObject({ code: 0x86 })
  })

  it('is not taken with a public key for its secret, which everybody knows', async () => {
    const keys = await makeKeys('RS256')
    const { enter } = await make({ algorithms: ['RS256', 'ES256'], publicKeyFile: await publicKeyFile(keys) })
    const pem = Buffer.from(await exportSPKI(keys.publicKey))
    for (const secret of [pem, pem.subarray(0, -1)]) {
      await expect(enter(await sign(secret, 'HS256'))).rejects.toMatchObject({ code: 0x86 })
    }
  })

  it('is not taken with a secret out of a JWK Set', async () => {
    const set = { keys: [{ kty: 'oct', kid: 'a', k: SECRET.toString('base64url') }] }
    const { enter } = await make({ jwksFile: await fileWith(JSON.stringify(set)) })
    await expect(enter(await sign(SECRET, 'HS256', {}, { kid: 'a' }))).rejects.toMatchObject({ code: 0x86 })
  })
})

describe('a token', () => {
  it.each([
    ['none', ''],
    ['None', ''],
    ['NONE', ''],
    ['none', 'c2lnbmF0dXJl'],
  ])('with the algorithm %s is not taken', async (alg, signature) => {
    const { enter } = await withSecret()
    const claims = { sub: 'alice', exp: 9_999_999_999 }
    await expect(enter(forge({ alg, typ: 'JWT' }, claims, signature))).rejects.toMatchObject({ code: 0x86 })
  })

  it('that was changed is not taken', async () => {
    const { enter } = await withSecret()
    const [head, , signature] = (await sign(SECRET, 'HS256')).split('.')
    const claims = Buffer.from(JSON.stringify({ sub: 'root', exp: 9_999_999_999 })).toString('base64url')
    await expect(enter(`${head}.${claims}.${signature}`)).rejects.toMatchObject({ code: 0x86 })
    await expect(enter(`${head}.${claims}.`)).rejects.toMatchObject({ code: 0x86 })
  })

  it('with an algorithm that was not asked for is not taken, though the secret is right', async () => {
    const { enter } = await withSecret()
    await expect(enter(await sign(SECRET, 'HS384'))).rejects.toMatchObject({ code: 0x86 })
  })

  it('counts from nbf to exp, give or take the tolerance, which the connection has too', async () => {
    const clock = new FakeClock(1_000_000_000_000)
    const secretFile = await fileWith(SECRET)
    const { enter } = await make({ algorithms: ['HS256'], secretFile, clockTolerance: 5_000 }, clock)
    const token = await sign(SECRET, 'HS256', { nbf: 1_000_000_010, exp: 1_000_000_020 })
    await expect(enter(token)).rejects.toMatchObject({ code: 0x87, message: 'the token is not valid yet' })
    clock.advance(5_000)
    expect(await enter(token)).toMatchObject({ expiresAt: 1_000_000_025_000 })
    clock.advance(19_000)
    expect(await enter(token)).toMatchObject({ username: 'alice' })
    clock.advance(1_000)
    await expect(enter(token)).rejects.toMatchObject({ code: 0x87, message: 'the token has expired' })
  })

  it('without an end is not taken, unless that is wanted', async () => {
    const token = await sign(SECRET, 'HS256', { exp: undefined })
    await expect((await withSecret()).enter(token)).rejects.toMatchObject({ code: 0x86 })
    const identity = await (await withSecret({ requireExpiry: false })).enter(token)
    expect(identity).toMatchObject({ username: 'alice' })
    expect(identity).toHaveProperty('expiresAt', undefined)
  })

  it('must be from the issuer, and for us, where that is said', async () => {
    const { enter } = await withSecret({ issuer: 'https://id.example', audience: ['mqtt', 'broker'] })
    const claims = { iss: 'https://id.example', aud: 'mqtt' }
    expect(await enter(await sign(SECRET, 'HS256', claims))).toMatchObject({ username: 'alice' })
    const several = await sign(SECRET, 'HS256', { ...claims, aud: ['web', 'broker'] })
    expect(await enter(several)).toMatchObject({ username: 'alice' })
    for (const wrong of [{ iss: 'https://other.example' }, { aud: 'web' }, { aud: undefined }, { iss: undefined }]) {
      await expect(enter(await sign(SECRET, 'HS256', { ...claims, ...wrong }))).rejects.toMatchObject({ code: 0x86 })
    }
  })

  it('says who its bearer is, whom a user name in CONNECT may repeat, and not contradict', async () => {
    const { enter } = await withSecret()
    const token = await sign(SECRET, 'HS256')
    for (const name of [null, '', 'alice']) expect(await enter(token, name)).toMatchObject({ username: 'alice' })
    await expect(enter(token, 'bob')).rejects.toMatchObject({ code: 0x86 })
  })

  it('brings roles and rules along, in claims of any name, one within another too', async () => {
    const rules = [
      { deny: 'subscribe', topics: ['a/secret'] },
      { allow: ['publish', 'subscribe'], topics: ['a/#', 'devices/%c/+'] },
    ]
    const token = await sign(SECRET, 'HS256', {
      'https://example.com/name': 'ada',
      realm_access: { roles: ['operators', 'readers'] },
      rules,
    })
    const { enter } = await withSecret({ usernameClaim: 'https://example.com/name', rolesClaim: 'realm_access.roles' })
    expect(await enter(token)).toMatchObject({ username: 'ada', roles: ['operators', 'readers'], rules })
    const scope = await sign(SECRET, 'HS256', { scope: 'operators readers' })
    expect(await (await withSecret({ rolesClaim: 'scope' })).enter(scope)).toMatchObject({
      roles: ['operators', 'readers'],
      rules: [],
    })
  })

  it.each([
    ['no name', { sub: undefined }],
    ['an empty name', { sub: '' }],
    ['a name that is no text', { sub: 7 }],
    ['a name with a line break', { sub: 'a\nb' }],
    ['roles that are no list', { roles: { a: 1 } }],
    ['roles that are no text', { roles: [1] }],
    ['rules that are no list', { rules: 'a/#' }],
    ['a rule that allows and denies', { rules: [{ allow: 'publish', deny: 'publish', topics: ['a'] }] }],
    ['a rule for something unknown', { rules: [{ allow: 'read', topics: ['a'] }] }],
    ['a rule on no topics', { rules: [{ allow: 'publish', topics: [] }] }],
    ['a rule on what is no filter', { rules: [{ allow: 'publish', topics: ['a#'] }] }],
    ['a rule with more to it', { rules: [{ deny: 'publish', topics: ['a'], unless: 'b' }] }],
  ])('with %s is not taken: nobody knows what it means', async (_what, claims) => {
    const { enter } = await withSecret()
    await expect(enter(await sign(SECRET, 'HS256', claims))).rejects.toMatchObject({ code: 0x86 })
  })
})

it.each([null, '', 'secret', 'a.b.c', 'eyJ.x', 'eyJhbGciOiJIUzI1NiJ9', 'eyJé.a.b'])(
  'what has not the form of a token (%j) is left to the next',
  async (password) => {
    expect(await (await withSecret()).enter(password, 'alice')).toBeNull()
  },
)

describe('is refused at start, and not quoted:', () => {
  it.each([
    ['a secret that is too short', { algorithms: ['HS512'], secretFile: 'short secret' }, 'has 12 bytes, and 64'],
    ['what is no key', { publicKeyFile: 'hunter2' }, 'has no public key in PEM'],
    ['what is no JWK Set', { jwksFile: '{"hunter2":' }, 'is no JWK Set'],
    ['a set without keys', { jwksFile: '{"hunter2":1}' }, 'is no JWK Set'],
  ])('%s', async (_what, options, problem) => {
    const [name, text] = Object.entries(options).find(([key]) => key.endsWith('File')) as [string, string]
    const file = await fileWith(text)
    const error = await make({ ...options, [name]: file } as Partial<JwtOptions>).catch((error) => error)
    expect(error).toMatchObject({ code: 'ACCESS_FILE_INVALID', message: expect.stringContaining(`${file} ${problem}`) })
    expect(JSON.stringify([error.message, error.cause])).not.toMatch(/hunter2|short secret/)
  })

  it('a private key, and one that no algorithm is for', async () => {
    const keys = await makeKeys('ES256')
    const privateKey = await fileWith(await exportPKCS8(keys.privateKey))
    await expect(make({ publicKeyFile: privateKey })).rejects.toThrow('has a private key where the public one belongs')
    const file = await publicKeyFile(keys)
    await expect(make({ algorithms: ['RS256'], publicKeyFile: file })).rejects.toThrow('none of jwt.algorithms is for')
  })

  it('a file that is not there', async () => {
    await expect(make({ publicKeyFile: '/nowhere' })).rejects.toThrow('the key file /nowhere does not exist')
  })
})

it('other keys, other options and none at all are taken while the broker runs; those that are wrong change nothing', async () => {
  const file = await fileWith(SECRET)
  const optionsOf = (jwt: object | null) => resolveConfig({ jwt: jwt as { secretFile: string } | null }).jwt
  let own: Authenticator | undefined
  const context = {
    options: optionsOf({ algorithms: ['HS256'], secretFile: file }),
    clock: new FakeClock(Date.now()),
    log: SILENT,
    authenticator: (given: Authenticator) => (own = given),
  }
  const instance = (await jwt.setup(context as unknown as PluginContext<JwtOptions | null>))!
  const token = Buffer.from(await sign(SECRET, 'HS256'))
  const peer = { clientId: 'c', username: null, address: 'x:1', listener: 'tcp', certificate: null }
  const enter = async () => own!.authenticate({ ...peer, password: token })
  expect(instance.files!()).toEqual([file])
  const short = await fileWith('short')
  await expect(instance.reload!(optionsOf({ algorithms: ['HS256'], secretFile: short }))).rejects.toThrow('5 bytes')
  expect(await enter()).toMatchObject({ username: 'alice' })
  const apply = await instance.reload!(optionsOf({ algorithms: ['HS256'], secretFile: file, usernameClaim: 'name' }))
  expect(await enter()).toMatchObject({ username: 'alice' })
  apply!()
  await expect(enter()).rejects.toMatchObject({ code: 0x86 })
  ;(await instance.reload!(null))!()
  expect(await enter()).toBeNull()
  expect(instance.files!()).toEqual([])
})
