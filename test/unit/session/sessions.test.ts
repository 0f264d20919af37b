import { describe, expect, it } from 'vitest'
import { Counters } from '../../../src/core/counters.ts'
import type { Departure } from '../../../src/kernel/clients.ts'
import { Kernel } from '../../../src/kernel/kernel.ts'
import type { Namespace } from '../../../src/kernel/plugin-contract.ts'
import { NEVER_EXPIRES, type Session } from '../../../src/session/session.ts'
import { type Opening, Sessions } from '../../../src/session/sessions.ts'
import type { Store } from '../../../src/store/store.ts'
import { chronicleOf } from '../../helpers/chronicle.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { Connection, memoryStore, message, recordedEvents } from './support.ts'

const LIMITS = { maxInflight: 100, maxQueued: 1_000, maxQueuedBytes: 1_000_000 }
const HOUR = 3_600

interface Options {
  store?: Store
  clock?: FakeClock
  maxExpirySeconds?: number
}

async function make({ store, clock = new FakeClock(), maxExpirySeconds = NEVER_EXPIRES }: Options = {}) {
  const { events, heard, types } = recordedEvents()
  const known = store ?? (await memoryStore())
  const expired: Session[] = []
  const onExpired = (session: Session): void => void expired.push(session)
  const durable = () => known.durable()
  const counters = new Counters()
  const parts = { store: known.sessions, durable, limits: LIMITS, maxExpirySeconds, clock, events, counters, onExpired }
  const sessions = new Sessions(parts)
  const open = (clientId: string, opening: Partial<Opening> = {}) =>
    sessions.open({ clientId, clean: false, expirySeconds: 0, username: null, address: 'here', will: null, ...opening })
  /** As kernel/clients does it. */
  const leave = (session: Session): boolean => {
    session.detach(!session.persistent)
    return sessions.release(session)
  }
  return { sessions, open, leave, clock, counters, store: known, expired, heard, types }
}

const subscription = (filter: string) => ({
  filter,
  qos: 1 as const,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0 as const,
  identifier: 0,
})

describe('a session', () => {
  it('that expires with its connection is new each time [MQTT-3.1.2-4]', async () => {
    const { sessions, open, leave, types } = await make()
    const first = open('me')
    expect(first.present).toBe(false)
    expect(leave(first.session)).toBe(true)
    expect([sessions.get('me'), sessions.size]).toEqual([undefined, 0])
    expect(open('me').present).toBe(false)
    expect(types()).toEqual(['session.created', 'session.expired', 'session.created'])
  })

  it('that outlives its connection goes on, with what waited [MQTT-3.1.2-5]', async () => {
    const { open, leave, heard } = await make()
    const { session } = open('me', { expirySeconds: HOUR })
    expect(leave(session)).toBe(false)
    session.outbox.enqueue(message('a'), 1, false, null)
    const again = open('me', { expirySeconds: HOUR, username: 'anna', address: 'there' })
    expect(again).toEqual({ session, present: true, written: true })
    expect([session.username, session.address, session.disconnectedAt]).toEqual(['anna', 'there', 0])
    expect(heard.at(-1)).toEqual({ type: 'session.resumed', clientId: 'me', expirySeconds: HOUR, waiting: 1 })
  })

  it('that is begun anew is void, with all that was kept for it [MQTT-3.1.2-4]', async () => {
    const { open, leave, store, expired, types } = await make()
    const { session } = open('me', { expirySeconds: HOUR })
    session.outbox.enqueue(message('a'), 1, false, null)
    session.inbox.add(5)
    leave(session)
    const again = open('me', { clean: true, expirySeconds: HOUR })
    expect(again.present).toBe(false)
    expect(again.session).not.toBe(session)
    expect([again.session.outbox.size, again.session.inbox.has(5)]).toEqual([0, false])
    expect(expired).toEqual([session])
    expect(types().slice(-2)).toEqual(['session.expired', 'session.created'])
    expect(await store.sessions.load()).toMatchObject([{ clientId: 'me', received: [] }])
    expect(store.sessions.outgoing.list()).toEqual([])
  })

  it('that is not kept leaves nothing in the store', async () => {
    const { open, leave, store } = await make()
    const { session } = open('me')
    session.inbox.add(5)
    session.outbox.enqueue(message('a'), 1, false, null)
    leave(session)
    expect([await store.sessions.load(), store.sessions.outgoing.list()]).toEqual([[], []])
  })

  it('that was kept and ends with its connection now is gone from the store', async () => {
    const { open, leave, store } = await make()
    leave(open('me', { expirySeconds: HOUR }).session)
    leave(open('me', { expirySeconds: 0 }).session)
    expect(await store.sessions.load()).toEqual([])
  })

  it('lives no longer than is allowed', async () => {
    const { sessions, open } = await make({ maxExpirySeconds: HOUR })
    const { session } = open('me', { expirySeconds: NEVER_EXPIRES })
    expect(session.expirySeconds).toBe(HOUR)
    sessions.changeExpiry(session, 2 * HOUR)
    expect(session.expirySeconds).toBe(HOUR)
    sessions.changeExpiry(session, 5)
    expect(session.expirySeconds).toBe(5)
  })
})

