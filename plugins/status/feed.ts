/**
 * The namespace of status: every event, as it happens, to those who read it. At QoS 0 and never stored: a reader that
 * is away or too slow misses events, sees from their sequence that it did, and is told how many.
 *
 * Whoever emits an event only puts it into a backlog. Readers are told of it a moment later, all in one order.
 */

import {
  type Clock,
  type EventChronicle,
  type EventRecord,
  type Events,
  isShared,
  type Logger,
  Message,
  type Namespace,
  ReasonCode,
  Refusal,
  type Route,
  type SessionView,
  type Subscription,
} from '../../src/plugin.ts'
import { Backlog } from './backlog.ts'
import { eventTopic } from './event-topic.ts'
import { Interest } from './interest.ts'
import { Losses } from './losses.ts'
import { Reader } from './reader.ts'

export interface FeedParts {
  /** The topic that has all events. */
  topic: string
  clock: Clock
  events: Events
  chronicle: EventChronicle
  log: Logger
}

export class StatusFeed implements Namespace {
  /** It is shown the filters of shared subscriptions, to refuse them. */
  readonly sharing = true
  readonly #parts: FeedParts
  #topic: string
  readonly #interest: Interest
  readonly #backlog = new Backlog((record) => this.#tell(record))
  readonly #losses: Losses
  readonly #readers = new Map<SessionView, Reader>()

  constructor(parts: FeedParts) {
    this.#parts = parts
    this.#topic = parts.topic
    const { chronicle, clock, events } = parts
    this.#interest = new Interest(chronicle, (record) => this.#note(record))
    this.#losses = new Losses({ clock, emit: (data) => events.emit('status.dropped', data) })
  }

  /** Status messages that a connected reader did not get. */
  get dropped(): number {
    return this.#losses.total
  }

  accept(): void {
    throw new Refusal(ReasonCode.NotAuthorized, 'only the broker publishes status')
  }

  /**
   * In force at once: a client may see the event of its own subscription before the SUBACK [MQTT-3.8.4-2].
   * @throws Refusal 0x9e for a shared subscription: an event is not work that one of many does
   */
  subscribe(session: SessionView, subscription: Subscription): undefined {
    if (isShared(subscription.filter)) {
      throw new Refusal(ReasonCode.SharedSubscriptionsNotSupported, 'status is not shared: every reader gets all of it')
    }
    const reader = this.#readers.get(session) ?? new Reader(session, this.#parts.chronicle.sequence)
    this.#readers.set(session, reader)
    reader.connected = session.connected
    reader.subscriptions.add(subscription)
    this.#listenFor(reader)
  }

  unsubscribe(session: SessionView, filter: string): void {
    const reader = this.#readers.get(session)
    if (reader === undefined) return
    reader.subscriptions.remove(filter)
    if (reader.subscriptions.size === 0) this.#forget(reader)
    this.#listenFor(reader)
  }

  attach(session: SessionView): void {
    const reader = this.#readers.get(session)
    if (reader === undefined) return
    reader.connected = true
    reader.since = this.#parts.chronicle.sequence
    this.#listenFor(reader)
  }

  detach(session: SessionView, ended: boolean): void {
    const reader = this.#readers.get(session)
    if (reader === undefined) return
    reader.connected = false
    this.#losses.forget(reader)
    if (ended) this.#forget(reader)
    this.#listenFor(reader)
  }

  /** Another topic for all events, from the next on. */
  change(topic: string): void {
    if (topic === this.#topic) return
    this.#backlog.flush()
    this.#topic = topic
    for (const reader of this.#readers.values()) this.#listenFor(reader)
  }

  /** Tell what happened until now, and nothing any more. */
  stop(): void {
    this.#interest.stop()
    this.#backlog.flush()
    this.#losses.stop()
    this.#readers.clear()
  }

  #forget(reader: Reader): void {
    this.#readers.delete(reader.session)
    this.#losses.forget(reader)
  }

  #listenFor(reader: Reader): void {
    const before = reader.listening
    reader.listening = reader.wants(this.#topic)
    this.#interest.add(reader.listening) // first, or what both have would be given up and taken up again
    this.#interest.remove(before)
  }

  /** Inside whoever emitted the event: it waits for nothing, and nothing fails. */
  #note(record: EventRecord): void {
    if (this.#backlog.add(record)) return
    for (const topic of this.#topicsOf(record)) {
      for (const reader of this.#readers.values())
        if (this.#routeTo(reader, topic, record)) this.#losses.add(reader, record)
    }
  }

  #tell(record: EventRecord): void {
    for (const topic of this.#topicsOf(record)) this.#publish(topic, record)
  }

  #topicsOf({ type }: EventRecord): readonly string[] {
    return [this.#topic, eventTopic(type)]
  }

  /** Null: the reader does not read it. */
  #routeTo(reader: Reader, topic: string, { sequence }: EventRecord): Route | null {
    return reader.connected && sequence > reader.since ? reader.subscriptions.route(topic) : null
  }

  /** One message, made if somebody takes it, for all who do. */
  #publish(topic: string, record: EventRecord): void {
    let message: Message | null = null
    for (const reader of this.#readers.values()) {
      const route = this.#routeTo(reader, topic, record)
      if (route === null) continue
      if (reader.session.outbox.writable) {
        message ??= Message.of({ topic, payload: record.json, properties: PROPERTIES })
        if (this.#send(reader, message, route)) continue
      }
      this.#losses.add(reader, record)
    }
  }

  #send({ session }: Reader, message: Message, { identifiers }: Route): boolean {
    try {
      return session.outbox.send(message, false, identifiers)
    } catch (error) {
      this.#parts.log.error({ clientId: session.clientId, error }, 'a status message could not be sent')
      return false
    }
  }
}

/** Structured content mode of the CloudEvents binding for MQTT. */
const CONTENT_TYPE = 'application/cloudevents+json'
/** Content Type (0x03), as it stands in a PUBLISH of MQTT 5.0; readers of 3.1.1 do not see it. */
const PROPERTIES = Buffer.from([0x03, 0, CONTENT_TYPE.length, ...Buffer.from(CONTENT_TYPE)])
