/** The topic of one kind of event: `client.connected` is told on `$eventflow/events/client/connected`. */

import { EVENT_TYPES, type EventType } from '../../src/plugin.ts'

/** What all topics of status start with; the configuration sees to it that `status.topic` does. */
export const PREFIX = '$eventflow/'

const TOPICS = new Map(EVENT_TYPES.map((type) => [type, `${PREFIX}events/${type.replace('.', '/')}`]))

export function eventTopic(type: EventType): string {
  return TOPICS.get(type)!
}
