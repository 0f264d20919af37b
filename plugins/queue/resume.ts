/**
 * After a restart: what kept sessions had in hand at QoS 2 is theirs still, under the same packet identifiers. The session
 * keeps which messages those are; the messages themselves are in the logs of the queues.
 */

import type { Interrupted, LogEntry, ResumingOutbox, SessionView } from '../../src/plugin.ts'
import type { Consumers } from './consumers.ts'
import type { Queue } from './queue.ts'
import type { Queues } from './queues.ts'

/** How far apart two ids may be to be read together. */
const NEAR = 8

/** Give a session's seats what they had. What is no longer in its queue, or whose queue it has left, nobody gives it. */
export async function resume(
  session: SessionView,
  outbox: ResumingOutbox,
  { queues, consumers }: { queues: Queues; consumers: Consumers },
): Promise<void> {
  for (const [topic, interrupted] of byTopic(outbox.interrupted)) {
    const queue = queues.at(topic)
    const seat = queue && consumers.seatAt(queue, session)
    if (queue === undefined || seat === undefined) continue
    for (const [id, stored] of await readThese(queue, [...interrupted.keys()])) {
      const delivery = interrupted.get(id)
      if (delivery !== undefined) queue.resumeDelivery(seat, stored, outbox, delivery)
    }
  }
}

function byTopic(interrupted: readonly Interrupted[]): Map<string, Map<number, Interrupted>> {
  const topics = new Map<string, Map<number, Interrupted>>()
  for (const delivery of interrupted) {
    const { topic, reference } = delivery
    let known = topics.get(topic)
    if (known === undefined) {
      known = new Map()
      topics.set(topic, known)
    }
    known.set(reference, delivery)
  }
  return topics
}

/** Read entries by their ids, neighbours together. */
async function readThese(queue: Queue, ids: readonly number[]): Promise<Map<number, LogEntry>> {
  const wanted = [...ids].sort((a, b) => a - b)
  const found = new Map<number, LogEntry>()
  for (let i = 0; i < wanted.length; ) {
    const from = wanted[i]!
    let last = from
    while (i < wanted.length && wanted[i]! - last <= NEAR) last = wanted[i++]!
    for (const entry of await queue.log.read(from, last - from + 1)) found.set(entry.id, entry)
  }
  return found
}
