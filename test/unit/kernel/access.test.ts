import { describe, expect, it } from 'vitest'
import { KnownTopic } from '../../../src/core/known-topic.ts'
import { Access } from '../../../src/kernel/access.ts'
import type { Decision } from '../../../src/kernel/plugin-contract.ts'
import { makeSessions } from './support.ts'

const CREDENTIALS = {
  clientId: 'me',
  username: 'anna',
  password: Buffer.from('secret'),
  address: 'here',
  listener: 'tcp',
  certificate: null,
}

const NONE = { roles: [], rules: [] }

function authenticator(name: string, decision: Decision | Promise<Decision>, asked: string[] = []) {
  return {
    name,
    authenticate: () => {
      asked.push(name)
      return decision
    },
  }
}

function authorizer(decide: (action: string, topic: string) => Decision, asked: string[] = []) {
  return {
    name: 'rules',
    authorize: (_session: unknown, action: string, topic: string) => {
      asked.push(`${action} ${topic}`)
      return decide(action, topic)
    },
  }
}

describe('authentication', () => {
  it('lets everyone in when there is nobody to ask', async () => {
    expect(await new Access().authenticate(CREDENTIALS)).toEqual({
      by: expect.any(String),
      username: 'anna',
      expiresAt: null,
      grants: NONE,
      proved: false,
    })
  })

  it('is by the first who decides; the rest is not asked', async () => {
    const access = new Access()
    const asked: string[] = []
    access.addAuthenticator(authenticator('first', null, asked))
    access.addAuthenticator(authenticator('second', Promise.resolve('allow'), asked))
    access.addAuthenticator(authenticator('third', 'deny', asked))
    expect(await access.authenticate(CREDENTIALS)).toEqual({
      by: 'second',
      username: 'anna',
      grants: NONE,
      proved: true,
      expiresAt: null,
    })
    expect(asked).toEqual(['first', 'second'])
  })

  it('may be under a name that was proved, whatever name was given', async () => {
    const access = new Access()
    access.addAuthenticator({ name: 'certificate', authenticate: () => ({ username: 'device-7' }) })
    const admission = { by: 'certificate', username: 'device-7', grants: NONE, proved: true, expiresAt: null }
    expect(await access.authenticate(CREDENTIALS)).toEqual(admission)
  })

  it('may bring roles and rules along', async () => {
    const access = new Access()
    const grants = { roles: ['operators'], rules: [{ allow: 'publish' as const, topics: ['a'] }] }
    access.addAuthenticator({ name: 'token', authenticate: () => ({ username: 'ada', ...grants }) })
    expect(await access.authenticate(CREDENTIALS)).toMatchObject({ username: 'ada', grants })
  })

  it('proves no name where nobody asks for a proof, and where there is no name', async () => {
    const access = new Access()
    access.addAuthenticator({ ...authenticator('anonymous', 'allow'), unproved: true })
    expect(await access.authenticate(CREDENTIALS)).toMatchObject({ proved: false })
    const other = new Access()
    other.addAuthenticator(authenticator('by address', 'allow'))
    expect(await other.authenticate({ ...CREDENTIALS, username: null })).toMatchObject({ proved: false })
  })

  it('may be for a time', async () => {
    const access = new Access()
    access.addAuthenticator({ name: 'token', authenticate: () => ({ username: 'device-7', expiresAt: 5 }) })
    expect(await access.authenticate(CREDENTIALS)).toMatchObject({ by: 'token', expiresAt: 5 })
  })

  it('is by those whom the listener names, in its order, and by nobody else', async () => {
    const access = new Access()
    const asked: string[] = []
    for (const name of ['first', 'second', 'third']) access.addAuthenticator(authenticator(name, null, asked))
    access.setChain('tls', ['third', 'first'])
    expect(await access.authenticate({ ...CREDENTIALS, listener: 'tls' })).toBeNull()
    expect(asked).toEqual(['third', 'first'])
    access.setChain('tls', null)
    await access.authenticate({ ...CREDENTIALS, listener: 'tls' })
    expect(asked.slice(2)).toEqual(['first', 'second', 'third'])
  })

  it('asks some only where a listener names them', async () => {
    const access = new Access()
    access.addAuthenticator({ ...authenticator('named', 'allow'), onlyByName: true })
    access.addAuthenticator(authenticator('usual', 'deny'))
    access.setChain('unix', ['named'])
    expect(await access.authenticate(CREDENTIALS)).toBeNull()
    expect(await access.authenticate({ ...CREDENTIALS, listener: 'unix' })).toMatchObject({ by: 'named' })
  })

  it('is refused by the first who says so', async () => {
    const access = new Access()
    access.addAuthenticator(authenticator('first', 'deny'))
    access.addAuthenticator(authenticator('second', 'allow'))
    expect(await access.authenticate(CREDENTIALS)).toBeNull()
  })

  it('lets nobody in for whom nobody speaks', async () => {
    const access = new Access()
    access.addAuthenticator(authenticator('first', null))
    expect(await access.authenticate(CREDENTIALS)).toBeNull()
  })

  it('rejects when an authenticator breaks, and so lets nobody in', async () => {
    const access = new Access()
    access.addAuthenticator(authenticator('broken', Promise.reject(new Error('no disk'))))
    await expect(access.authenticate(CREDENTIALS)).rejects.toThrow('no disk')
  })
})

