import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/core/message.ts'
import { ReasonCode, Refusal } from '../../../src/core/reason-codes.ts'
import type { Will } from '../../../src/core/will.ts'
import { Access } from '../../../src/kernel/access.ts'
import { Intake } from '../../../src/kernel/intake.ts'
import { Namespaces } from '../../../src/kernel/namespaces.ts'
import { Wills } from '../../../src/kernel/wills.ts'
import type { Session } from '../../../src/session/session.ts'
import { makeSessions, SILENT } from './support.ts'

async function make() {
  const { clock, events, heard, open, sessions, store } = await makeSessions()
  const access = new Access()
  const namespaces = new Namespaces()
  const published: Message[] = []
  const warnings: object[] = []
  let accepted: () => void | Promise<void> = () => {}
  const accept = (message: Message): void | Promise<void> => {
    published.push(message)
    return accepted()
  }
  namespaces.claim('', { accept, subscribe: () => undefined, unsubscribe() {} })
  const log = { ...SILENT, warn: (data: object) => void warnings.push(data) }
  const intake = new Intake({ access, namespaces, events })
  const wills = new Wills({ access, intake, clock, events, log, save: (session) => sessions.save(session) })
  const failing = (how: () => void | Promise<void>): void => {
    accepted = how
  }
  /** A session whose connection is gone, and left this. */
  const left = (clientId: string, expirySeconds: number, fields: Partial<Will> = {}): Session => {
    const session = open(clientId, expirySeconds)
    session.will = will(fields)
    sessions.release(session)
    return session
  }
  return { wills, left, sessions, store, clock, heard, access, published, warnings, failing }
}

function will(fields: Partial<Will> = {}): Will {
  const rest = { qos: 1 as const, retain: true, delaySeconds: 0, expirySeconds: -1, properties: null }
  return { topic: 'will', payload: Buffer.from('gone'), ...rest, ...fields }
}

describe('a will', () => {
  it('without a delay is published at once, as it was left [MQTT-3.1.2-8]', async () => {
    const { wills, left, clock, published, heard } = await make()
    const properties = Buffer.from([0x01, 1])
    wills.due(left('me', 60, { properties, expirySeconds: 10 }))
    expect(published).toMatchObject([
      {
        topic: 'will',
        qos: 1,
        retain: true,
        from: 'me',
        properties,
        receivedAt: clock.now(),
        expiresAt: clock.now() + 10_000,
      },
    ])
    expect(published[0]!.payload.toString()).toBe('gone')
    expect(heard).toContainEqual({ type: 'message.will-published', clientId: 'me', topic: 'will' })
  })

  it('with a delay is published after it; its own expiry is counted from then', async () => {
    const { wills, left, clock, published } = await make()
    wills.due(left('me', 60, { delaySeconds: 30, expirySeconds: 5 }))
    clock.advance(29_999)
    expect(published).toEqual([])
    clock.advance(1)
    expect(published).toMatchObject([{ receivedAt: clock.now(), expiresAt: clock.now() + 5_000 }])
  })

  it('is published when its session ends, whatever is left of its delay, and not once more', async () => {
    const { wills, left, clock, published } = await make()
    const session = left('me', 60, { delaySeconds: 30 })
    wills.due(session)
    wills.ended(session)
    expect(published.length).toBe(1)
    wills.ended(session)
    clock.advance(60_000)
    expect(published.length).toBe(1)
  })

  it('is cancelled when the client is back in its session in time [MQTT-3.1.3-9]', async () => {
    const { wills, left, clock, published } = await make()
    const session = left('me', 600, { delaySeconds: 30 })
    wills.due(session)
    wills.returned(session)
    clock.advance(60_000)
    expect(published).toEqual([])
  })

  it('of one client is no concern of another', async () => {
    const { wills, left, clock, published } = await make()
    wills.due(left('me', 60, { delaySeconds: 30 }))
    wills.returned(left('you', 60))
    clock.advance(30_000)
    expect(published.length).toBe(1)
  })

  it('is in the store until it is published, and not any more then [MQTT-3.1.2-10]', async () => {
    const { wills, left, clock, store } = await make()
    wills.due(left('me', 60, { delaySeconds: 30 }))
    expect(await store.sessions.load()).toMatchObject([{ will: { topic: 'will', delaySeconds: 30 } }])
    clock.advance(30_000)
    expect(await store.sessions.load()).toMatchObject([{ will: null }])
  })

  it('of a session that has ended leaves nothing in the store', async () => {
    const { wills, left, store, published } = await make()
    wills.ended(left('me', 0))
    expect(published.length).toBe(1)
    expect(await store.sessions.load()).toEqual([])
  })

  it('may not be published where its client may not publish: an event tells of it', async () => {
    const { wills, left, access, published, warnings, heard } = await make()
    access.addAuthorizer({ name: 'no', authorize: () => 'deny' })
    wills.due(left('me', 60))
    expect([published, warnings]).toEqual([[], []])
    const refused = { type: 'message.refused', clientId: 'me', topic: 'will', reasonCode: ReasonCode.NotAuthorized }
    expect(heard).toContainEqual(expect.objectContaining(refused))
    expect(heard.some(({ type }) => type === 'message.will-published')).toBe(false)
  })

  it('may not be published on a topic of the broker', async () => {
    const { wills, left, published, heard } = await make()
    wills.due(left('me', 60, { topic: '$SYS/uptime' }))
    expect(published).toEqual([])
    expect(heard.at(-1)).toMatchObject({ type: 'message.refused', topic: '$SYS/uptime' })
  })

  it.each([
    [
      'at once',
      () => {
        throw new Error('full')
      },
    ],
    ['later', () => Promise.reject(new Error('full'))],
  ])('that its owner cannot take %s ends in the log', async (_when, how) => {
    const { wills, left, failing, warnings, heard } = await make()
    failing(how)
    wills.due(left('me', 60))
    await Promise.resolve()
    expect(warnings).toMatchObject([{ clientId: 'me', topic: 'will' }])
    expect(heard.at(-1)).toMatchObject({ type: 'message.refused', reason: 'the broker failed' })
  })

  it('that its owner refuses ends with an event', async () => {
    const { wills, left, failing, warnings, heard } = await make()
    failing(() => Promise.reject(new Refusal(ReasonCode.QuotaExceeded, 'no room')))
    wills.due(left('me', 60))
    await Promise.resolve()
    expect(warnings).toEqual([])
    expect(heard.at(-1)).toMatchObject({ type: 'message.refused', reason: 'no room' })
  })

  it('that waits is not published once the broker stops, and is kept', async () => {
    const { wills, left, clock, store, published, sessions } = await make()
    wills.due(left('me', 60, { delaySeconds: 30 }))
    sessions.stop()
    wills.stop()
    clock.advance(60_000)
    expect([published, clock.pending]).toEqual([[], 0])
    expect(await store.sessions.load()).toMatchObject([{ will: { topic: 'will' } }])
  })
})