describe('the expiry of a session', () => {
  it('comes when its time is up, not before', async () => {
    const { sessions, open, leave, clock, store, expired, types } = await make()
    const { session } = open('me', { expirySeconds: HOUR })
    leave(session)
    clock.advance(HOUR * 1_000 - 1)
    expect(sessions.get('me')).toBe(session)
    clock.advance(1)
    expect([sessions.get('me'), expired]).toEqual([undefined, [session]])
    expect(types().at(-1)).toBe('session.expired')
    expect(await store.sessions.load()).toEqual([])
  })

  it('is counted, and no other end of a session is', async () => {
    const { open, leave, clock, counters } = await make()
    leave(open('expires', { expirySeconds: 10 }).session)
    leave(open('ends with its connection').session)
    leave(open('begins anew', { expirySeconds: HOUR }).session)
    open('begins anew', { clean: true })
    expect(counters.sessionsExpired).toBe(0)
    clock.advance(10_000)
    expect(counters.sessionsExpired).toBe(1)
  })

  it('does not come while the client is connected, however long', async () => {
    const { sessions, open, leave, clock } = await make()
    leave(open('me', { expirySeconds: HOUR }).session)
    clock.advance(HOUR * 999)
    const { session } = open('me', { expirySeconds: HOUR })
    clock.advance(HOUR * 10_000)
    expect(sessions.get('me')).toBe(session)
    leave(session)
    clock.advance(HOUR * 999)
    expect(sessions.get('me')).toBe(session)
    clock.advance(HOUR)
    expect(sessions.size).toBe(0)
  })

  it('never comes at 0xffffffff seconds [MQTT 5.0, 3.1.2.11.2]', async () => {
    const { sessions, open, leave, clock } = await make()
    leave(open('me', { expirySeconds: NEVER_EXPIRES }).session)
    expect(clock.pending).toBe(0)
    expect(sessions.size).toBe(1)
  })

  it('settles what was handed over to it as lost', async () => {
    const { open, leave, clock } = await make()
    const { session } = open('me', { expirySeconds: HOUR })
    leave(session)
    const settled: string[] = []
    const receiver = { settled: (token: unknown, settlement: string) => settled.push(`${token} ${settlement}`) }
    const rest = { qos: 1 as const, retain: false, identifiers: null, properties: null }
    session.outbox.deliver({ message: message('a'), ...rest, receiver, token: 'a' })
    clock.advance(HOUR * 1_000)
    expect(settled).toEqual(['a lost'])
  })

  it('does not come once the broker stops', async () => {
    const { sessions, open, leave, clock } = await make()
    leave(open('me', { expirySeconds: HOUR }).session)
    sessions.stop()
    sessions.stop()
    clock.advance(HOUR * 1_000)
    expect([sessions.size, clock.pending]).toEqual([1, 0])
  })
})

