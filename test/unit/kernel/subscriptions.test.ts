import { describe, expect, it } from 'vitest'
import { Refusal } from '../../../src/core/reason-codes.ts'
import { Access } from '../../../src/kernel/access.ts'
import { Namespaces } from '../../../src/kernel/namespaces.ts'
import type { Decision } from '../../../src/kernel/plugin-contract.ts'
import { Review } from '../../../src/kernel/review.ts'
import { Subscriptions } from '../../../src/kernel/subscriptions.ts'
import { makeSessions, RecordingNamespace, SILENT, subscription } from './support.ts'

async function make() {
  const { store, sessions, events, heard, open } = await makeSessions()
  const access = new Access()
  const namespaces = new Namespaces()
  const [pubsub, queues] = [new RecordingNamespace(), new RecordingNamespace()]
  namespaces.claim('', pubsub)
  namespaces.claim('queue/', queues)
  const subscriptions = new Subscriptions({
    access,
    namespaces,
    sessions,
    store,
    events,
    log: SILENT,
    limits: { maxTopicLevels: 4, maxTopicBytes: 65_535, maxSubscriptions: Infinity },
  })
  const rules = (decide: (filter: string) => Decision) =>
    access.addAuthorizer({ name: 'rules', authorize: (_session, _action, filter) => decide(filter) })
  const review = new Review({ access, sessions, subscriptions })
  return { access, subscriptions, review, pubsub, queues, store, sessions, heard, open, rules }
}

describe('a subscription', () => {
  it('is given to the owner of its filter, kept with the session, and told', async () => {
    const { subscriptions, pubsub, queues, heard, open } = await make()
    const session = open('me')
    await subscriptions.add(session, subscription('a/#', { qos: 2 }))
    await subscriptions.add(session, subscription('queue/b'))
    expect([pubsub.calls, queues.calls]).toEqual([['subscribe me a/#'], ['subscribe me queue/b']])
    expect([...session.subscriptions.keys()]).toEqual(['a/#', 'queue/b'])
    expect(heard).toContainEqual({ type: 'subscription.added', clientId: 'me', filter: 'a/#', qos: 2 })
  })

  it('is replaced by another on the same filter [MQTT-3.8.4-3]', async () => {
    const { subscriptions, open } = await make()
    const session = open('me')
    await subscriptions.add(session, subscription('a', { qos: 2 }))
    await subscriptions.add(session, subscription('a', { qos: 0 }))
    expect([...session.subscriptions.values()]).toEqual([subscription('a', { qos: 0 })])
  })

  it('of a session that is kept is safe when it is granted', async () => {
    const { subscriptions, store, open } = await make()
    await subscriptions.add(open('me', 60), subscription('a'))
    expect(await store.sessions.load()).toMatchObject([{ subscriptions: [subscription('a')] }])
  })

  it('comes with what the namespace wants to do after the client was told', async () => {
    const { subscriptions, pubsub, open } = await make()
    const after = () => {}
    pubsub.onSubscribe = () => Promise.resolve(after)
    expect(await subscriptions.add(open('me'), subscription('a'))).toBe(after)
  })
})

describe('a subscription whose client is gone while it is decided', () => {
  it('is ended in its namespace too', async () => {
    const { subscriptions, queues, sessions, open } = await make()
    let grant = (_after: undefined): void => {}
    queues.onSubscribe = () =>
      new Promise((resolve) => {
        grant = resolve
      })
    const session = open('me')
    const added = subscriptions.add(session, subscription('queue/a')).catch(() => undefined)
    sessions.end(session)
    subscriptions.detach(session, true)
    grant(undefined)
    await added
    expect(queues.calls.slice(1)).toHaveLength(1) // unsubscribe or detach
    expect(session.subscriptions.size).toBe(0)
  })
})