describe('what a client may do', () => {
  it('is everything when there is nobody to ask, and nothing when all shrug', async () => {
    const session = (await makeSessions()).open('me')
    const access = new Access()
    expect([access.mayPublish(session, 'a'), access.maySubscribe(session, '#')]).toEqual([true, true])
    access.addAuthorizer(authorizer(() => null))
    access.changed()
    expect([access.mayPublish(session, 'a'), access.maySubscribe(session, '#')]).toEqual([false, false])
  })

  it('is what the first who decides says', async () => {
    const session = (await makeSessions()).open('me')
    const access = new Access()
    access.addAuthorizer(authorizer((_action, topic) => (topic === 'a' ? 'deny' : null)))
    access.addAuthorizer(authorizer(() => 'allow'))
    expect([access.mayPublish(session, 'a'), access.mayPublish(session, 'b')]).toEqual([false, true])
  })

  it('is remembered for publishing, by session and topic', async () => {
    const { open } = await makeSessions()
    const access = new Access()
    const asked: string[] = []
    access.addAuthorizer(authorizer((_action, topic) => (topic === 'a' ? 'allow' : 'deny'), asked))
    const [me, you] = [open('me'), open('you')]
    for (let i = 0; i < 3; i++) {
      expect([access.mayPublish(me, 'a'), access.mayPublish(me, 'b'), access.mayPublish(you, 'a')]).toEqual([
        true,
        false,
        true,
      ])
    }
    expect(asked).toEqual(['publish a', 'publish b', 'publish a'])
  })

  it('is asked for anew for each subscription', async () => {
    const session = (await makeSessions()).open('me')
    const access = new Access()
    const asked: string[] = []
    access.addAuthorizer(authorizer(() => 'allow', asked))
    access.maySubscribe(session, 'a')
    access.maySubscribe(session, 'a')
    expect(asked.length).toBe(2)
  })

  it.each<[string, (access: Access, session: Parameters<Access['forget']>[0]) => void]>([
    ['the rules have changed', (access) => access.changed()],
    ['the client is gone', (access, session) => access.forget(session)],
    ['its connection is gone', (_access, session) => session.detach(false)],
  ])('is decided anew when %s, whether messages know their topic or not', async (_when, act) => {
    const session = (await makeSessions()).open('me')
    const access = new Access()
    let decision: Decision = 'allow'
    access.addAuthorizer(authorizer(() => decision))
    const known = new KnownTopic('a', Buffer.from('a'), 0, 1, -1)
    const both = () => [access.mayPublish(session, 'a', known), access.mayPublish(session, 'a')]
    expect(both()).toEqual([true, true])
    decision = 'deny'
    expect(both()).toEqual([true, true])
    act(access, session)
    expect(both()).toEqual([false, false])
    decision = 'allow'
    access.changed()
    expect(both()).toEqual([true, true])
  })

  it('of one topic says nothing of another, nor of another client', async () => {
    const { open } = await makeSessions()
    const access = new Access()
    access.addAuthorizer(authorizer((_action, topic) => (topic === 'a' ? 'allow' : 'deny')))
    const [a, b] = ['a', 'b'].map((text) => new KnownTopic(text, Buffer.from(text), 0, 1, -1))
    for (const session of [open('me'), open('you')]) {
      const all = [a!, b!, a!, a!, b!].map((known) => access.mayPublish(session, known.text, known))
      expect(all).toEqual([true, false, true, true, false])
    }
  })

  it('is remembered for a thousand topics at most', async () => {
    const session = (await makeSessions()).open('me')
    const access = new Access()
    access.addAuthorizer(authorizer((_action, topic) => (Number(topic) % 2 === 0 ? 'allow' : 'deny')))
    for (let i = 0; i < 5_000; i++) {
      expect(access.mayPublish(session, String(i))).toBe(i % 2 === 0)
      expect(session.publishRights!.size).toBeLessThanOrEqual(1_000)
    }
  })
})
