/**
 * A group through random histories: members come, go, subscribe, unsubscribe, acknowledge; the broker is killed. Nothing
 * is lost that must not be, and nothing is doubled that must not be.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ClientOptions, House, type TestClient } from '../unit/pubsub/support.ts'

const SHARE = '$share/g/t'

/** All are subscribed at first. The rock never gives it up, so there is always somebody whom a message can go to. */
const PEOPLE: Readonly<Record<string, ClientOptions>> = {
  rock: { expiry: 0xffff_ffff, receiveMaximum: 3 },
  kept: { expiry: 0xffff_ffff, receiveMaximum: 2 },
  clean: { receiveMaximum: 2 },
  other: { receiveMaximum: 4 },
}
const names = Object.keys(PEOPLE)
const others = fc.constantFrom(...names.filter((name) => name !== 'rock'))
const anyone = fc.constantFrom(...names)

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('publish' as const), qos: fc.constantFrom(1 as const, 2 as const) }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('settle' as const), who: anyone }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('connect' as const), who: anyone }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('subscribe' as const), who: anyone }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('disconnect' as const), who: anyone }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), who: others }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), who: others }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Told {
  qos: number
  /** The publisher was made to wait for the disk. */
  stored: boolean
  settled: boolean
  /** Who was sent it and has not settled it: on a connection now, or in a session that is kept. */
  holder: string | null
  /** Its holder went away with it. At QoS 1 it may have been taken back, and come to the same client as another. */
  interrupted: boolean
  /** Sent at QoS 2 to a client whose session ended, or that the broker forgot when it was killed. */
  inDoubt: boolean
  /** Its holder is no longer a member. After a restart that is not known: it is a message of this client alone. */
  leftBehind: boolean
  /** In the memory of a broker that was killed, and nowhere else. */
  mayBeLost: boolean
}

class History {
  readonly house: House
  readonly clients = new Map<string, TestClient>()
  readonly told = new Map<string, Told>()

  constructor(house: House) {
    this.house = house
  }

  async run(one: Step): Promise<void> {
    if (one.do === 'publish') this.#publish(one.qos)
    else if (one.do === 'kill') await this.#kill()
    else await this.#act(one.do, one.who)
    await this.look()
  }

  /** Look at what has arrived. */
  async look(): Promise<void> {
    for (const [name, client] of this.clients) {
      for (const packet of await client.read()) this.#arrived(name, packet.payload.toString(), packet.dup)
    }
  }

  connect(name: string): TestClient {
    const client = this.house.connect(name, PEOPLE[name])
    this.clients.set(name, client)
    return client
  }

  /** The client has settled its oldest message. */
  settle(client: TestClient): void {
    const told = this.told.get(client.settle())!
    expect(told.settled && told.qos === 2, 'a QoS 2 message is settled once').toBe(false)
    told.settled = true
    told.holder = null
  }