describe('a restart of the broker', () => {
  it('keeps sessions with their subscriptions, messages and received identifiers', async () => {
    const before = await make()
    const { session } = before.open('me', { expirySeconds: HOUR, username: 'anna' })
    session.subscriptions.set('a/#', subscription('a/#'))
    before.sessions.save(session)
    session.attach(new Connection())
    session.outbox.enqueue(message('sent'), 1, false, null)
    session.inbox.add(5)
    before.leave(session)
    session.outbox.enqueue(message('waits'), 1, false, null)

    const after = await make({ store: before.store, clock: before.clock })
    const [loaded] = await after.sessions.load()
    after.sessions.start()
    expect(after.sessions.get('me')).toBe(loaded)
    expect(loaded).toMatchObject({ clientId: 'me', username: 'anna', expirySeconds: HOUR, connected: false })
    expect([...loaded!.subscriptions.values()]).toEqual([subscription('a/#')])
    expect([loaded!.outbox.size, loaded!.inbox.has(5), loaded!.outbox.persistent]).toEqual([2, true, true])
    expect(after.open('me', { expirySeconds: HOUR }).present).toBe(true)
    const connection = new Connection()
    loaded!.attach(connection)
    expect(await connection.received()).toEqual(['PUBLISH DUP 1 sent', 'PUBLISH 2 waits'])
  })

  it('does not prolong a session: what was left of its time is what is left', async () => {
    const before = await make()
    before.leave(before.open('me', { expirySeconds: HOUR }).session)
    before.clock.advance(HOUR * 600)
    const after = await make({ store: before.store, clock: new FakeClock(before.clock.now()) })
    await after.sessions.load()
    after.sessions.start()
    after.clock.advance(HOUR * 400 - 1)
    expect(after.sessions.size).toBe(1)
    after.clock.advance(1)
    expect(after.sessions.size).toBe(0)
  })

  it('ends a session whose time was up meanwhile', async () => {
    const before = await make()
    before.leave(before.open('me', { expirySeconds: HOUR }).session)
    before.sessions.stop()
    const after = await make({ store: before.store, clock: new FakeClock(before.clock.now() + HOUR * 5_000) })
    await after.sessions.load()
    after.sessions.start()
    expect([after.sessions.size, after.expired.length]).toEqual([0, 1])
    expect(await before.store.sessions.load()).toEqual([])
  })

  it('counts as the end of the connections that there were, once, however often it restarts', async () => {
    const before = await make()
    before.open('me', { expirySeconds: HOUR })
    let { clock } = before
    let after = before
    for (let i = 0; i < 3; i++) {
      clock = new FakeClock(clock.now() + HOUR * 300)
      after = await make({ store: before.store, clock })
      await after.sessions.load()
      after.sessions.start()
    }
    clock.advance(HOUR * 400 - 1)
    expect(after.sessions.size).toBe(1)
    clock.advance(1)
    expect(after.sessions.size).toBe(0)
  })
})