describe('a subscription is refused', () => {
  it.each([
    ['0x8f when its filter is none', '', 0x8f],
    ['0x8f when its filter is none', 'a/#/b', 0x8f],
    ['0x8f when its filter has too many levels', 'a/b/c/d/e', 0x8f],
    ['0x8f when its group has no name', '$share//a', 0x8f],
    ['0x8f when it has too many levels behind its group', '$share/group/a/b/c/d/e', 0x8f],
    ['0x87 when access control says so', 'secret/a', 0x87],
    ['0x87 when access control says so of what a group shares', '$share/group/secret/a', 0x87],
  ])('with %s: %j', async (_why, filter, code) => {
    const { subscriptions, pubsub, open, rules, heard } = await make()
    rules((wanted) => (wanted.startsWith('secret/') ? 'deny' : 'allow'))
    const session = open('me')
    await expect(subscriptions.add(session, subscription(filter))).rejects.toMatchObject({ name: 'Refusal', code })
    expect([session.subscriptions.size, pubsub.calls]).toEqual([0, []])
    expect(heard.at(-1)).toMatchObject({ type: 'subscription.refused', clientId: 'me', filter, reasonCode: code })
    expect(heard.some(({ type }) => type === 'access.denied')).toBe(code === 0x87)
  })

  it('with what its namespace says', async () => {
    const { subscriptions, queues, open, heard } = await make()
    queues.onSubscribe = () => {
      throw new Refusal(0x97, 'too many consumers')
    }
    const session = open('me')
    await expect(subscriptions.add(session, subscription('queue/a'))).rejects.toMatchObject({ code: 0x97 })
    expect(session.subscriptions.size).toBe(0)
    expect(heard.at(-1)).toMatchObject({ reasonCode: 0x97, reason: 'too many consumers' })
  })

  it('without a word about the inside when the broker fails', async () => {
    const { subscriptions, queues, open, heard } = await make()
    queues.onSubscribe = () => Promise.reject(new Error('/var/lib: no space'))
    await expect(subscriptions.add(open('me'), subscription('queue/a'))).rejects.toThrow('no space')
    expect(heard.at(-1)).toMatchObject({ reasonCode: 0x80, reason: expect.not.stringContaining('/var/lib') })
  })
})

describe('the end of a subscription', () => {
  it('is told to its namespace, and kept', async () => {
    const { subscriptions, pubsub, store, open, heard } = await make()
    const session = open('me', 60)
    await subscriptions.add(session, subscription('a'))
    expect([subscriptions.remove(session, 'a'), subscriptions.remove(session, 'a')]).toEqual([true, false])
    expect(pubsub.calls).toEqual(['subscribe me a', 'unsubscribe me a'])
    expect(heard.filter(({ type }) => type === 'subscription.removed').length).toBe(1)
    expect(await store.sessions.load()).toMatchObject([{ subscriptions: [] }])
  })

  it('comes with the end of the session: namespaces are told once each, then the filters are gone', async () => {
    const { subscriptions, pubsub, queues, open, heard } = await make()
    const session = open('me')
    for (const filter of ['a', 'b', 'queue/c']) await subscriptions.add(session, subscription(filter))
    subscriptions.detach(session, true)
    expect([pubsub.calls.at(-1), queues.calls.at(-1)]).toEqual(['detach me ended', 'detach me ended'])
    expect(pubsub.calls.filter((call) => call.startsWith('detach')).length).toBe(1)
    expect([session.subscriptions.size, heard.filter(({ type }) => type === 'subscription.removed').length]).toEqual([
      0, 3,
    ])
  })

  it('does not come with the end of the connection', async () => {
    const { subscriptions, pubsub, open } = await make()
    const session = open('me', 60)
    await subscriptions.add(session, subscription('a'))
    subscriptions.detach(session, false)
    expect([pubsub.calls.at(-1), session.subscriptions.size]).toEqual(['detach me', 1])
  })
})

describe('a subscription, when the rules change,', () => {
  it('is judged again when the rules change before it is granted', async () => {
    const { access, subscriptions, pubsub, heard, open, rules } = await make()
    const session = open('me')
    let decision: Decision = 'allow'
    rules(() => decision)
    pubsub.onSubscribe = () => {
      decision = 'deny'
      access.changed()
      return undefined
    }
    await expect(subscriptions.add(session, subscription('a'))).rejects.toMatchObject({ code: 0x87 })
    expect([session.subscriptions.size, pubsub.calls]).toEqual([0, ['subscribe me a', 'unsubscribe me a']])
    expect(heard.map(({ type }) => type)).not.toContain('subscription.added')
  })

  it('is not granted when it was taken away while it was being stored', async () => {
    const { access, subscriptions, review, pubsub, heard, store, open, rules } = await make()
    const session = open('me', 60)
    let decision: Decision = 'allow'
    rules(() => decision)
    const durable = store.durable.bind(store)
    store.durable = async () => {
      decision = 'deny'
      access.changed()
      await review.all()
      return durable()
    }
    await expect(subscriptions.add(session, subscription('a'))).rejects.toMatchObject({ code: 0x87 })
    expect([session.subscriptions.size, pubsub.calls.at(-1)]).toEqual([0, 'unsubscribe me a'])
    expect(heard.map(({ type }) => type)).not.toContain('subscription.added')
  })

  it('is taken from every session that may not have it, of very many, and from those that are away', async () => {
    const { access, review, heard, open, rules } = await make()
    let decision: Decision = 'allow'
    rules((filter) => (filter === 'a' ? 'allow' : decision))
    const sessions = Array.from({ length: 3_000 }, (_, i) => open(`c${i}`, i % 2))
    for (const session of sessions) {
      for (const filter of ['a', 'b']) session.subscriptions.set(filter, subscription(filter))
    }
    decision = 'deny'
    access.changed()
    await review.all()
    expect(sessions.every(({ subscriptions }) => [...subscriptions.keys()].join() === 'a')).toBe(true)
    const removed = heard.filter(({ type }) => type === 'subscription.removed')
    expect([removed.length, removed[0]]).toEqual([
      3_000,
      expect.objectContaining({ filter: 'b', reason: 'not-authorized' }),
    ])
  })
})

