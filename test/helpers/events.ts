/** What the broker tells of itself, kept for a test to look at. */

import { onTestFinished } from 'vitest'
import type { EventMap, Events, EventType } from '../../src/core/events.ts'
import { until } from './until.ts'

export class EventLog {
  readonly all: Array<{ type: EventType; data: unknown }> = []

  /** The data of every event of this type, in order. */
  of<T extends EventType>(type: T): Array<EventMap[T]> {
    return this.all.filter((event) => event.type === type).map(({ data }) => data as EventMap[T])
  }

  /** The first event of this type whose data has these values, now or later. */
  async find<T extends EventType>(type: T, values: Partial<EventMap[T]> = {}): Promise<EventMap[T]> {
    const found = (): EventMap[T] | undefined =>
      this.of(type).find((data) =>
        Object.entries(values).every(([key, value]) => data[key as keyof typeof data] === value),
      )
    await until(`there is an event ${type} with ${JSON.stringify(values)}`, () => found() !== undefined)
    return found()!
  }
}

/** Listen to these types until the test ends. */
export function listenTo(broker: { events: Events }, ...types: EventType[]): EventLog {
  const log = new EventLog()
  onTestFinished(broker.events.listen(types, (type, data) => void log.all.push({ type, data })))
  return log
}
