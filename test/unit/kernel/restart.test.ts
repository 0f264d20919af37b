/** What becomes of sessions and wills when the broker is killed and started again, by a clock that the test moves. */

import { describe, expect, it, test } from 'vitest'
import { Counters } from '../../../src/core/counters.ts'
import type { Message } from '../../../src/core/message.ts'
import type { Will } from '../../../src/core/will.ts'
import type { Departure } from '../../../src/kernel/clients.ts'
import { Kernel } from '../../../src/kernel/kernel.ts'
import type { Session } from '../../../src/session/session.ts'
import { LevelStore } from '../../../src/store/level/level-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { chronicleOf } from '../../helpers/chronicle.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeDatabase } from '../../helpers/fake-database.ts'
import { LIMITS } from '../../helpers/limits.ts'
import { Connection, memoryStore, recordedEvents } from '../session/support.ts'
import { SILENT, subscription } from './support.ts'

const LOST: Departure = { reason: 'network', reasonCode: 0, publishWill: true }
const GOODBYE: Departure = { reason: 'client', reasonCode: 0, publishWill: false }

interface Connect {
  clientId?: string
  expirySeconds?: number
  clean?: boolean
  will?: Partial<Will> | null
}

/** A broker whose store outlives it: each `restart` is another broker on it, so many seconds later. */
async function makeWorld(given?: Store) {
  const store = given ?? (await memoryStore())
  let now = new FakeClock().now()
  const published: string[] = []

  async function start(onKernel: (kernel: Kernel) => void = () => {}) {
    const clock = new FakeClock(now)
    const { events, types } = recordedEvents()
    const chronicle = chronicleOf(events)
    const parts = { store, clock, events, chronicle, log: SILENT, node: 'n', maxTopicLevels: 10, limits: LIMITS }
    const kernel = new Kernel({ ...parts, counters: new Counters(), version: '0', maxExpirySeconds: 0xffff_ffff })
    const accept = ({ topic, payload }: Message): void => void published.push(`${topic} ${payload}`)
    kernel.namespaces.claim('', { accept, subscribe: () => undefined, unsubscribe() {} })
    onKernel(kernel)
    await kernel.loadSessions()
    expect(published).toEqual([])
    kernel.start()
    const connect = ({ clientId = 'me', expirySeconds = 0, clean = false, will = null }: Connect = {}) => {
      const fields = { topic: 'will', payload: Buffer.from(clientId), qos: 1 as const, retain: false, properties: null }
      const left = will === null ? null : { ...fields, delaySeconds: 0, expirySeconds: -1, ...will }
      const rest = { username: null, address: 'here', keepAliveSeconds: 0, will: left }
      const opening = { clientId, clean, expirySeconds, ...rest }
      const opened = kernel.clients.open(opening)
      kernel.clients.connected(opened.session, new Connection(), opening, opened.present)
      return opened
    }
    const leave = (session: Session, departure = LOST): void => kernel.clients.gone(session, departure)
    /** The broker is killed; `seconds` later there is another one. */
    const restart = async (seconds: number, onNext?: (kernel: Kernel) => void) => {
      await store.durable()
      now = clock.now() + seconds * 1000
      return start(onNext)
    }
    return { kernel, clock, connect, leave, restart, types }
  }
  /** What was published since it was last asked. */
  const said = (): string[] => published.splice(0)
  return { store, start, said }
}

describe('a will over a restart', () => {
  it.each([
    ['that ends with its connection', 0],
    ['that outlives it', 100],
  ])('of a connected client with a session %s is published once, as the connection is gone', async (_kind, expiry) => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.connect({ expirySeconds: expiry, will: {} })
    const second = await first.restart(1)
    expect(said()).toEqual(['will me'])
    const third = await second.restart(1)
    third.clock.advance(1_000_000)
    expect(said()).toEqual([])
  })

  it('of a session that ends with its connection leaves nothing behind, whatever its delay', async () => {
    const { start, said, store } = await makeWorld()
    const first = await start()
    first.connect({ will: { delaySeconds: 1000 } })
    const { kernel, connect } = await first.restart(1)
    expect(said()).toEqual(['will me'])
    expect([kernel.sessions.size, await store.sessions.load()]).toEqual([0, []])
    expect(connect().present).toBe(false)
  })

  it('of a connected client waits for its delay from the restart on, for nobody knows when the broker died', async () => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.connect({ expirySeconds: 1000, will: { delaySeconds: 30 } })
    const second = await first.restart(600)
    second.clock.advance(29_999)
    expect(said()).toEqual([])
    second.clock.advance(1)
    expect(said()).toEqual(['will me'])
  })

  it('that waited already goes on with the time that was left, however often the broker restarts', async () => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.leave(first.connect({ expirySeconds: 1000, will: { delaySeconds: 30 } }).session)
    first.clock.advance(10_000)
    const second = await first.restart(5)
    second.clock.advance(5_000)
    const third = await second.restart(5)
    third.clock.advance(4_999)
    expect(said()).toEqual([])
    third.clock.advance(1)
    expect(said()).toEqual(['will me'])
  })

  it('is published at the restart when it was due meanwhile', async () => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.leave(first.connect({ expirySeconds: 1000, will: { delaySeconds: 30 } }).session)
    await first.restart(31)
    expect(said()).toEqual(['will me'])
  })

  it('is published at the restart when its session ended meanwhile', async () => {
    const { start, said, store } = await makeWorld()
    const first = await start()
    first.leave(first.connect({ expirySeconds: 10, will: { delaySeconds: 30 } }).session)
    await first.restart(11)
    expect(said()).toEqual(['will me'])
    expect(await store.sessions.load()).toEqual([])
  })

  it('is cancelled when the client returns to its session before it is due [MQTT-3.1.3-9]', async () => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.connect({ expirySeconds: 1000, will: { delaySeconds: 30 } })
    const second = await first.restart(1)
    expect(second.connect({ expirySeconds: 1000 }).present).toBe(true)
    second.clock.advance(100_000)
    const third = await second.restart(1)
    third.clock.advance(100_000)
    expect(said()).toEqual([])
  })

  it('is published when the client returns with a clean start', async () => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.connect({ expirySeconds: 1000, will: { delaySeconds: 30 } })
    const second = await first.restart(1)
    second.connect({ clean: true, expirySeconds: 1000 })
    expect(said()).toEqual(['will me'])
  })

  it('is not published that was taken back by a goodbye', async () => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.leave(first.connect({ expirySeconds: 1000, will: { delaySeconds: 30 } }).session, GOODBYE)
    first.leave(first.connect({ clientId: 'you', will: {} }).session, GOODBYE)
    const second = await first.restart(1)
    second.clock.advance(100_000)
    expect(said()).toEqual([])
  })

  it('is checked by the rules that are in force then', async () => {
    const { start, said } = await makeWorld()
    const first = await start()
    first.connect({ clientId: 'me', will: {} })
    first.connect({ clientId: 'you', will: {} })
    const authorize = ({ clientId }: { clientId: string }) => (clientId === 'me' ? 'deny' : 'allow')
    const second = await first.restart(1, ({ access }) => access.addAuthorizer({ name: 'rules', authorize }))
    expect(said()).toEqual(['will you'])
    expect(second.types()).toContain('access.denied')
  })
})

