/** Random histories of a log, against the simplest model of one: a sorted list. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventflowError } from '../../../src/core/errors.ts'
import { LevelStore } from '../../../src/store/level/level-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { stored, textOf, turns } from '../../contract/harness.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeDatabase } from '../../helpers/fake-database.ts'

interface ModelEntry {
  id: number
  text: string
  mark: number
}

type Step =
  | { do: 'append'; log: number; count: number }
  | { do: 'remove' | 'mark'; log: number; at: number; value: number }
  | { do: 'remove first'; log: number; count: number }
  | { do: 'read'; log: number; at: number; limit: number }
  | { do: 'clear'; log: number }
  | { do: 'remove range'; log: number; at: number; count: number }
  | { do: 'turn' | 'durable' | 'reopen' | 'disk breaks' | 'disk works' | 'disk is slow' }

const LOGS = ['a', 'b', 'b/c']
const log = fc.nat(LOGS.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('append' as const), log, count: fc.integer({ min: 1, max: 40 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('append' as const), log, count: fc.constant(1100) }) },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constantFrom('remove', 'mark'), log, at: fc.nat(), value: fc.nat(2 ** 31 - 1) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('remove first' as const), log, count: fc.nat(60) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), log, at: fc.nat(), limit: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), log }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('remove range' as const), log, at: fc.nat(), count: fc.nat(1500) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('turn', 'durable') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('reopen', 'disk breaks', 'disk works', 'disk is slow') }) },
)

test('a log is a sorted list, whatever happens to it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const history = new History()
      await history.open()
      for (const step of steps) await history.take(step)
      await history.take({ do: 'reopen' })
      await history.removeAll()
    }),
    { numRuns: 150 },
  )
})

class History {
  readonly #database = new FakeDatabase()
  readonly #clock = new FakeClock()
  readonly #model = new Map<string, ModelEntry[]>(LOGS.map((name) => [name, []]))
  /** The highest id that each log ever gave out. */
  readonly #highest = new Map<string, number>()
  #store!: Store
  #appended = 0
  /** Ends a write that waits. */
  #release = (): void => {}

  async open(): Promise<void> {
    this.#store = await LevelStore.open({
      kind: 'test',
      database: this.#database,
      path: 'memory',
      clock: this.#clock,
      onFault: (error) => {
        if ((error as EventflowError).code !== 'STORE_FAILED') throw error
      },
      onRecovered: () => {},
    })
  }

  async take(step: Step): Promise<void> {
    const { queues } = this.#store
    if ('log' in step) {
      const name = LOGS[step.log]!
      const entries = this.#model.get(name)!
      const entry = 'at' in step ? entries[step.at % entries.length] : undefined
      if (step.do === 'append') for (let n = 0; n < step.count; n++) this.#append(name)
      if (step.do === 'remove first') for (const { id } of entries.splice(0, step.count)) queues.remove(name, id)
      if (step.do === 'remove' && entry !== undefined) {
        queues.remove(name, entry.id)
        entries.splice(entries.indexOf(entry), 1)
      }
      if (step.do === 'mark' && entry !== undefined) {
        queues.mark(name, entry.id, step.value)
        entry.mark = step.value
      }
      if (step.do === 'remove range' && entry !== undefined) {
        const to = entry.id + step.count
        queues.removeRange(name, entry.id, to)
        this.#model.set(
          name,
          entries.filter(({ id }) => id < entry.id || id >= to),
        )
      }
      if (step.do === 'clear') {
        queues.clear(name)
        entries.length = 0
      }
      if (step.do === 'read') await this.#read(name, entry?.id ?? 0, step.limit)
    }
    if (step.do === 'turn') await turns(1)
    if (step.do === 'disk is slow') {
      this.#release()
      this.#release = this.#database.hold()
    }
    if (step.do === 'durable' || step.do === 'reopen') this.#release()
    if (step.do === 'durable') {
      let done = false
      void this.#store.durable().then(() => {
        done = true
      })
      for (let turn = 0; turn < 10; turn++) {
        await turns(1)
        this.#clock.advance(5_000) // what failed is tried again
      }
      if (!this.#database.failing) expect(done).toBe(true)
    }
    if (step.do === 'disk breaks') this.#database.failing = true
    if (step.do === 'disk works' || step.do === 'reopen') {
      this.#database.failing = false
      this.#clock.advance(5_000)
    }
    if (step.do === 'reopen') {
      await this.#store.close()
      await this.open()
      await this.#checkAll()
    }
    this.#checkList()
  }

  /** Nothing may be left of an empty log. */
  async removeAll(): Promise<void> {
    for (const [name, entries] of this.#model) for (const { id } of entries) this.#store.queues.remove(name, id)
    await this.#store.durable()
    const left = (await this.#database.allKeys()).filter((key) => key.startsWith('queue'))
    expect(left).toEqual([])
  }

  #append(name: string): void {
    const text = `message ${this.#appended++}`
    const id = this.#store.queues.append(name, stored(text))
    expect(id).toBeGreaterThan(this.#highest.get(name) ?? -1)
    this.#highest.set(name, id)
    this.#model.get(name)!.push({ id, text, mark: 0 })
  }

  async #read(name: string, fromId: number, limit: number): Promise<void> {
    const entries = await this.#store.queues.read(name, fromId, limit)
    const expected = this.#model.get(name)!.filter(({ id }) => id >= fromId)
    expect(entries.map((entry) => ({ id: entry.id, text: textOf(entry), mark: entry.mark }))).toEqual(
      expected.slice(0, limit),
    )
  }

  async #checkAll(): Promise<void> {
    for (const name of LOGS) await this.#read(name, 0, Number.MAX_SAFE_INTEGER)
  }

  #checkList(): void {
    const expected = LOGS.filter((name) => this.#model.get(name)!.length > 0).map((name) => {
      const entries = this.#model.get(name)!
      return { name, count: entries.length, firstId: entries[0]!.id }
    })
    const found = this.#store.queues.list().map(({ name, count, firstId }) => ({ name, count, firstId }))
    expect(found.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(expected)
  }
}
