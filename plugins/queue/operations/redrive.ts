/**
 * Dead letters go back to where they came from, as they were: once their cause is mended. Each batch removes and appends in
 * one run, so on disk a message is in one of the two queues, always; between batches others have their turn.
 */

import { type LogEntry, Message, type PluginContext, withoutUserProperties } from '../../../src/plugin.ts'
import type { Engine } from '../engine.ts'
import { originOf, topicOf } from '../names.ts'
import type { QueueOptions } from '../options.ts'
import { DEAD_LETTER_PROPERTIES, originIn } from '../properties.ts'
import type { Queue } from '../queue.ts'
import { instructionsOf } from '../records/instructions.ts'

/** Messages in one batch. */
const BATCH = 500

export interface RedriveOptions {
  /** Move so many at most. Default: all that are there when it begins. */
  limit?: number
  /** Called when a batch is safe. */
  onProgress?: (progress: RedriveResult) => void
}

export interface RedriveResult {
  /** Sent back. */
  moved: number
  /** Left where they are: a consumer has them, it is not known where they came from, or that queue is full. */
  left: number
}

export async function redrive(
  queue: Queue,
  engine: Engine,
  { store, events }: PluginContext<QueueOptions>,
  { limit = Infinity, onProgress }: RedriveOptions,
): Promise<RedriveResult> {
  await store.durable() // what has just died is among them
  const result = { moved: 0, left: 0 }
  let remaining = queue.state.contents.length
  for (const first of queue.log.lanes) {
    for (let from = first; remaining > 0 && result.moved < limit; ) {
      const entries = await queue.log.read(from, Math.min(BATCH, remaining, limit - result.moved))
      if (entries.length === 0) break
      from = entries.at(-1)!.id + 1
      remaining -= entries.length
      for (const entry of entries) {
        if (moveBack(entry, queue, engine)) result.moved++
        else result.left++
      }
      await store.durable()
      if (events.wants('queue.redriven')) events.emit('queue.redriven', { queue: queue.name, ...result })
      onProgress?.({ ...result })
    }
  }
  queue.checkUse()
  return result
}

/** Returns whether it was moved. */
function moveBack({ id, message }: LogEntry, from: Queue, engine: Engine): boolean {
  const name = originIn(message) ?? originOf(from.name)
  if (name === null || name === from.name) return false
  const target = engine.openIfPossible(topicOf(name))
  if (target === null || !target.entrance.hasRoom(message.payloadLength)) return false
  if (!from.state.contents.extract(id, message.payloadLength)) return false
  from.log.remove(id)
  from.ledger.redriven()
  const alive = asItWas(message, target.topic)
  engine.append(target, alive, target.forDeadLetters ? 0 : instructionsOf(alive).priority, true)
  return true
}

/** Without what was added to it. It keeps when it was received; its delay is over, and it does not expire any more. */
function asItWas({ payload, qos, from, receivedAt, properties, packetId }: Message, topic: string): Message {
  const own = properties === null ? null : withoutUserProperties(properties, DEAD_LETTER_PROPERTIES)
  return Message.of({ topic, payload, qos, from, receivedAt, properties: own, packetId })
}
