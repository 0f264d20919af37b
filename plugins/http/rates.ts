/** How much the broker's counters grow in a second: those that only grow. */

import { Mark, Pace, type PluginContext } from '../../src/plugin.ts'

const GROWING = [
  ...(['bytesReceived', 'bytesSent', 'packetsReceived', 'packetsSent'] as const),
  ...(['publishReceived', 'publishSent', 'publishBytesReceived', 'publishBytesSent'] as const),
  ...(['publishDropped', 'sockets', 'connects', 'sessionsExpired'] as const),
] as const

export class Rates {
  readonly #counters: PluginContext['counters']
  readonly #pace: Pace
  readonly #marks = GROWING.map((counter) => ({ counter, mark: new Mark() }))

  constructor({ clock, counters }: Pick<PluginContext, 'clock' | 'counters'>) {
    this.#counters = counters
    this.#pace = new Pace(clock, () => {
      for (const { counter, mark } of this.#marks) mark.move(counters[counter])
    })
  }

  start(): void {
    this.#pace.start()
  }

  stop(): void {
    this.#pace.stop()
  }

  /** By the name of the counter, a second. */
  get now(): Record<string, number> {
    const rates = this.#marks.map(({ counter, mark }) => [counter, this.#pace.perSecond(mark, this.#counters[counter])])
    return Object.fromEntries(rates)
  }
}
