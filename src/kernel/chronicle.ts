/**
 * What happened, in order: events are numbered here as they are told, for all who follow them, and the last ones are kept for
 * those who come later.
 *
 * The numbers have no gaps: an event has one exactly if somebody wants its type. What nobody wants is not listened to, so it
 * is not even built. Who follows every type therefore sees each number.
 */

import { EVENT_TYPES, RARE_EVENT_TYPES } from '../core/event-types.ts'
import type { EventMap, Events, EventType } from '../core/events.ts'
import { type CloudEvent, type EventOrigin, EventRecord } from './event-record.ts'

/** Called during the emit: it must not wait, nor emit. What it throws is somebody else's log line. */
export type Follower = (record: EventRecord) => void

/** Which of the recent events; what is left out does not matter. */
export interface RecentQuery {
  /** Those of one area: `client`. */
  area?: string
  /** Those of one type, or some: `client.connected`. */
  type?: EventType | readonly EventType[]
  /** Those after the one with this sequence number. */
  since?: number
  /** So many at most: of those after `since` the first ones, else the last ones. */
  limit?: number
}

/** The events of the broker, for programs and plugins. */
export interface EventChronicle {
  /** The sequence number that was given last; 0: none yet. */
  readonly sequence: number
  /** The events that are kept and match, oldest first. */
  recent(query?: RecentQuery): CloudEvent[]
  /** Be told of these types from now on. Returns the function that ends it. */
  follow(types: readonly EventType[], follower: Follower): () => void
}

export interface ChronicleParts extends Keeping {
  events: Events
  now: () => number
  /** Name of this node: any text. */
  node: string
  /** Told what a follower threw. */
  onFault: (error: unknown) => void
}

export interface Keeping {
  /** How many events are kept; 0: none. */
  keep: number
  /** Whether those that happen as often as messages do are kept too. */
  keepMessages: boolean
}

export class Chronicle implements EventChronicle {
  readonly #parts: ChronicleParts
  readonly #origin: EventOrigin
  readonly #followers = new Map<EventType, { followers: readonly Follower[]; ignore: () => void }>()
  /** A ring: the next place to be written is `#count % #size`. */
  #kept: EventRecord[] = []
  #size = 0
  #count = 0
  #endKeeping = (): void => {}
  #sequence = 0

  constructor(parts: ChronicleParts) {
    this.#parts = parts
    const { node, now } = parts
    this.#origin = { source: `/eventflow/${encodeURIComponent(node)}`, runId: String(now()) }
    this.keep(parts)
  }

  /** Keep so many events from now on, or others; of those that are kept the last ones stay. */
  keep({ keep, keepMessages }: Keeping): void {
    this.#endKeeping()
    this.#kept = keep === 0 ? [] : this.#inOrder.slice(-keep)
    this.#size = keep
    this.#count = this.#kept.length
    const types = keepMessages ? EVENT_TYPES : RARE_EVENT_TYPES
    this.#endKeeping = keep === 0 ? () => {} : this.follow(types, (record) => this.#keep(record))
  }

  get sequence(): number {
    return this.#sequence
  }

  follow(types: readonly EventType[], follower: Follower): () => void {
    const wanted = new Set(types) // one that is named twice is told once
    for (const type of wanted) this.#add(type, follower)
    let following = true
    return () => {
      if (following) for (const type of wanted) this.#remove(type, follower)
      following = false
    }
  }

  recent({ area, type, since = 0, limit = Number.POSITIVE_INFINITY }: RecentQuery = {}): CloudEvent[] {
    const types = type === undefined ? null : new Set<string>(typeof type === 'string' ? [type] : type)
    const found = this.#inOrder.filter(
      (record) =>
        record.sequence > since &&
        (types === null || types.has(record.type)) &&
        (area === undefined || record.type.startsWith(`${area}.`)),
    )
    const start = since > 0 ? 0 : Math.max(found.length - limit, 0)
    return found.slice(start, start + limit).map((record) => record.toCloudEvent())
  }

  /** Those that are kept, the oldest first. */
  get #inOrder(): EventRecord[] {
    const oldest = this.#count % Math.max(this.#kept.length, 1)
    return [...this.#kept.slice(oldest), ...this.#kept.slice(0, oldest)]
  }

  readonly #tell = <T extends EventType>(type: T, data: EventMap[T]): void => {
    const { now, onFault } = this.#parts
    const record = new EventRecord(this.#origin, ++this.#sequence, now(), type, data)
    for (const follower of this.#followers.get(type)!.followers) {
      try {
        follower(record)
      } catch (error) {
        onFault(error)
      }
    }
  }

  #add(type: EventType, follower: Follower): void {
    const known = this.#followers.get(type)
    // Lists are replaced, never changed: telling goes on over the list that it began with.
    if (known !== undefined) known.followers = [...known.followers, follower]
    else this.#followers.set(type, { followers: [follower], ignore: this.#parts.events.listen([type], this.#tell) })
  }

  #remove(type: EventType, follower: Follower): void {
    const known = this.#followers.get(type)
    if (known === undefined) return
    const place = known.followers.lastIndexOf(follower)
    known.followers = known.followers.filter((_, i) => i !== place)
    if (known.followers.length > 0) return
    known.ignore()
    this.#followers.delete(type)
  }

  #keep(record: EventRecord): void {
    this.#kept[this.#count++ % this.#size] = record
  }
}
