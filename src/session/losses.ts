/** What is given up before its client has settled it: the connection or the session ended, or the client may not read it any more. */

import { type Delivery, RELEASED, SENT, settle } from './delivery.ts'
import type { Sending } from './sending.ts'

/** Give up, in order, those that `leaves` names. */
export function lose(sending: Sending, leaves: (delivery: Delivery) => boolean): void {
  const lost = [...[...sending.inflight.values()].filter(leaves), ...sending.waiting.remove(leaves)]
  for (const delivery of lost) {
    if (delivery.packetId !== 0) sending.inflight.delete(delivery)
    sending.letGo(delivery)
    const inDoubt = delivery.own && delivery.inDoubt
    // What was lent goes back to its lender, stored as it is.
    if (inDoubt || delivery.receiver === null) sending.ledger.count(delivery, -1)
    settle(delivery, inDoubt ? 'in-doubt' : 'lost', 0)
  }
}

/** Give up what `readable` does not allow, unless this connection was sent it. */
export function revoke(sending: Sending, readable: (topic: string) => boolean): void {
  const leaves = ({ state, topic }: Delivery): boolean => state !== RELEASED && !readable(topic)
  const unsent = sending.transmitter.carrier === null ? [...sending.inflight.values()] : sending.again.toArray()
  for (const delivery of unsent) {
    if (sending.inflight.get(delivery.packetId) === delivery && leaves(delivery)) revokeOne(sending, delivery)
  }
  for (const delivery of sending.waiting.remove(leaves)) revokeOne(sending, delivery)
  sending.pump() // others may have waited for their places
}

/** The client may know the packet identifier of a QoS 2 message: what is left then is to have that back. */
function revokeOne(sending: Sending, delivery: Delivery): void {
  const { own, receiver, qos, topic, state } = delivery
  const inDoubt = state === SENT && qos === 2
  if (inDoubt) sending.release(delivery)
  else if (state === SENT) sending.inflight.delete(delivery)
  sending.letGo(delivery)
  // What was lent goes back to its lender, stored as it is.
  if (!inDoubt && (!own || receiver === null)) sending.ledger.remove(delivery)
  settle(delivery, inDoubt && own ? 'in-doubt' : 'lost', 0)
  if (!own || receiver !== null) return
  const { clientId, counters, events } = sending.parts
  counters.publishDropped++
  if (events.wants('message.dropped')) {
    events.emit('message.dropped', { clientId, topic, qos, reason: 'not-authorized' })
  }
}
