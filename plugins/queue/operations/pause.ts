/** Pausing a queue: nothing is delivered until it is resumed. That outlives a restart: a log with an entry says so. */

import { Message, type PluginContext } from '../../../src/plugin.ts'
import type { QueueOptions } from '../options.ts'
import type { Queue } from '../queue.ts'

/** Deliver nothing from now on; what consumers have is theirs. */
export function pause({ name, state }: Queue, { store, events }: PluginContext<QueueOptions>): void {
  if (state.paused) return
  state.paused = true
  const message = Message.of({ topic: '', payload: Buffer.from('paused') })
  store.queues.append(logOf(name), { message, qos: 0, retain: false, identifiers: null })
  events.emit('queue.paused', { queue: name })
}

/** Deliver again, if it was paused. */
export function unpause(queue: Queue, { store, events }: PluginContext<QueueOptions>): void {
  const { name, state } = queue
  if (!state.paused) return
  state.paused = false
  store.queues.clear(logOf(name))
  events.emit('queue.resumed', { queue: name })
  queue.pump()
  queue.checkUse()
}

function logOf(name: string): string {
  return `${name}#state`
}
