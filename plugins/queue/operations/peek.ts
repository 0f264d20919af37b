/** Looking at the messages of a queue without taking them: what is in the store, and where each of them is. */

import { allUserProperties, type LogEntry, type QoS } from '../../../src/plugin.ts'
import type { Queue } from '../queue.ts'
import { groupOf } from '../records/instructions.ts'
import { DELAYED, firstIdOf, laneOf } from '../records/queue-log.ts'

/** Read at once, and bytes of payload among them as far as one can guess. */
const PIECE = 100
const PIECE_BYTES = 1024 * 1024

export interface PeekedMessage {
  id: number
  /** `ready`, or waiting for its group; `delivered`: in a consumer's hands; `resting` after a refusal; `delayed`. */
  state: 'ready' | 'delivered' | 'resting' | 'delayed'
  payload: Buffer
  /** That it was published at. */
  qos: QoS
  /** The client that published it; '': the broker. */
  clientId: string
  /** When it was received, milliseconds since the epoch. */
  receivedAt: number
  /** When it expires; null: never. */
  expiresAt: number | null
  priority: number
  group: string | null
  /** How often it was delivered, a delivery under way included. */
  deliveries: number
  /** The publisher's user properties, and of a dead letter what it died of. */
  userProperties: Array<[name: string, value: string]>
}

/**
 * The first messages, in the order of delivery; delayed ones last.
 * @param maxBytes no more are read once their payloads have so many: the last one may go beyond it
 */
export async function peek(queue: Queue, limit: number, maxBytes = Infinity): Promise<PeekedMessage[]> {
  const messages: PeekedMessage[] = []
  let bytes = 0
  // One first: how large they are is known then.
  let piece = 1
  for (const first of [...queue.log.lanes, firstIdOf(DELAYED)]) {
    for (let from = first; messages.length < limit && bytes < maxBytes; ) {
      const entries = await queue.log.read(from, Math.min(piece, limit - messages.length))
      if (entries.length === 0) break
      for (const entry of entries) {
        if (bytes >= maxBytes) break
        messages.push(describe(entry, queue))
        bytes += entry.message.payloadLength
      }
      piece = Math.max(1, Math.min(PIECE, Math.floor(PIECE_BYTES / (bytes / messages.length + 1))))
      from = entries.at(-1)!.id + 1
    }
  }
  return messages
}

function describe({ id, message, mark }: LogEntry, { state, forDeadLetters }: Queue): PeekedMessage {
  const { payload, qos, from, receivedAt, expiresAt, properties } = message
  const lane = laneOf(id)
  const found = state.find(id)
  return {
    id,
    state: lane === DELAYED ? 'delayed' : (found?.where ?? 'ready'),
    payload,
    qos,
    clientId: from,
    receivedAt,
    expiresAt: expiresAt === 0 ? null : expiresAt,
    priority: lane === DELAYED ? 0 : lane,
    group: forDeadLetters ? null : groupOf(message),
    deliveries: found?.deliveries ?? mark,
    userProperties: properties === null ? [] : allUserProperties(properties),
  }
}
