/**
 * Random histories of the whole plugin on a store in memory, with all that producers and operators can ask for at once:
 * priority, delay, group, dedup-id, limits, pause, purge, redrive, other policies, restarts.
 *
 * Every message that was acknowledged to its producer is in one queue until it is acknowledged by a consumer or purged;
 * it is with one consumer at a time, and no two of a group are; counts add up, limits hold, and nothing is left behind.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { it } from 'vitest'
import type { QueueOptions } from '../../plugins/queue/options.ts'
import { groupOf } from '../../plugins/queue/records/instructions.ts'
import { resolveConfig } from '../../src/config/load.ts'
import type { Store } from '../../src/plugin.ts'
import { openStore } from '../../src/store/open.ts'
import { RUNS_TIMEOUT_MS, runs } from '../helpers/runs.ts'
import { Bench, FakeClient } from '../unit/plugins/queue/fakes.ts'

const KINDS = [
  'publish',
  'publish',
  'publish',
  'publish',
  'join',
  'leave',
  'acknowledge',
  'acknowledge',
  'acknowledge',
  'refuse',
  'reject',
  'wait',
  'pause',
  'resume',
  'purge',
  'redrive',
  'policy',
  'restart',
] as const

const step = fc.record({ kind: fc.constantFrom(...KINDS), a: fc.nat(1000), b: fc.nat(1000) })
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const QUEUES = ['jobs', 'mail']
const ALL = [...QUEUES, ...QUEUES.map((name) => `dead/${name}`)]
const MAX_LENGTH = 12

class History {
  readonly #store: Store
  #bench: Bench
  #clients: FakeClient[] = []
  #published = 0
  /** Payloads that were taken on, and are in some queue. */
  readonly #alive = new Set<string>()
  /** Ids that a queue knows, and since when. */
  readonly #known = new Map<string, number>()
  #now = 0
  /** What the counters of the present broker do not know of each queue: found at its start, purged while it was delayed. */
  readonly #uncounted = new Map<string, number>()

  private constructor(store: Store, bench: Bench) {
    this.#store = store
    this.#bench = bench
  }

  static async open(): Promise<History> {
    const store = await openStore({ kind: 'memory', path: '', onFault: () => {} })
    return new History(store, await Bench.open(options(0), store))
  }

  async run({ kind, a, b }: Step): Promise<void> {
    const name = QUEUES[a % QUEUES.length]!
    const client = this.#clients[a % Math.max(1, this.#clients.length)]
    const payload = client?.holding[b % Math.max(1, client.has.length)]
    if (kind === 'publish') await this.#publish(name, a, b)
    else if (kind === 'join') this.#join(b % 3 === 0 ? 'queue/#' : `queue/${ALL[b % ALL.length]}`)
    else if (kind === 'wait') await this.#wait(a)
    else if (kind === 'pause') await this.#bench.control.pause(name)
    else if (kind === 'policy') this.#bench.engine.change(options(b))
    else if (kind === 'restart') await this.#restart(b)
    else if (kind === 'resume') await this.#ifThere(name, () => this.#bench.control.resume(name))
    else if (kind === 'purge') await this.#purge(name)
    else if (kind === 'redrive') await this.#redrive(`dead/${name}`)
    else if (client !== undefined && kind === 'leave') this.#leave(client)
    else if (client === undefined || payload === undefined) return
    else if (kind === 'acknowledge') this.#acknowledge(client, payload)
    else if (kind === 'refuse') client.settle(payload, 'refused', 0x80)
    else if (kind === 'reject') client.settle(payload, 'refused', 0x99)
    await this.#rest()
  }

  /** What holds between any two steps. */
  async check(): Promise<void> {
    const stored: string[] = []
    for (const { name, length, ready, inFlight, delayed, resting } of this.#bench.control.list()) {
      assert.equal(ready + inFlight + delayed + resting, length)
      const messages = await this.#bench.control.peek(name, 1000)
      assert.equal(messages.length, length, name)
      assert.equal(messages.filter(({ state }) => state === 'delivered').length, inFlight, name)
      this.#checkCounters(name)
      stored.push(...messages.map(({ payload }) => payload.toString()))
      const limit = this.#bench.engine.policyOf(name).policy
      if (limit.overflow === 'drop-oldest' && ready > 0) assert(length <= (limit.maxLength ?? Infinity), name)
    }
    assert.deepEqual(stored.sort(), [...this.#alive].sort())
    this.#checkHolders()
  }

  /** Consumers that acknowledge all, until nothing is left. */
  async drain(): Promise<void> {
    this.#bench.engine.change(options(0))
    for (const name of QUEUES) await this.#ifThere(name, () => this.#bench.control.resume(name))
    this.#join('queue/#')
    for (let round = 0; this.#alive.size > 0 && round < 500; round++) {
      await this.#wait(1000)
      for (const client of this.#clients) for (const payload of client.holding) this.#acknowledge(client, payload)
      await this.#rest()
    }
    assert.deepEqual([...this.#alive], [])
    await this.#wait(10_000) // the dedup window
    await this.#rest()
    assert.deepEqual(this.#store.queues.list(), [])
  }

  async #publish(name: string, a: number, b: number): Promise<void> {
    const payload = `${name} ${this.#published++}`
    const told: Record<string, string> = {}
    if (a % 4 === 0) told.priority = String(b % 10)
    if (a % 3 === 0) told.group = `g${b % 3}`
    if (b % 5 === 0) told.delay = String(a)
    const dedupId = b % 7 === 0 ? `d${a % 4}` : null
    if (dedupId !== null) told['dedup-id'] = dedupId
    const taken = await this.#bench.send(`queue/${name}`, payload, told).then(
      () => true,
      (error: { code: number }) => {
        assert.equal(error.code, 0x97)
        return false
      },
    )
    if (!taken) return
    const key = `${name} ${dedupId}`
    const since = this.#known.get(key)
    if (dedupId !== null && since !== undefined && since + 5000 > this.#now) return
    if (dedupId !== null) this.#known.set(key, this.#now)
    this.#alive.add(payload)
  }

  #join(filter: string): void {
    const client = new FakeClient(`c${this.#published}-${this.#clients.length}`)
    this.#clients.push(client)
    this.#bench.subscribe(client, filter)
  }

  #leave(client: FakeClient): void {
    this.#clients = this.#clients.filter((other) => other !== client)
    this.#bench.disconnect(client)
  }

  #acknowledge(client: FakeClient, payload: string): void {
    const before = this.#bench.told('queue.acknowledged').length
    client.acknowledge(payload)
    // A late acknowledgement counts only if nobody has the message.
    if (this.#bench.told('queue.acknowledged').length > before) assert(this.#alive.delete(payload))
  }

  async #purge(name: string): Promise<void> {
    await this.#ifThere(name, async () => {
      const before = await this.#bench.control.peek(name, 1000)
      await this.#bench.control.purge(name)
      const delayed = before.filter(({ state }) => state === 'delayed').length
      this.#uncounted.set(name, (this.#uncounted.get(name) ?? 0) + delayed)
      for (const { payload, state } of before) if (state !== 'delivered') this.#alive.delete(payload.toString())
    })
  }

  async #redrive(name: string): Promise<void> {
    await this.#ifThere(name, async () => {
      const { length } = this.#bench.control.list().find((queue) => queue.name === name)!
      const { moved, left } = await this.#bench.control.redrive(name)
      assert.equal(moved + left, length)
    })
  }

  async #restart(policy: number): Promise<void> {
    this.#uncounted.clear()
    for (const { name, length, delayed } of this.#bench.control.list()) this.#uncounted.set(name, length - delayed)
    this.#bench.engine.stop()
    this.#clients = []
    this.#bench = await Bench.open(options(policy), this.#store)
    this.#bench.clock.advance(this.#now)
  }

  /** What came in and has not gone is there. */
  #checkCounters(name: string): void {
    const { length, delayed, counters } = this.#bench.control.list().find((queue) => queue.name === name)!
    if (this.#bench.told('queue.deleted').some(({ queue }) => queue === name)) return
    const { acknowledged, deadLettered, expired, dropped, purged, redriven } = counters
    const gone = acknowledged + deadLettered + expired + dropped + purged + redriven
    assert.equal((this.#uncounted.get(name) ?? 0) + counters.enqueued - gone, length - delayed, `counters of ${name}`)
  }

  async #wait(ms: number): Promise<void> {
    this.#bench.clock.advance(ms)
    this.#now += ms
    await this.#rest()
  }

  /** Let what is under way come to rest: reads, commits, and what is due now. */
  async #rest(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      await this.#store.durable()
      for (let turn = 0; turn < 4; turn++) await new Promise((next) => setImmediate(next))
      this.#bench.clock.advance(0)
    }
  }

  async #ifThere(name: string, action: () => Promise<unknown>): Promise<void> {
    if (this.#bench.control.list().some((queue) => queue.name === name)) await action()
  }

  /** A message is with one consumer at a time as far as its queue is concerned, and of a group one is. */
  #checkHolders(): void {
    const groups = new Set<string>()
    for (const { name, state, forDeadLetters } of this.#bench.engine.queues) {
      for (const seat of state.seats) {
        for (let entry = seat.held.first; entry !== null; entry = entry.next) {
          assert.equal(entry.holder, seat)
          const group = forDeadLetters ? null : groupOf(entry.message)
          if (group === null) continue
          assert(!groups.has(`${name} ${group}`))
          groups.add(`${name} ${group}`)
        }
      }
    }
  }
}

const BASE: QueueOptions = {
  ...resolveConfig().queue,
  ackTimeout: 300,
  backoff: { initial: 50, max: 200 },
  dedupWindow: 5000,
  // There are no dead letters of dead letters, so nothing may give way there.
  policies: [{ match: 'dead/#', maxLength: null }],
}

/** One of some policies. Timeouts are short, so that waiting brings them. */
function options(which: number): QueueOptions {
  return {
    ...BASE,
    exclusive: which % 5 === 1 ? 'consumer' : 'none',
    maxLength: which % 3 === 1 ? MAX_LENGTH : null,
    overflow: which % 2 === 0 ? 'reject' : 'drop-oldest',
    maxDeliveries: which % 4 === 3 ? 2 : 4,
    prefetch: 1 + (which % 3),
  }
}

it('loses nothing, keeps its order in groups and its limits, and leaves nothing behind, whatever happens', {
  timeout: RUNS_TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const history = await History.open()
      for (const step of steps) {
        await history.run(step)
        await history.check()
      }
      await history.drain()
    }),
    runs(60),
  )
})
