/** How many messages a second come to each queue, and leave it, and those of all: for people who look. */

import { Mark, Pace, type PluginContext } from '../../../src/plugin.ts'
import type { Engine } from '../engine.ts'
import type { Ledger } from '../ledger.ts'

/** Messages a second, as they were in the last five to ten seconds. */
export interface QueueRates {
  /** Put into the queue. */
  readonly in: number
  /** Acknowledged by consumers. */
  readonly out: number
}

export class Rates {
  readonly #pace: Pace
  readonly #totals: Pick<Ledger, 'counters' | 'marks'>

  constructor(engine: Pick<Engine, 'queues'>, { clock, counters }: Pick<PluginContext, 'clock' | 'counters'>) {
    this.#totals = { counters: counters.queues, marks: { in: new Mark(), out: new Mark() } }
    this.#pace = new Pace(clock, () => {
      move(this.#totals)
      for (const { ledger } of engine.queues) move(ledger)
    })
  }

  start(): void {
    this.#pace.start()
  }

  stop(): void {
    this.#pace.stop()
  }

  of({ counters, marks }: Pick<Ledger, 'counters' | 'marks'>): QueueRates {
    return {
      in: this.#pace.perSecond(marks.in, counters.enqueued),
      out: this.#pace.perSecond(marks.out, counters.acknowledged),
    }
  }

  /** Of all queues, those included that are no more. */
  get ofAll(): QueueRates {
    return this.of(this.#totals)
  }
}

function move({ counters, marks }: Pick<Ledger, 'counters' | 'marks'>): void {
  marks.in.move(counters.enqueued)
  marks.out.move(counters.acknowledged)
}
