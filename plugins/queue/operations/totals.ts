/** All queues at once, where nothing may be made for each of them: there may be a hundred thousand. */

import type { Queue } from '../queue.ts'
import type { QueueRates } from './rates.ts'

export interface QueueTotals {
  /** Queues. */
  count: number
  /** Messages in all of them. */
  length: number
  ready: number
  inFlight: number
  delayed: number
  resting: number
  rates: QueueRates
}

export function totalsOf(queues: readonly Queue[]): Omit<QueueTotals, 'rates'> {
  const totals = { count: queues.length, length: 0, ready: 0, inFlight: 0, delayed: 0, resting: 0 }
  for (const { state } of queues) {
    const { contents } = state
    const { ready, backlog, aside, resting, held } = contents.counts
    totals.length += contents.length + contents.scheduled
    totals.ready += ready + backlog + aside
    totals.inFlight += held
    totals.delayed += contents.scheduled
    totals.resting += resting
  }
  return totals
}

/** The `limit` longest of them, the longest first; of those that are alike, by name. */
export function longestOf(queues: readonly Queue[], limit: number): Queue[] {
  let longest: Queue[] = []
  let least = 0
  for (const queue of queues) {
    // Now and then those that are not among them are thrown out, and it is known how long one must be to be looked at.
    if (longest.length >= 2 * limit + 1_000) {
      longest = longest.sort(byLength).slice(0, limit)
      least = longest.length === limit ? lengthOf(longest.at(-1)!) : 0
    }
    if (lengthOf(queue) >= least) longest.push(queue)
  }
  return longest.sort(byLength).slice(0, limit)
}

function lengthOf({ state }: Queue): number {
  return state.contents.length + state.contents.scheduled
}

function byLength(a: Queue, b: Queue): number {
  return lengthOf(b) - lengthOf(a) || (a.name < b.name ? -1 : 1)
}