describe('a session that comes back', () => {
  it('is attached to the namespaces in which it has subscriptions', async () => {
    const { subscriptions, pubsub, queues, open } = await make()
    const session = open('me')
    await subscriptions.add(session, subscription('a'))
    subscriptions.attach(session)
    expect([pubsub.calls.at(-1), queues.calls]).toEqual(['attach me', []])
  })

  it('loses what it may no longer read', async () => {
    const { subscriptions, review, pubsub, open, rules } = await make()
    const session = open('me')
    let allowed = true
    rules((filter) => (allowed || filter === 'a' ? 'allow' : 'deny'))
    for (const filter of ['secret/1', 'a', 'secret/2']) await subscriptions.add(session, subscription(filter))
    allowed = false
    review.one(session)
    subscriptions.attach(session)
    expect([...session.subscriptions.keys()]).toEqual(['a'])
    expect(pubsub.calls.slice(3)).toEqual(['unsubscribe me secret/1', 'unsubscribe me secret/2', 'attach me'])
  })

  it('from the store is subscribed as it was', async () => {
    const { subscriptions, pubsub, queues, open } = await make()
    const session = open('me', 60)
    for (const filter of ['a', 'queue/b']) session.subscriptions.set(filter, subscription(filter))
    await subscriptions.restore(session)
    expect([pubsub.calls, queues.calls]).toEqual([['restore me a'], ['restore me queue/b']])
  })
})

describe('a shared subscription', () => {
  it('is shown as it is to a namespace that knows groups', async () => {
    const { subscriptions, pubsub, open } = await make()
    pubsub.sharing = true
    const session = open('me')
    await subscriptions.add(session, subscription('$share/g/a'))
    await subscriptions.restore(session)
    subscriptions.remove(session, '$share/g/a')
    expect(pubsub.calls).toEqual(['subscribe me $share/g/a', 'restore me $share/g/a', 'unsubscribe me $share/g/a'])
  })

  it('is a subscription like any other to the owner of the filter behind its group', async () => {
    const { subscriptions, pubsub, queues, store, open } = await make()
    const session = open('me', 60)
    await subscriptions.add(session, subscription('$share/g/queue/a'))
    subscriptions.attach(session)
    subscriptions.detach(session, false)
    await subscriptions.restore(session)
    expect([...session.subscriptions.keys()]).toEqual(['$share/g/queue/a'])
    expect(await store.sessions.load()).toMatchObject([{ subscriptions: [subscription('$share/g/queue/a')] }])
    subscriptions.remove(session, '$share/g/queue/a')
    const expected = ['subscribe me queue/a', 'attach me', 'detach me', 'restore me queue/a', 'unsubscribe me queue/a']
    expect([queues.calls, pubsub.calls]).toEqual([expected, []])
  })

  it('on the same filter there ends for its namespace with the last of them', async () => {
    const { subscriptions, queues, open } = await make()
    const session = open('me')
    for (const filter of ['queue/a', '$share/g/queue/a', '$share/h/queue/a', 'queue/b']) {
      await subscriptions.add(session, subscription(filter))
    }
    queues.calls.length = 0
    const answers = ['queue/a', '$share/h/queue/a', '$share/h/queue/a', '$share/g/queue/a'].map((filter) =>
      subscriptions.remove(session, filter),
    )
    expect(answers).toEqual([true, true, false, true])
    expect(queues.calls).toEqual(['restore me queue/a', 'restore me queue/a', 'unsubscribe me queue/a'])
    expect([...session.subscriptions.keys()]).toEqual(['queue/b'])
  })

  it('is taken from a session that may no longer read what is behind it', async () => {
    const { subscriptions, review, open, rules } = await make()
    const session = open('me')
    let allowed = true
    rules((filter) => (allowed || filter === 'a' ? 'allow' : 'deny'))
    for (const filter of ['$share/g/secret', '$share/g/a']) await subscriptions.add(session, subscription(filter))
    allowed = false
    review.one(session)
    expect([...session.subscriptions.keys()]).toEqual(['$share/g/a'])
  })
})
