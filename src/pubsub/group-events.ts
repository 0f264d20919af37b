/** What is told of messages that are a group's. Of one that no member has, no client is named. */

import type { Counters } from '../core/counters.ts'
import type { EventMap, Events } from '../core/events.ts'
import type { Message } from '../core/message.ts'

/** At QoS 0: its outbox tells of others. */
export function tellDelivered(
  { events }: { events: Events },
  clientId: string,
  { topic, payloadLength }: Message,
): void {
  if (!events.wants('message.delivered')) return
  events.emit('message.delivered', { clientId, topic, qos: 0, bytes: payloadLength })
}

export function tellDropped(
  { events, counters }: { events: Events; counters: Counters },
  { topic, qos }: Message,
  reason: EventMap['message.dropped']['reason'],
): void {
  counters.publishDropped++
  if (events.wants('message.dropped')) events.emit('message.dropped', { clientId: '', topic, qos, reason })
}

export function tellExpired({ events }: { events: Events }, { topic }: Message): void {
  if (events.wants('message.expired')) events.emit('message.expired', { clientId: '', topic })
}
