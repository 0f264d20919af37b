/**
 * Events as JSON, one object each, in the format of CloudEvents 1.0 with its `sequence` extension.
 *
 * The sequence begins with 1 at every start of the broker and has no gaps, so who reads every event sees what it missed.
 * The extension wants text that sorts as it counts: hence the leading zeros, sixteen digits like the largest safe integer.
 */

import type { Clock, EventMap, EventType } from '../../src/plugin.ts'

/** What the messages are, for MQTT 5.0 readers: structured content mode of the CloudEvents binding for MQTT. */
export const CONTENT_TYPE = 'application/cloudevents+json'

export class CloudEvents {
  readonly #clock: Clock
  readonly #source: string
  /** Sets the identifiers of this run apart from those of the run before. */
  readonly #startedAt: number
  #sequence = 0

  /** @param node name of this node, any text */
  constructor(node: string, clock: Clock) {
    this.#clock = clock
    this.#source = `/eventflow/${encodeURIComponent(node)}`
    this.#startedAt = clock.now()
  }

  /** The next event, as the payload of a message. */
  encode<T extends EventType>(type: T, data: EventMap[T]): Buffer {
    const sequence = ++this.#sequence
    const event = {
      specversion: '1.0',
      id: `${this.#startedAt}-${sequence}`,
      source: this.#source,
      type,
      time: new Date(this.#clock.now()).toISOString(),
      datacontenttype: 'application/json',
      sequence: String(sequence).padStart(16, '0'),
      data,
    }
    return Buffer.from(JSON.stringify(event))
  }

  /** Leave one out: readers see the gap. */
  skip(): void {
    this.#sequence++
  }
}
