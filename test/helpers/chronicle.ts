/** A chronicle that keeps nothing, for kernels that need one. */

import type { Events } from '../../src/core/events.ts'
import { Chronicle } from '../../src/kernel/chronicle.ts'

export function chronicleOf(events: Events, now: () => number = () => 0): Chronicle {
  const onFault = (error: unknown): never => {
    throw error
  }
  return new Chronicle({ events, now, node: 'n', keep: 0, keepMessages: false, onFault })
}
