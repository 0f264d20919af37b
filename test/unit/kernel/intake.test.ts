import { describe, expect, it } from 'vitest'
import { KnownTopic } from '../../../src/core/known-topic.ts'
import { Refusal } from '../../../src/core/reason-codes.ts'
import { Access } from '../../../src/kernel/access.ts'
import { Intake } from '../../../src/kernel/intake.ts'
import { Namespaces } from '../../../src/kernel/namespaces.ts'
import { message } from '../session/support.ts'
import { outcome } from '../wire/support.ts'
import { makeSessions, RecordingNamespace } from './support.ts'

async function make() {
  const { events, heard, open } = await makeSessions()
  const access = new Access()
  const namespaces = new Namespaces()
  const [pubsub, queues] = [new RecordingNamespace(), new RecordingNamespace()]
  namespaces.claim('', pubsub)
  namespaces.claim('queue/', queues)
  const intake = new Intake({ access, namespaces, events })
  const session = open('me')
  heard.length = 0
  return { intake, access, pubsub, queues, session, heard }
}

describe('a message from a client', () => {
  it('is given to the owner of its topic, and told', async () => {
    const { intake, pubsub, queues, session, heard } = await make()
    intake.publish(session, message('xyz', { topic: 'a', from: 'me', qos: 1, retain: true }))
    intake.publish(session, message('', { topic: 'queue/b', from: 'me' }))
    expect([pubsub.calls, queues.calls]).toEqual([['accept a'], ['accept queue/b']])
    const [told] = heard
    expect(told).toEqual({ type: 'message.published', clientId: 'me', topic: 'a', qos: 1, retain: true, bytes: 3 })
  })

  it('is told of once it is safe, and not at all when it is refused after all', async () => {
    const { intake, pubsub, session, heard } = await make()
    let keep = (): void => {}
    pubsub.accept = () => new Promise((resolve) => (keep = resolve))
    const kept = intake.publish(session, message('x', { topic: 'kept' }))
    pubsub.accept = () => Promise.reject(new Refusal(0x97, 'full'))
    await expect(intake.publish(session, message('x', { topic: 'refused' }))).rejects.toThrow('full')
    expect(heard).toEqual([])
    keep()
    await kept
    expect(heard).toMatchObject([{ type: 'message.published', topic: 'kept' }])
  })

  it('may be acknowledged when what its owner answers has resolved', async () => {
    const { intake, pubsub, session } = await make()
    expect(intake.publish(session, message('x'))).toBeUndefined()
    const safe = Promise.resolve()
    pubsub.onAccept = () => safe
    expect(intake.publish(session, message('x'))).toBe(safe)
  })

  it('is refused with what its owner says, and not told as published', async () => {
    const { intake, queues, session, heard } = await make()
    queues.onAccept = () => {
      throw new Refusal(0x97, 'the queue is full')
    }
    expect(outcome(() => intake.publish(session, message('x', { topic: 'queue/a' })))).toBe(0x97)
    expect(heard).toEqual([])
  })

  it('is given to the same owner, and asked about all the same, when its topic is known', async () => {
    const { intake, access, pubsub, queues, session } = await make()
    const publish = (known: KnownTopic) => {
      const one = message('x', { topic: known.text })
      one.known = known
      return intake.publish(session, one)
    }
    const [plain, queue, dollar] = ['a', 'queue/b', '$mine/c'].map(
      (text) => new KnownTopic(text, Buffer.alloc(0), 0, 0, -1),
    )
    for (let n = 0; n < 2; n++) for (const known of [plain!, queue!, dollar!]) publish(known)
    expect(pubsub.calls).toEqual(['accept a', 'accept $mine/c', 'accept a', 'accept $mine/c'])
    expect(queues.calls).toEqual(['accept queue/b', 'accept queue/b'])
    access.addAuthorizer({ name: 'no', authorize: () => 'deny' })
    for (const known of [plain!, queue!, dollar!]) expect(outcome(() => publish(known))).toBe(0x87)
  })

  it('is refused with 0x87 where the client may not publish', async () => {
    const { intake, access, pubsub, session, heard } = await make()
    access.addAuthorizer({ name: 'no', authorize: (_session, _action, topic) => (topic === 'a' ? 'deny' : 'allow') })
    expect(outcome(() => intake.publish(session, message('x', { topic: 'a' })))).toBe(0x87)
    expect(pubsub.calls).toEqual([])
    expect(heard).toMatchObject([{ type: 'access.denied', clientId: 'me', action: 'publish', topic: 'a' }])
    intake.publish(session, message('x', { topic: 'b' }))
    expect(pubsub.calls).toEqual(['accept b'])
  })

  it.each(['$SYS/a', '$eventflow/events', '$share/group/a'])(
    'may not be on a topic of the broker: %s',
    async (topic) => {
      const { intake, pubsub, session } = await make()
      expect(outcome(() => intake.publish(session, message('x', { topic })))).toBe(0x87)
      expect(pubsub.calls).toEqual([])
    },
  )

  it.each(['$mine/a', '$SYSTEM', 'a/$SYS/b'])('may be on others with $: %s', async (topic) => {
    const { intake, pubsub, session } = await make()
    intake.publish(session, message('x', { topic }))
    expect(pubsub.calls).toEqual([`accept ${topic}`])
  })
})

describe('a message of the broker', () => {
  it('may be anywhere, and nobody is asked', async () => {
    const { intake, access, pubsub, heard } = await make()
    access.addAuthorizer({ name: 'no', authorize: () => 'deny' })
    intake.publishAsBroker(message('x', { topic: '$SYS/uptime' }))
    expect(pubsub.calls).toEqual(['accept $SYS/uptime'])
    expect(heard).toMatchObject([{ type: 'message.published', clientId: '' }])
  })
})