  #publish(qos: 1 | 2): void {
    const payload = String(this.told.size)
    this.house.clock.advance(1)
    const state = {
      qos,
      stored: false,
      settled: false,
      holder: null,
      interrupted: false,
      leftBehind: false,
      inDoubt: false,
      mayBeLost: false,
    }
    this.told.set(payload, state)
    state.stored = this.house.publish(payload, qos)
  }

  async #act(what: 'settle' | 'connect' | 'subscribe' | 'disconnect' | 'unsubscribe' | 'end', name: string) {
    const client = this.clients.get(name)
    if (what === 'connect' && client === undefined) this.connect(name)
    if (what === 'end') {
      if (client !== undefined) this.#gone(name, client)
      this.#sessionEnded(name)
      this.house.connect(name, { clean: true }).disconnect()
    }
    if (client === undefined) return
    if (what === 'settle' && client.unsettled.length > 0) this.settle(client)
    else if (what === 'subscribe') await client.subscribe(SHARE, { qos: 2 })
    else if (what === 'unsubscribe') this.#unsubscribe(name, client)
    else if (what === 'disconnect') this.#gone(name, client)
  }

  #unsubscribe(name: string, client: TestClient): void {
    for (const told of this.told.values()) if (told.holder === name) told.leftBehind = true
    client.unsubscribe(SHARE)
  }

  #gone(name: string, client: TestClient): void {
    this.clients.delete(name)
    for (const told of this.told.values()) if (told.holder === name) told.interrupted = true
    if (PEOPLE[name]!.expiry === undefined) this.#sessionEnded(name)
    client.disconnect()
  }

  #sessionEnded(name: string): void {
    for (const told of this.told.values()) {
      if (told.holder !== name) continue
      if (told.qos === 2) told.inDoubt = true
      told.holder = null
    }
  }

  async #kill(): Promise<void> {
    for (const told of this.told.values()) {
      const heldByClean = told.holder !== null && PEOPLE[told.holder]!.expiry === undefined
      if (told.qos === 2 && heldByClean) told.inDoubt = true
      if (heldByClean) told.holder = null
      if (!told.stored || told.leftBehind) told.mayBeLost = true
      told.interrupted = true
    }
    this.clients.clear()
    await this.house.restart()
  }

  #arrived(name: string, payload: string, dup: boolean): void {
    const told = this.told.get(payload)!
    expect(told.settled, `${payload} was settled, and came to ${name}`).toBe(false)
    expect(told.inDoubt, `${payload} may have been delivered at QoS 2, and came to ${name}`).toBe(false)
    const mayBeNew = told.qos === 1 && told.interrupted
    if (told.holder === name) expect(dup || mayBeNew, `${payload} came to ${name} twice`).toBe(true)
    else if (told.holder !== null && !mayBeNew) {
      expect(this.clients.has(told.holder), `${payload} is with ${told.holder}, and came to ${name}`).toBe(false)
      expect(told.qos, `${payload} waits for ${told.holder} at QoS 2, and came to ${name}`).toBe(1)
    }
    // Sent again to a client that gave the subscription up, it is still not the group's.
    if (told.holder !== name) told.leftBehind = false
    told.holder = name
    told.interrupted = false
  }
}

describe('a group of a shared subscription', () => {
  it('loses nothing and doubles nothing, whoever comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const history = new History(await House.open())
        for (const name of names) await history.connect(name).subscribe(SHARE, { qos: 2 })
        for (const one of steps) await history.run(one)
        for (const who of names) await history.run({ do: 'connect', who })
        while ([...history.clients.values()].some(({ unsettled }) => unsettled.length > 0)) {
          for (const client of history.clients.values()) while (client.unsettled.length > 0) history.settle(client)
          await history.look()
        }
        const missing = [...history.told].filter(([, one]) => !one.settled && !one.inDoubt && !one.mayBeLost)
        expect(missing).toEqual([])
        await history.house.store.durable()
        expect(history.house.store.sessions.outgoing.list()).toEqual([])
        const { queuedMessages, queuedBytes } = history.house.counters
        expect([queuedMessages, queuedBytes], 'what is counted as stored').toEqual([0, 0])
        await history.house.store.close()
      }),
      { numRuns: 300 },
    )
  })

  it('serves its members in even turns, however many messages there are', async () => {
    const counts = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), counts, async (size, bursts) => {
        const house = await House.open()
        const clients = Array.from({ length: size }, (_, i) => house.connect(`m${i}`))
        for (const client of clients) await client.subscribe(SHARE)
        for (const burst of bursts) {
          for (let i = 0; i < burst; i++) house.publish('x')
          for (const client of clients) await client.read()
          const got = clients.map(({ payloads }) => payloads.length)
          expect(Math.max(...got) - Math.min(...got)).toBeLessThanOrEqual(1)
          for (const client of clients) while (client.unsettled.length > 0) client.settle()
        }
        await house.store.close()
      }),
      { numRuns: 50 },
    )
  })
})
