/**
 * How much there was of something a minute, averaged over the last 1, 5 and 15 minutes: exponential moving averages, as
 * Mosquitto and the load of Unix have them. They begin with 0, so after a start they come up to the truth by and by.
 */

import type { Counter, Counters } from '../../src/plugin.ts'

/** What is averaged, by the name that it has below `load/`. */
export const FLOWS: ReadonlyMap<string, Counter> = new Map([
  ['connections', 'connects'],
  ['sockets', 'sockets'],
  ['bytes/received', 'bytesReceived'],
  ['bytes/sent', 'bytesSent'],
  ['messages/received', 'packetsReceived'],
  ['messages/sent', 'packetsSent'],
  ['publish/received', 'publishReceived'],
  ['publish/sent', 'publishSent'],
  ['publish/dropped', 'publishDropped'],
])

/** Minutes that are averaged over. */
export const PERIODS = [1, 5, 15] as const

const MINUTE_MS = 60_000

interface Flow {
  readonly counter: Counter
  last: number
  /** Per minute, one for each of PERIODS. */
  readonly averages: number[]
}

export class LoadAverages {
  readonly #counters: Readonly<Counters>
  readonly #flows: ReadonlyMap<string, Flow>
  #updatedAt: number

  constructor(counters: Readonly<Counters>, now: number) {
    this.#counters = counters
    this.#updatedAt = now
    const flow = (counter: Counter): Flow => ({ counter, last: counters[counter], averages: [0, 0, 0] })
    this.#flows = new Map([...FLOWS].map(([name, counter]) => [name, flow(counter)]))
  }

  /** Take in what was counted since the last time. The steps need not be equal. */
  update(now: number): void {
    const stepMs = now - this.#updatedAt
    this.#updatedAt = now
    if (stepMs <= 0) return // the machine's clock was set back: what came meanwhile counts into the next step
    const keep = PERIODS.map((minutes) => Math.exp(-stepMs / (minutes * MINUTE_MS)))
    for (const flow of this.#flows.values()) {
      const count = this.#counters[flow.counter]
      const perMinute = ((count - flow.last) * MINUTE_MS) / stepMs
      flow.last = count
      for (const [i, before] of flow.averages.entries()) flow.averages[i] = perMinute + keep[i]! * (before - perMinute)
    }
  }

  /** Per minute. `flow` is one of FLOWS. */
  average(flow: string, minutes: (typeof PERIODS)[number]): number {
    return this.#flows.get(flow)!.averages[PERIODS.indexOf(minutes)]!
  }
}