test('a will is published in the batch that takes it out of the store: once, whenever the broker is killed', async () => {
  const database = new FakeDatabase()
  const onFault = (error: Error): void => expect.unreachable(error.message)
  const store = await LevelStore.open({
    kind: 'fake',
    path: 'nowhere',
    database,
    onFault,
    clock: new FakeClock(),
    onRecovered() {},
  })
  const { clock, connect, leave } = await (await makeWorld(store)).start(({ namespaces }) => {
    const accept = (message: Message): void => store.retained.put(message)
    namespaces.claim('kept/', { accept, subscribe: () => undefined, unsubscribe() {} })
  })
  const will = { topic: 'kept/will', retain: true }
  const delayed = connect({ clientId: 'delayed', expirySeconds: 60, will: { ...will, delaySeconds: 5 } })
  const { session } = connect({ clientId: 'kept', expirySeconds: 60, will })
  const brief = connect({ clientId: 'brief', will })
  leave(delayed.session)
  const steps: Array<[step: () => void, written: string]> = [
    [() => leave(session), 'session'],
    [() => leave(brief.session), '-session'],
    [() => clock.advance(5_000), 'session'],
  ]
  for (const [step, written] of steps) {
    await store.durable()
    database.batches.length = 0
    step()
    await store.durable()
    const keys = database.batches.map((batch) => batch.keys.map((key) => key.split('\u0000')[0]).sort())
    expect(keys).toEqual([[written, 'retained'].sort()])
  }
})

describe('a session over a restart', () => {
  it('that was resumed to end with its connection has ended with it', async () => {
    const { start, store } = await makeWorld()
    const first = await start()
    const { session } = first.connect({ expirySeconds: 1000 })
    await first.kernel.subscriptions.add(session, subscription('a'))
    first.leave(session)
    expect(first.connect({ expirySeconds: 0 })).toMatchObject({ present: true, written: true })
    const second = await first.restart(1)
    expect([second.kernel.sessions.size, await store.sessions.load()]).toEqual([0, []])
    expect(second.connect({ expirySeconds: 1000 }).present).toBe(false)
  })

  it('lives as long as its last connection wanted, in all, whatever restarts come between', async () => {
    const { start } = await makeWorld()
    let broker = await start()
    broker.leave(broker.connect({ expirySeconds: 5 }).session)
    broker.leave(broker.connect({ expirySeconds: 100 }).session)
    for (let i = 0; i < 9; i++) {
      broker.clock.advance(5_000)
      broker = await broker.restart(6)
    }
    expect(broker.kernel.sessions.size).toBe(1)
    broker.clock.advance(999)
    expect(broker.kernel.sessions.size).toBe(1)
    broker.clock.advance(1)
    expect(broker.kernel.sessions.size).toBe(0)
  })

  it('that was begun anew is not the old one', async () => {
    const { start, store } = await makeWorld()
    const first = await start()
    const { session } = first.connect({ expirySeconds: 1000 })
    await first.kernel.subscriptions.add(session, subscription('a'))
    session.inbox.add(7)
    first.leave(session)
    expect(first.connect({ clean: true })).toMatchObject({ present: false, written: true })
    await first.restart(1)
    expect(await store.sessions.load()).toEqual([])
  })

  it('that has ended is not written again by what happens to it later', async () => {
    const { start, store } = await makeWorld()
    const first = await start()
    const { session } = first.connect({ expirySeconds: 1000 })
    await first.kernel.subscriptions.add(session, subscription('a'))
    first.leave(session)
    first.connect({ clean: true })
    session.subscriptions.set('a', subscription('a'))
    first.kernel.subscriptions.remove(session, 'a')
    expect(await store.sessions.load()).toEqual([])
  })
})
