/**
 * A producer and two consumers of a queue, all at QoS 2, through random histories: lines are cut, the broker is killed at a write
 * or between two of them, consumers leave and return, unsubscribe, and let their sessions expire. Nothing is lost, and nothing
 * comes twice; but for what a consumer may have had whose session, or subscription, ended.
 */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ConsumerEnd, ProducerEnd } from '../helpers/ends.ts'
import type { Fate } from '../helpers/journal.ts'
import { RUNS_TIMEOUT_MS, runs } from '../helpers/runs.ts'
import { turn } from '../helpers/slow-sink.ts'
import { until } from '../helpers/until.ts'
import { SESSION_SECONDS, World } from '../helpers/world.ts'

const MESSAGES = 24

const who = fc.constantFrom(0 as const, 1 as const)
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut-producer' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const), who }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('kill' as const),
      fate: fc.constantFrom<Fate>('lost', 'written', 'power'),
      /** At which write from now on; 0: now. */
      write: fc.nat(3),
      late: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('return' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const), who }) },
)
const subscribing = fc.record({ do: fc.constantFrom('unsubscribe' as const, 'subscribe' as const), who })
type Step =
  typeof step extends fc.Arbitrary<infer T> ? T | (typeof subscribing extends fc.Arbitrary<infer S> ? S : never) : never

class History {
  readonly world: World
  readonly producer: ProducerEnd
  readonly consumers: readonly [ConsumerEnd, ConsumerEnd]
  /** What a consumer may have had that gave up its session or subscription. */
  readonly inDoubt = new Set<string>()
  readonly #running: Promise<void>[] = []

  constructor(version: 4 | 5) {
    const world = new World(version)
    this.world = world
    this.producer = new ProducerEnd(world, { most: MESSAGES, window: 3, identifiers: 4 })
    this.consumers = [new ConsumerEnd(world, 'a'), new ConsumerEnd(world, 'b')]
    for (const end of [this.producer, ...this.consumers]) this.#run(end)
  }

  async run(step: Step): Promise<void> {
    if (step.do === 'kill') return this.#kill(step)
    if (step.do === 'cut-producer') return this.producer.line?.cut()
    const consumer = this.consumers[step.who]
    if (step.do === 'cut') consumer.line?.cut()
    else if (step.do === 'leave') consumer.leave()
    else if (step.do === 'return') this.#return(consumer)
    else if (step.do === 'subscribe') consumer.subscribe()
    else if (step.do === 'unsubscribe') this.#unsubscribe(consumer)
    else await this.#expire(consumer)
  }

  /** Everybody is there, until nothing is left. */
  async finish(): Promise<void> {
    const { world, producer, consumers } = this
    world.journal.killAt = null
    for (const consumer of consumers) {
      this.#return(consumer)
      consumer.subscribe()
    }
    await until('all have arrived', () => producer.producer.done.length === MESSAGES && world.isEmpty)
    for (const consumer of consumers) consumer.leave()
    await Promise.all(this.#running)
    await world.end()
  }

  times(payload: string): number {
    return this.consumers.reduce((times, { subscriber }) => times + (subscriber.taken.get(payload) ?? 0), 0)
  }

  #run(end: ProducerEnd | ConsumerEnd): void {
    this.#running.push(end.run().catch((error: unknown) => void this.world.faults.push(error)))
  }

  #kill({ fate, write, late }: Extract<Step, { do: 'kill' }>): void {
    const { world } = this
    const { journal } = world
    world.late = late
    if (write > 0) journal.killAt = { write: journal.count + write, fate }
    else if (world.isUp) journal.kill(fate)
  }

  #return(consumer: ConsumerEnd): void {
    if (consumer.left) this.#run(consumer)
  }

  /** What is not complete now may be on its way to this consumer when the broker hears of it, and goes to the other as well. */
  #unsubscribe(consumer: ConsumerEnd): void {
    const open = this.consumers.flatMap(({ subscriber }) => subscriber.open)
    for (let number = 1; number <= MESSAGES; number++) {
      const payload = String(number)
      if (this.times(payload) === 0 || open.includes(payload)) this.inDoubt.add(payload)
    }
    consumer.unsubscribe()
  }

  /** The sessions of all who are away end, if everybody else is there. */
  async #expire(consumer: ConsumerEnd): Promise<void> {
    consumer.leave()
    await turn()
    const { world, producer, consumers } = this
    const present = [producer, ...consumers.filter(({ left }) => !left)].every(({ line }) => line?.open)
    if (!world.isUp || !present) return
    for (const { left, subscriber } of consumers) {
      if (!left) continue
      for (const payload of subscriber.open) this.inDoubt.add(payload)
      subscriber.forget()
    }
    world.clock.advance(SESSION_SECONDS * 1000)
  }
}

const VERSIONS = [
  ['3.1.1', 4],
  ['5.0', 5],
] as const

async function holds(version: 4 | 5, steps: fc.Arbitrary<Step>): Promise<void> {
  const histories = fc.array(fc.tuple(fc.nat(4), steps), { maxLength: 30, size: 'max' })
  await fc.assert(
    fc.asyncProperty(histories, async (steps) => {
      const history = new History(version)
      for (const [turns, step] of steps) {
        for (let i = 0; i < turns; i++) await turn()
        await history.run(step)
      }
      await history.finish()
      const { sent } = history.producer.producer
      expect(history.world.faults).toEqual([])
      expect(sent.filter((payload) => history.times(payload) === 0)).toEqual([])
      expect(sent.filter((payload) => history.times(payload) > 1 && !history.inDoubt.has(payload))).toEqual([])
    }),
    // No shrinking: a history that hangs takes its time, each time.
    { ...runs(100), endOnFailure: true },
  )
}

it.each(VERSIONS)(
  'each message comes to one of two consumers once, whatever happens, on MQTT %s',
  {
    timeout: RUNS_TIMEOUT_MS,
  },
  (_name, version) => holds(version, step),
)

it.each(VERSIONS)(
  'and if they unsubscribe and subscribe again nothing is lost, on MQTT %s',
  {
    timeout: RUNS_TIMEOUT_MS,
  },
  (_name, version) => holds(version, fc.oneof({ weight: 9, arbitrary: step }, { weight: 2, arbitrary: subscribing })),
)
