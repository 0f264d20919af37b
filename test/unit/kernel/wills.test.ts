import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/core/message.ts'
import { Access } from '../../../src/kernel/access.ts'
import { Intake } from '../../../src/kernel/intake.ts'
import { Namespaces } from '../../../src/kernel/namespaces.ts'
import { Wills } from '../../../src/kernel/wills.ts'
import type { Will } from '../../../src/wire/will.ts'
import { makeSessions, SILENT } from './support.ts'

async function make() {
  const { clock, events, heard, open } = await makeSessions()
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
  const wills = new Wills({ access, intake: new Intake({ access, namespaces, events }), clock, events, log })
  const failing = (how: () => void | Promise<void>): void => {
    accepted = how
  }
  return { wills, open, clock, heard, access, published, warnings, failing }
}

function will(fields: Partial<Will> = {}): Will {
  const rest = { qos: 1 as const, retain: true, delaySeconds: 0, expirySeconds: -1, properties: null }
  return { topic: 'will', payload: Buffer.from('gone'), ...rest, ...fields }
}

describe('a will', () => {
  it('without a delay is published at once, as it was left [MQTT-3.1.2-8]', async () => {
    const { wills, open, clock, published, heard } = await make()
    const properties = Buffer.from([0x01, 1])
    wills.due(open('me', 60), will({ properties, expirySeconds: 10 }), false)
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

  it('with a delay is published after it', async () => {
    const { wills, open, clock, published } = await make()
    wills.due(open('me', 60), will({ delaySeconds: 30, expirySeconds: 0 }), false)
    clock.advance(29_999)
    expect(published).toEqual([])
    clock.advance(1)
    expect(published).toMatchObject([{ receivedAt: clock.now(), expiresAt: clock.now() }])
    expect(clock.pending).toBe(0)
  })

  it('is published no later than its session ends [MQTT 5.0, 3.1.3.2.2]', async () => {
    const { wills, open, clock, published } = await make()
    wills.due(open('me', 10), will({ delaySeconds: 30 }), false)
    clock.advance(10_000)
    expect(published.length).toBe(1)
    wills.due(open('you'), will({ delaySeconds: 30 }), true)
    expect(published.length).toBe(2)
  })

  it('is cancelled when the client is back in time [MQTT-3.1.3-9]', async () => {
    const { wills, open, clock, published } = await make()
    wills.due(open('me', 60), will({ delaySeconds: 30 }), false)
    wills.returned('me', true)
    expect(clock.pending).toBe(0)
    clock.advance(60_000)
    expect(published).toEqual([])
  })

  it('is published at once when the client is back with a new session, which ends the old one', async () => {
    const { wills, open, clock, published } = await make()
    wills.due(open('me', 60), will({ delaySeconds: 30 }), false)
    wills.returned('me', false)
    expect(published.length).toBe(1)
    clock.advance(60_000)
    expect(published.length).toBe(1)
  })

  it('of one client is no concern of another', async () => {
    const { wills, open, clock, published } = await make()
    wills.due(open('me', 60), will({ delaySeconds: 30 }), false)
    wills.returned('you', true)
    clock.advance(30_000)
    expect(published.length).toBe(1)
  })

  it('may not be published where its client may not publish', async () => {
    const { wills, open, access, published, warnings, heard } = await make()
    access.addAuthorizer({ name: 'no', authorize: () => 'deny' })
    wills.due(open('me'), will(), true)
    expect([published, warnings.length]).toEqual([[], 1])
    expect(heard.some(({ type }) => type === 'message.will-published')).toBe(false)
  })

  it('may not be published on a topic of the broker', async () => {
    const { wills, open, published, warnings } = await make()
    wills.due(open('me'), will({ topic: '$SYS/uptime' }), true)
    expect([published, warnings.length]).toEqual([[], 1])
  })

  it.each([
    [
      'at once',
      () => {
        throw new Error('full')
      },
    ],
    ['later', () => Promise.reject(new Error('full'))],
  ])('that its owner refuses %s ends in the log', async (_when, how) => {
    const { wills, open, failing, warnings } = await make()
    failing(how)
    wills.due(open('me'), will(), true)
    await Promise.resolve()
    expect(warnings).toMatchObject([{ clientId: 'me', topic: 'will' }])
  })

  it('is not published once the broker stops', async () => {
    const { wills, open, clock, published } = await make()
    wills.due(open('me', 60), will({ delaySeconds: 30 }), false)
    wills.stop()
    clock.advance(60_000)
    expect([published, clock.pending]).toEqual([[], 0])
  })
})