describe('clients', () => {
  const TAKEOVER: Departure = { reason: 'takeover', reasonCode: 0x8e, publishWill: true }
  const GONE: Departure = { reason: 'network', reasonCode: 0, publishWill: true }

  async function makeKernel() {
    const { events, heard, types } = recordedEvents()
    const clock = new FakeClock()
    const store = await memoryStore()
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const counters = new Counters()
    const kernel = new Kernel({
      ...{ store, clock, events, chronicle: chronicleOf(events), counters, log },
      ...{ node: 'n', version: '0', maxTopicLevels: 10, limits: LIMITS },
      maxExpirySeconds: NEVER_EXPIRES,
    })
    const calls: string[] = []
    const namespace: Namespace = {
      accept: ({ topic }) => void calls.push(`accept ${topic}`),
      subscribe: (_session, { filter }, restored) => void calls.push(`subscribe ${filter} ${restored}`) as undefined,
      unsubscribe: (_session, filter) => void calls.push(`unsubscribe ${filter}`),
      attach: ({ clientId }) => void calls.push(`attach ${clientId}`),
      detach: ({ clientId }, ended) => void calls.push(`detach ${clientId} ${ended}`),
    }
    kernel.namespaces.claim('', namespace)
    const connect = (
      opening: { clientId?: string; expirySeconds?: number; clean?: boolean; willDelaySeconds?: number } = {},
    ) => {
      const { clientId = 'me', expirySeconds = 0, clean = false, willDelaySeconds } = opening
      const will = {
        ...{ topic: 'will', payload: Buffer.from('w'), qos: 0 as const, retain: false, expirySeconds: -1 },
        ...{ delaySeconds: willDelaySeconds ?? 0, properties: null },
      }
      const connecting = {
        ...{ clientId, clean, expirySeconds, username: null, address: 'here', keepAliveSeconds: 60 },
        will: willDelaySeconds === undefined ? null : will,
      }
      const { session, present } = kernel.clients.open(connecting)
      const connection = new Connection()
      kernel.clients.connected(session, connection, connecting, present)
      return { session, present, connection }
    }
    return { kernel, connect, calls, counters, heard, types, clock }
  }

  it('that are taken over leave their session to the new connection, when it outlives the old one', async () => {
    const { kernel, connect, calls, types } = await makeKernel()
    const first = connect({ expirySeconds: HOUR })
    await kernel.subscriptions.add(first.session, subscription('a'))
    first.session.outbox.enqueue(message('x'), 1, false, null)
    kernel.clients.gone(first.session, TAKEOVER)
    const second = connect({ expirySeconds: HOUR })
    expect([second.present, second.session]).toEqual([true, first.session])
    expect(await second.connection.received()).toEqual(['PUBLISH DUP 1 x'])
    expect(calls).toEqual(['subscribe a false', 'detach me false', 'attach me'])
    const all = types()
    expect(all.slice(all.indexOf('client.disconnected'))).toEqual([
      'client.disconnected',
      'session.taken-over',
      'session.resumed',
      'client.connected',
      'message.delivered',
    ])
  })

  it('that are taken over lose a session that ends with its connection', async () => {
    const { kernel, connect, calls, types } = await makeKernel()
    const first = connect()
    await kernel.subscriptions.add(first.session, subscription('a'))
    kernel.clients.gone(first.session, TAKEOVER)
    const second = connect()
    expect(second.present).toBe(false)
    expect(second.session).not.toBe(first.session)
    expect([first.session.subscriptions.size, kernel.sessions.get('me')]).toEqual([0, second.session])
    expect(calls).toEqual(['subscribe a false', 'detach me true'])
    expect(types()).toContain('session.taken-over')
  })

  it('that begin anew end the session that was there, and its subscriptions [MQTT-3.1.2-4]', async () => {
    const { kernel, connect, calls, heard } = await makeKernel()
    const first = connect({ expirySeconds: HOUR })
    await kernel.subscriptions.add(first.session, subscription('a'))
    kernel.clients.gone(first.session, GONE)
    connect({ clean: true, expirySeconds: HOUR })
    expect(calls).toEqual(['subscribe a false', 'detach me false', 'detach me true'])
    expect(heard).toContainEqual({
      type: 'subscription.removed',
      clientId: 'me',
      filter: 'a',
      reason: 'session-ended',
    })
  })

  it('that are gone for longer than their session lasts lose their subscriptions', async () => {
    const { kernel, connect, calls, clock } = await makeKernel()
    const first = connect({ expirySeconds: HOUR })
    await kernel.subscriptions.add(first.session, subscription('a'))
    kernel.clients.gone(first.session, GONE)
    clock.advance(HOUR * 1_000)
    expect(calls.at(-1)).toBe('detach me true')
    expect(kernel.sessions.size).toBe(0)
  })

  it('that are taken over have their will published, unless their session goes on before its delay is over', async () => {
    const { kernel, connect, calls, clock } = await makeKernel()
    kernel.clients.gone(connect({ expirySeconds: HOUR, willDelaySeconds: 0 }).session, TAKEOVER)
    expect(calls).toEqual(['accept will'])
    kernel.clients.gone(connect({ expirySeconds: HOUR, willDelaySeconds: 60 }).session, TAKEOVER)
    connect({ expirySeconds: HOUR })
    clock.advance(HOUR * 1_000)
    expect(calls).toEqual(['accept will'])
  })

  it('are counted, now and at the most, through takeovers and returns', async () => {
    const { kernel, connect, counters } = await makeKernel()
    const numbers = () => [counters.clientsConnected, counters.clientsMaximum, kernel.sessions.size]
    const first = connect({ clientId: 'a', expirySeconds: HOUR })
    kernel.clients.gone(first.session, TAKEOVER)
    expect(numbers()).toEqual([0, 1, 1])
    const again = connect({ clientId: 'a', expirySeconds: HOUR })
    const other = connect({ clientId: 'b' })
    expect(numbers()).toEqual([2, 2, 2])
    for (const { session } of [again, other]) kernel.clients.gone(session, GONE)
    connect({ clientId: 'c' })
    expect(numbers()).toEqual([1, 2, 2])
  })

  it('that say goodbye properly have no will published [MQTT-3.14.4-3]', async () => {
    const { kernel, connect, calls } = await makeKernel()
    kernel.clients.gone(connect({ willDelaySeconds: 0 }).session, { ...GONE, reason: 'client', publishWill: false })
    expect(calls).toEqual([])
  })

  it('that nobody vouches for are not let in: 0x87 without, 0x86 with wrong credentials', async () => {
    const { kernel, heard } = await makeKernel()
    const { clients, access } = kernel
    const credentials = {
      clientId: 'me',
      username: 'anna',
      password: null,
      address: 'here',
      listener: 'tcp',
      certificate: null,
    }
    await clients.admit(credentials)
    expect(heard.at(-1)).toMatchObject({ type: 'access.authenticated', username: 'anna' })
    access.addAuthenticator({ name: 'no', authenticate: () => null })
    const wrong = { ...credentials, password: Buffer.from('x') }
    await expect(clients.admit(wrong)).rejects.toMatchObject({ code: 0x86 })
    await expect(clients.admit(credentials)).rejects.toMatchObject({ code: 0x87 })
    await expect(clients.admit({ ...credentials, username: null })).rejects.toMatchObject({ code: 0x87 })
    expect(heard.at(-1)).toMatchObject({ type: 'access.denied', action: 'connect' })
  })

  describe('under an identifier that is in use', () => {
    const credentials = { clientId: 'me', password: null, address: 'here', listener: 'tcp', certificate: null }
    const grants = { roles: [], rules: [] }
    const is = (username: string | null, proved: boolean) => ({ by: 'test', username, proved, grants, expiresAt: null })

    it.each([
      { whose: "another user's", owner: is('anna', true), comer: is('bob', true) },
      {
        whose: 'a user who has proved the name, while they have not,',
        owner: is('anna', true),
        comer: is('anna', false),
      },
      { whose: "a user's, and have no name,", owner: is('anna', true), comer: is(null, false) },
    ])('are not let in when it is $whose', async ({ owner, comer }) => {
      const { kernel, heard } = await makeKernel()
      const { sessions, clients } = kernel
      const opening = { clientId: 'me', clean: false, expirySeconds: HOUR, address: 'here', will: null }
      sessions.open({ ...opening, ...owner })
      expect(() => clients.checkOwner({ ...credentials, username: comer.username }, comer)).toThrow(
        expect.objectContaining({ code: 0x87 }),
      )
      expect(heard.at(-1)).toMatchObject({ type: 'access.denied', action: 'connect', username: comer.username })
    })

    it.each([
      { whose: 'their own', owner: is('anna', true), comer: is('anna', true) },
      { whose: 'of somebody who has proved nothing', owner: is('anna', false), comer: is('bob', true) },
      { whose: 'of somebody without a name', owner: is(null, false), comer: is('bob', true) },
    ])('are let in when it is $whose', async ({ owner, comer }) => {
      const { kernel } = await makeKernel()
      const { sessions, clients } = kernel
      sessions.open({ clientId: 'me', clean: false, expirySeconds: HOUR, address: 'here', will: null, ...owner })
      expect(() => clients.checkOwner({ ...credentials, username: comer.username }, comer)).not.toThrow()
    })
  })
})
