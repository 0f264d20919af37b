/**
 * Removing messages by an operator's word. Those on disk only are removed unread, in ranges of ids; but for those whose
 * publishers want to hear of them, who are told.
 */

import type { PluginContext } from '../../../src/plugin.ts'
import type { QueueOptions } from '../options.ts'
import type { Queue } from '../queue.ts'
import type { Receipts } from '../receipts.ts'
import { DELAYED, firstIdOf } from '../records/queue-log.ts'
import { Entry } from '../rules/consumer.ts'
import { unpause } from './pause.ts'

/** Messages read at once to see who published them. */
const READ_AT_ONCE = 1000

/** Messages in the store whose publishers want to hear what becomes of them. Reads all of it if there are any such. */
export async function readWanted({ log, forDeadLetters }: Queue, receipts: Receipts): Promise<Entry[]> {
  const wanted: Entry[] = []
  for (const first of [...log.lanes, firstIdOf(DELAYED)]) {
    for (let from = first; receipts.wanted && !forDeadLetters; ) {
      const entries = await log.read(from, READ_AT_ONCE)
      if (entries.length === 0) break
      from = entries.at(-1)!.id + 1
      for (const { id, message, mark } of entries) {
        if (receipts.wantedFor(message)) wanted.push(new Entry(id, message, mark, null))
      }
    }
  }
  return wanted
}

/**
 * Remove what no consumer has. Returns how many messages that were.
 * @param wanted as `readWanted` found them
 */
export function purge(queue: Queue, wanted: readonly Entry[], { events }: PluginContext<QueueOptions>): number {
  const { name, log, ledger, entrance, state } = queue
  const onDisk = (from: number, to: number): void => {
    log.removeRange(from, to)
    for (const entry of wanted) if (entry.id >= from && entry.id < to) ledger.purged(entry)
  }
  entrance.purge(onDisk)
  const messages = state.purge((entry) => remove(queue, entry), onDisk)
  ledger.countPurged(messages)
  events.emit('queue.purged', { queue: name, messages })
  queue.checkUse()
  return messages
}

/** Remove all there is, and forget all that is remembered. Returns how many messages there were. */
export function empty(queue: Queue, wanted: readonly Entry[], context: PluginContext<QueueOptions>): number {
  const waiting = purge(queue, wanted, context)
  const held = queue.state.takeBack((entry) => remove(queue, entry))
  queue.ledger.countPurged(held)
  queue.entrance.forgetIds()
  unpause(queue, context)
  queue.checkUse()
  return waiting + held
}

function remove({ log, ledger }: Queue, entry: Entry): void {
  log.remove(entry.id)
  ledger.purged(entry)
}
