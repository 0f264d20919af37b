/**
 * The user properties by which a queue speaks to MQTT 5.0 clients.
 *
 * Every delivery has its own, so the usual ones are not encoded but filled in: a template per queue, in which the time
 * has a fixed width and the id comes last. Encoding them one by one costs ten times as much as delivering the message.
 */

import { allUserProperties, Message, userProperties } from '../../src/plugin.ts'
import type { Entry } from './rules/consumer.ts'
import type { DeadReason } from './rules/effects.ts'

const DATE_LENGTH = '2026-01-01T00:00:00.000Z'.length

export class DeliveryProperties {
  readonly #queue: string
  readonly #template: Buffer
  readonly #dateAt: number
  /** Where the id's length stands: two bytes at the end of the template. */
  readonly #idAt: number
  #time = 0
  #date = ''

  constructor(queue: string) {
    this.#queue = queue
    const fixed = userProperties([['eventflow-queue', queue]])
    const dated = userProperties([['eventflow-enqueued-at', ' '.repeat(DATE_LENGTH)]])
    const named = userProperties([['eventflow-id', '']])
    this.#template = Buffer.concat([fixed, dated, named])
    this.#dateAt = fixed.length + dated.length - DATE_LENGTH
    this.#idAt = this.#template.length - 2
  }

  /** What a consumer is told with a delivery. */
  of(entry: Entry): Buffer {
    const date = this.#dateOf(entry.message.receivedAt)
    if (entry.deliveries > 1) return this.#ofRedelivery(entry, date)
    const id = String(entry.id)
    const bytes = Buffer.allocUnsafe(this.#template.length + id.length)
    this.#template.copy(bytes)
    bytes.write(date, this.#dateAt, 'latin1')
    bytes[this.#idAt + 1] = id.length
    bytes.write(id, this.#idAt + 2, 'latin1')
    return bytes
  }

  #ofRedelivery({ id, deliveries }: Entry, date: string): Buffer {
    return userProperties([
      ['eventflow-queue', this.#queue],
      ['eventflow-enqueued-at', date],
      ['eventflow-id', String(id)],
      ['eventflow-deliveries', String(deliveries)],
    ])
  }

  /** Many messages arrive in one millisecond. */
  #dateOf(time: number): string {
    if (time !== this.#time || this.#date === '') {
      this.#time = time
      this.#date = new Date(time).toISOString()
    }
    return this.#date
  }
}

/** User properties of a dead letter that say what it died of. */
export const DEAD_LETTER_PROPERTIES: ReadonlySet<string> = new Set([
  'eventflow-dead-reason',
  'eventflow-dead-from',
  'eventflow-dead-deliveries',
])

/** The queue that a dead letter comes from; null: it does not say. */
export function originIn({ properties }: Message): string | null {
  if (properties === null) return null
  // A producer may have set one, too: ours is the last.
  return allUserProperties(properties).findLast(([name]) => name === 'eventflow-dead-from')?.[1] ?? null
}

/** The message of `queue` as it goes to the dead letter queue on `topic`. It expires no more: somebody is to look at it. */
export function deadLetter({ message, deliveries }: Entry, queue: string, reason: DeadReason, topic: string): Message {
  const { payload, qos, from, receivedAt, packetId } = message
  const told = userProperties([
    ['eventflow-dead-reason', reason],
    ['eventflow-dead-from', queue],
    ['eventflow-dead-deliveries', String(deliveries)],
  ])
  const properties = message.properties === null ? told : Buffer.concat([message.properties, told])
  return Message.of({ topic, payload, qos, properties, from, receivedAt, packetId })
}
