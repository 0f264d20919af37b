/**
 * One event that was told: its number, its time and its data. Its JSON, in the format of CloudEvents 1.0 with the extension
 * `sequence`, is made when somebody wants it, once for all who do.
 */

import type { EventMap, EventType } from '../core/events.ts'

/** An event as it is told: https://cloudevents.io, version 1.0. */
export interface CloudEventOf<T extends EventType> {
  specversion: '1.0'
  /** Unique for its source, across restarts too. */
  id: string
  /** `/eventflow/` and the name of the node, percent-encoded. */
  source: string
  type: T
  /** RFC 3339, UTC, to the millisecond. */
  time: string
  datacontenttype: 'application/json'
  /** Text that sorts as it counts: sixteen digits, like the largest safe integer. */
  sequence: string
  data: EventMap[T]
}

/** Any event; its `type` says which data it has. */
export type CloudEvent = { [T in EventType]: CloudEventOf<T> }[EventType]

/** Who tells: the same for all events of one run. Nothing in it needs an escape in JSON. */
export interface EventOrigin {
  readonly source: string
  /** Sets the identifiers of this run apart from those of the run before. */
  readonly runId: string
}

export class EventRecord {
  readonly #origin: EventOrigin
  /** From 1, without gaps. */
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly type: EventType
  readonly data: EventMap[EventType]
  #json: Buffer | null = null

  constructor(origin: EventOrigin, sequence: number, at: number, type: EventType, data: EventMap[EventType]) {
    this.#origin = origin
    this.sequence = sequence
    this.at = at
    this.type = type
    this.data = data
  }

  /** Unique for its source, across restarts too: the run, `-`, and the sequence number. */
  get id(): string {
    return `${this.#origin.runId}-${this.sequence}`
  }

  /** The event as JSON in UTF-8. Not to be written to: all who asked have the same bytes. */
  get json(): Buffer {
    this.#json ??= Buffer.from(this.#text())
    return this.#json
  }

  toCloudEvent(): CloudEvent {
    const { id, sequence, type, data } = this
    const { source } = this.#origin
    return {
      specversion: '1.0',
      id,
      source,
      type,
      time: timeOf(this.at),
      datacontenttype: 'application/json',
      sequence: sixteenDigits(sequence),
      data,
    } as CloudEvent
  }

  /** What JSON.stringify() makes of the CloudEvent, in a third of the time: only `data` can need escapes. */
  #text(): string {
    const { sequence, type } = this
    const { source, runId } = this.#origin
    const head = `{"specversion":"1.0","id":"${runId}-${sequence}","source":"${source}","type":"${type}"`
    const rest = `"datacontenttype":"application/json","sequence":"${sixteenDigits(sequence)}"`
    return `${head},"time":"${timeOf(this.at)}",${rest},"data":${JSON.stringify(this.data)}}`
  }
}

function sixteenDigits(sequence: number): string {
  return String(sequence).padStart(16, '0')
}

let lastAt = Number.NaN
let lastTime = ''

/** Hundreds of events have the same millisecond. */
function timeOf(at: number): string {
  if (at !== lastAt) {
    lastTime = new Date(at).toISOString()
    lastAt = at
  }
  return lastTime
}
