/**
 * The namespace of status: every event, as it happens, to those who read it. At QoS 0 and never stored: a reader that
 * is away or too slow misses events, and sees from their sequence that it did.
 *
 * Works inside whoever emitted the event, so it waits for nothing and lets nothing fail. What happens while a message
 * goes out (a reader's connection breaks) is told after it: all readers hear of events in one order.
 */

import {
  type Clock,
  type EventMap,
  type Events,
  type EventType,
  type Logger,
  Message,
  type Namespace,
  ReasonCode,
  Refusal,
  type SessionView,
  type Subscription,
} from '../../src/plugin.ts'
import { CloudEvents, CONTENT_TYPE } from './cloud-events.ts'
import { eventTopic } from './event-topic.ts'
import { Interest } from './interest.ts'
import { Reader, type Route } from './reader.ts'

export interface FeedParts {
  /** The topic that has all events. */
  topic: string
  node: string
  clock: Clock
  events: Events
  log: Logger
}

/** Events that telling one may cause. Without an end to it, telling of what telling caused could go on for ever. */
const MAX_CAUSED = 100

export class StatusFeed implements Namespace {
  readonly #topic: string
  readonly #log: Logger
  readonly #cloudEvents: CloudEvents
  readonly #interest: Interest
  readonly #readers = new Map<SessionView, Reader>()
  readonly #waiting: Array<{ type: EventType; payload: Buffer }> = []
  #telling = false
  #caused = 0
  #dropped = 0

  constructor({ topic, node, clock, events, log }: FeedParts) {
    this.#topic = topic
    this.#log = log
    this.#cloudEvents = new CloudEvents(node, clock)
    this.#interest = new Interest(events, (type, data) => this.#tell(type, data))
  }

  /** Status messages that a connected reader did not get. */
  get dropped(): number {
    return this.#dropped
  }

  accept(): void {
    throw new Refusal(ReasonCode.NotAuthorized, 'only the broker publishes status')
  }

  /** In force at once: a client may see the event of its own subscription before the SUBACK [MQTT-3.8.4-2]. */
  subscribe(session: SessionView, { filter, identifier }: Subscription): undefined {
    const reader = this.#readers.get(session) ?? new Reader(session)
    this.#readers.set(session, reader)
    reader.connected = session.connected
    reader.subscribe(filter, identifier)
    this.#listenFor(reader)
  }

  unsubscribe(session: SessionView, filter: string): void {
    const reader = this.#readers.get(session)
    if (reader === undefined) return
    reader.unsubscribe(filter)
    if (reader.idle) this.#readers.delete(session)
    this.#listenFor(reader)
  }

  attach(session: SessionView): void {
    const reader = this.#readers.get(session)
    if (reader === undefined) return
    reader.connected = true
    this.#listenFor(reader)
  }

  detach(session: SessionView, ended: boolean): void {
    const reader = this.#readers.get(session)
    if (reader === undefined) return
    reader.connected = false
    if (ended) this.#readers.delete(session)
    this.#listenFor(reader)
  }

  /** Tell nothing any more. */
  stop(): void {
    this.#interest.stop()
    this.#readers.clear()
  }

  #listenFor(reader: Reader): void {
    const before = reader.listening
    reader.listening = reader.wants(this.#topic)
    this.#interest.add(reader.listening) // first, or what both have would be given up and taken up again
    this.#interest.remove(before)
  }

  #tell<T extends EventType>(type: T, data: EventMap[T]): void {
    if (this.#telling && ++this.#caused > MAX_CAUSED) {
      this.#cloudEvents.skip()
      return
    }
    this.#waiting.push({ type, payload: this.#cloudEvents.encode(type, data) })
    if (this.#telling) return
    this.#telling = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#publish(this.#topic, next.payload)
      this.#publish(eventTopic(next.type), next.payload)
    }
    this.#telling = false
    this.#caused = 0
  }

  /** One message, made if somebody wants it, for all who do. */
  #publish(topic: string, payload: Buffer): void {
    let message: Message | null = null
    for (const reader of this.#readers.values()) {
      const route = reader.connected ? reader.route(topic) : null
      if (route === null) continue
      message ??= Message.of({ topic, payload, properties: PROPERTIES })
      if (!this.#send(reader, message, route)) this.#dropped++
    }
  }

  #send({ session }: Reader, message: Message, { identifiers }: Route): boolean {
    try {
      return session.outbox.send(message, false, identifiers)
    } catch (error) {
      this.#log.error({ clientId: session.clientId, error }, 'a status message could not be sent')
      return false
    }
  }
}

/** Content Type (0x03), as it stands in a PUBLISH of MQTT 5.0; readers of 3.1.1 do not see it. */
const PROPERTIES = Buffer.from([0x03, 0, CONTENT_TYPE.length, ...Buffer.from(CONTENT_TYPE)])
