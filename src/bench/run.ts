/** What a run is asked, and what it answers: the words that the parts which measure and the parts which report share. */

import type { Target } from './load/handshake.ts'
import type { Ledger } from './load/ledger.ts'
import type { Limit } from './load/pace.ts'

/**
 * What is measured. `rate`: messages a second that reach a subscriber; `stored`: messages a second that the broker
 * acknowledged before anyone consumed. `p50` to `max`: latency in microseconds. `cpu`: microseconds of the broker's
 * processor time for each message. `memory`: bytes of the broker's memory for each connection. `own`: how busy the
 * generator was, 1 being one core. `late`: microseconds that the generator was behind its schedule, at p99. `inflight`: how
 * many unacknowledged messages a publisher had at most, where the broker takes fewer than the window.
 */
export type Figure = 'rate' | 'stored' | 'p50' | 'p99' | 'p999' | 'max' | 'cpu' | 'memory' | 'own' | 'late' | 'inflight'

export type Figures = { readonly [figure in Figure]?: number }

export interface Run {
  readonly figures: Figures
  /** Messages delivered, each counted once. */
  readonly messages: number
  readonly lost: number
  readonly duplicates: number
  /** Messages that another run had left behind: passed over. */
  readonly strays: number
  /** What was wrong, for people; empty when the run counts. */
  readonly problems: readonly string[]
}

/** A broker, and what is known of it. */
export interface Side extends Target {
  /** Its process, for processor time and memory; null: not known. */
  readonly pid: number | null
  /** It has no queues: a shared subscription stands in for one. */
  readonly share: boolean
  /**
   * How many QoS 2 messages it takes at a time from one client. It says so over MQTT 5 (elsewhere 65,535); MQTT 3.1.1 has
   * no word for it, but a broker with such a limit has it there too, and closes a connection that goes beyond.
   */
  readonly receiveMaximum: number
  /** What one more client reads along; null: nobody does. */
  readonly reader: string | null
}

export interface Sizes {
  /** When a run stops sending; null: as its method has it. */
  readonly limit: Limit | null
  /** Messages under way of each publisher; null: as the scenario has it. */
  readonly window: number | null
  /** Messages a second of a `steady` scenario. */
  readonly rate: number
  readonly connections: number
  readonly subscriptions: number
  /** Messages stored before they are consumed. */
  readonly backlog: number
  /** How long nothing may move before a run is given up. */
  readonly stallMs: number
}

/** A run that came to its end, well or not: the ledger tells. */
export function finished({ totalDelivered, missing, duplicates, strays }: Ledger, figures: Figures): Run {
  const lost = Math.max(0, missing)
  const problems = [
    ...(lost > 0 ? [`${lost} of ${totalDelivered + lost} messages lost`] : []),
    ...(duplicates > 0 ? [`${duplicates} messages came twice`] : []),
  ]
  return { figures, messages: totalDelivered, lost, duplicates, strays, problems }
}

/** A run that could not be made. */
export function failed(problem: string): Run {
  return { figures: {}, messages: 0, lost: 0, duplicates: 0, strays: 0, problems: [problem] }
}

/** How many messages of each publisher are under way. "One at a time" stays that. */
export function windowOf(window: number, sizes: Sizes): number {
  return window === 1 ? 1 : (sizes.window ?? window)
}
