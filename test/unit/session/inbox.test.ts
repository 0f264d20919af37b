import { describe, expect, it } from 'vitest'
import { Inbox } from '../../../src/session/inbox.ts'
import { memoryStore } from './support.ts'

async function make({ persistent = true, received = [] as number[] } = {}) {
  const store = await memoryStore()
  const record = { clientId: 'me', username: null, expirySeconds: 60, disconnectedAt: 0, subscriptions: [], will: null }
  store.sessions.put(record)
  const inbox = new Inbox('me', store.sessions, received)
  inbox.persistent = persistent
  /** What a restart would find. */
  const stored = async () => (await store.sessions.load())[0]?.received
  return { inbox, stored }
}

describe('a packet identifier at QoS 2', () => {
  it('is let through once, until it is released [MQTT-4.3.3-10]', async () => {
    const { inbox } = await make()
    expect(inbox.has(7)).toBe(false)
    inbox.add(7)
    expect([inbox.has(7), inbox.has(8)]).toEqual([true, false])
    expect([inbox.release(7), inbox.release(7)]).toEqual([true, false])
    expect(inbox.has(7)).toBe(false)
  })

  it('is remembered across a restart of the broker', async () => {
    const { inbox, stored } = await make()
    for (const id of [1, 65_535, 300]) inbox.add(id)
    inbox.release(1)
    expect((await stored())?.toSorted()).toEqual([300, 65_535])
  })

  it('that was found in the store is a repetition', async () => {
    const { inbox } = await make({ received: [3, 4] })
    expect([inbox.has(3), inbox.has(5)]).toEqual([true, false])
  })

  it('that is released leaves nothing in the store', async () => {
    const { inbox, stored } = await make()
    inbox.add(7)
    await stored()
    inbox.release(7)
    expect(await stored()).toEqual([])
  })

  it('of a session that ends with its connection is not stored', async () => {
    const { inbox, stored } = await make({ persistent: false })
    inbox.add(7)
    expect([inbox.has(7), await stored()]).toEqual([true, []])
  })
})
