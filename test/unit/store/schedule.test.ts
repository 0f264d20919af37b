import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Message } from '../../../src/core/message.ts'
import { openStore } from '../../../src/store/open.ts'
import { Schedule } from '../../../src/store/schedule.ts'
import type { LogEntry, Store } from '../../../src/store/store.ts'
import { FakeClock } from '../plugins/queue/fakes.ts'

class Bench {
  readonly clock = new FakeClock()
  readonly began = this.clock.now()
  readonly store: Store
  readonly released: Array<{ id: number; at: number }> = []
  readonly faults: unknown[] = []
  /** How many reads are to fail. */
  failing = 0
  schedule: Schedule

  private constructor(store: Store) {
    this.store = store
    this.schedule = this.#make()
  }

  static async open(): Promise<Bench> {
    return new Bench(await openStore({ kind: 'memory', path: '', onFault: () => {} }))
  }

  append(delayMs: number): number {
    const message = Message.of({ topic: 'a', payload: Buffer.from(String(this.clock.now() + delayMs)) })
    return this.store.queues.append('later', { message, qos: 0, retain: false, identifiers: null })
  }

  add(delayMs: number): number {
    const id = this.append(delayMs)
    this.schedule.add(id, this.clock.now() + delayMs)
    return id
  }

  async restart(): Promise<void> {
    this.schedule.stop()
    this.schedule = this.#make()
    const [log] = this.store.queues.list()
    if (log !== undefined) await this.schedule.restore(log.firstId, log.nextId)
  }

  /** Let time pass, and what it sets going come to rest. */
  async wait(ms: number): Promise<void> {
    this.clock.advance(ms)
    for (let turn = 0; turn < 10; turn++) await new Promise((next) => setImmediate(next))
  }

  get left(): number {
    return this.store.queues.list()[0]?.count ?? 0
  }

  #make(): Schedule {
    return new Schedule({
      clock: this.clock,
      read: async (fromId, limit) => {
        if (this.failing-- > 0) throw new Error('the disk')
        return this.store.queues.read('later', fromId, limit)
      },
      dueAt: ({ message }: LogEntry) => Number(message.payload.toString()),
      release: ({ id }) => {
        this.store.queues.remove('later', id)
        this.released.push({ id, at: this.clock.now() - this.began })
      },
      onFault: (error) => void this.faults.push(error),
    })
  }
}

describe('messages that are due later', () => {
  it('are released in the order of their times, all of them, none too early, over restarts too', async () => {
    const step = fc.record({ kind: fc.constantFrom('add', 'add', 'add', 'wait', 'restart'), ms: fc.nat(50) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const bench = await Bench.open()
        const dueAt = new Map<number, number>()
        for (const { kind, ms } of steps) {
          if (kind === 'add') dueAt.set(bench.add(ms), bench.clock.now() - bench.began + ms)
          else if (kind === 'restart') await bench.restart()
          else await bench.wait(ms)
          const now = bench.clock.now() - bench.began
          const due = [...dueAt.values()].filter((at) => at <= now).length
          if (kind === 'wait') expect(bench.released).toHaveLength(due)
        }
        await bench.wait(50)
        expect(bench.released.map(({ id }) => id).sort()).toEqual([...dueAt.keys()].sort())
        for (const { id, at } of bench.released) expect(at).toBeGreaterThanOrEqual(dueAt.get(id)!)
        expect(bench.left).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  it('due together come in the order of their ids', async () => {
    const bench = await Bench.open()
    const ids = Array.from({ length: 2500 }, () => bench.add(10))
    await bench.wait(10)
    expect(bench.released.map(({ id }) => id)).toEqual(ids)
  })

  it('come later when the store cannot read them', async () => {
    const bench = await Bench.open()
    bench.add(10)
    bench.failing = 1
    await bench.wait(10)
    expect([bench.released, bench.faults]).toEqual([[], [new Error('the disk')]])
    await bench.wait(1000)
    expect(bench.released).toHaveLength(1)
  })

  it('that were removed from the log are not missed', async () => {
    const bench = await Bench.open()
    const id = bench.add(10)
    const other = bench.add(10)
    bench.store.queues.remove('later', id)
    await bench.wait(10)
    expect(bench.released.map((released) => released.id)).toEqual([other])
  })

  it('are found after a restart, with those that came meanwhile', async () => {
    const bench = await Bench.open()
    for (let i = 0; i < 2100; i++) bench.append(10 + i)
    const restarted = bench.restart()
    bench.add(5)
    await restarted
    await bench.wait(10_000)
    expect(bench.released).toHaveLength(2101)
  })
})
