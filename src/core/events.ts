/**
 * Every event in the broker: its data and one line of meaning. docs/events.md is checked against this table.
 *
 * An event costs nothing when nobody listens: on the path of a message ask `wants()` before building the data.
 */

import type { QoS } from './message.ts'

/** Why a connection ended. The list is closed. */
export type DisconnectReason =
  | 'client' // it sent DISCONNECT
  | 'keep-alive' // silent for longer than one and a half keep alive intervals
  | 'takeover' // another connection with the same client identifier
  | 'protocol-error' // what it sent is not MQTT
  | 'not-authorized' // it published what it may not (MQTT 3.1.1 has no other answer)
  | 'credentials-expired' // what it was let in with is valid no longer
  | 'kicked' // by an operator or a plugin
  | 'slow' // it does not read
  | 'network' // the connection broke
  | 'shutdown' // the broker stops
  | 'error' // the broker could not do its part

export interface EventMap {
  /** The broker is up and its listeners are open. */
  'broker.started': { version: string; node: string }
  /** The broker was told to stop and accepts no more connections. */
  'broker.stopping': Record<string, never>
  /** Everything is settled and flushed. */
  'broker.stopped': Record<string, never>
  /** A fault inside the broker that no client caused. */
  'broker.error': { code: string; message: string }

  /** A listener accepts connections. */
  'listener.listening': { listener: string; host: string; port: number }
  /** A listener was closed. */
  'listener.closed': { listener: string; host: string; port: number }
  /** A listener could not be opened, or broke. */
  'listener.failed': { listener: string; host: string; port: number; message: string }

  /** A connection was turned away before it had a session. */
  'client.connecting-refused': { clientId: string; address: string; reason: string; reasonCode: number }
  /** A client has its CONNACK. */
  'client.connected': {
    clientId: string
    username: string | null
    address: string
    protocolVersion: number
    cleanStart: boolean
    keepAliveSeconds: number
    sessionPresent: boolean
  }
  /** A client's connection ended. */
  'client.disconnected': { clientId: string; reason: DisconnectReason; reasonCode: number; address: string }
  /** A client sent what it must not; `reasonCode` says what. Its connection ends. */
  'client.error': { clientId: string; address: string; message: string; reasonCode: number }

  /** A new session began. */
  'session.created': { clientId: string; expirySeconds: number }
  /** A client came back to its session. */
  'session.resumed': { clientId: string; expirySeconds: number; waiting: number }
  /** A session ended: its time was up, or it was never to outlive its connection. */
  'session.expired': { clientId: string }
  /** A session changed hands to a newer connection of the same client. */
  'session.taken-over': { clientId: string }

  /** A subscription was granted. */
  'subscription.added': { clientId: string; filter: string; qos: QoS }
  /** A subscription ended; `not-authorized`: the rules allow it no more. */
  'subscription.removed': {
    clientId: string
    filter: string
    reason: 'unsubscribed' | 'session-ended' | 'not-authorized' | 'not-stored'
  }
  /** A subscription was refused. */
  'subscription.refused': { clientId: string; filter: string; reasonCode: number; reason: string }

  /** A message was accepted. */
  'message.published': { clientId: string; topic: string; qos: QoS; retain: boolean; bytes: number }
  /** A message was refused. */
  'message.refused': { clientId: string; topic: string; reasonCode: number; reason: string }
  /** A message was written to a subscriber's connection. */
  'message.delivered': { clientId: string; topic: string; qos: QoS; bytes: number }
  /** A subscriber acknowledged a message. */
  'message.acknowledged': { clientId: string; topic: string; qos: QoS }
  /** A message was lost to one subscriber, or (no subscriber named) altogether. */
  'message.dropped': {
    clientId: string
    topic: string
    qos: QoS
    reason: 'slow' | 'session-full' | 'packet-too-large' | 'session-ended' | 'not-authorized'
  }
  /** A message's time was up before it could be delivered. */
  'message.expired': { clientId: string; topic: string }
  /** A client's will was published. */
  'message.will-published': { clientId: string; topic: string }
  /** A retained message was set. */
  'message.retained': { topic: string; bytes: number }
  /** A retained message was deleted. */
  'message.retained-cleared': { topic: string }

  /** A queue came to be, by its first use. */
  'queue.created': { queue: string }
  /** A queue was forgotten: empty, and nobody consumes it. */
  'queue.deleted': { queue: string }
  /** A message is in the queue, on disk. */
  'queue.enqueued': { queue: string; id: number; clientId: string; qos: QoS; bytes: number }
  /** A message is on disk, and will be in the queue, under another id, when its delay is over (RFC 3339, UTC). */
  'queue.delayed': { queue: string; id: number; clientId: string; qos: QoS; bytes: number; dueAt: string }
  /** A message was handed to a consumer. `deliveries` counts this one. */
  'queue.delivered': { queue: string; id: number; consumer: string; deliveries: number }
  /** A consumer acknowledged a message; it is gone. */
  'queue.acknowledged': { queue: string; id: number; consumer: string }
  /** A message came back and will be delivered again. */
  'queue.redelivered': {
    queue: string
    id: number
    consumer: string
    reason: 'timeout' | 'consumer-gone' | 'refused'
    deliveries: number
  }
  /** A message was moved to the dead letter queue. */
  'queue.dead-lettered': { queue: string; id: number; deadLetterQueue: string; reason: string; deliveries: number }
  /** A message's time was up and it was discarded. */
  'queue.expired': { queue: string; id: number }
  /** A message could not be kept, and why. */
  'queue.dropped': { queue: string; id: number; reason: string }
  /** An operator paused a queue: nothing is delivered from it. */
  'queue.paused': { queue: string }
  /** An operator let a queue go on. */
  'queue.resumed': { queue: string }
  /** An operator had a queue's waiting messages removed. */
  'queue.purged': { queue: string; messages: number }
  /** Dead letters were sent back to where they came from: so many since the operator said so, and so many left. */
  'queue.redriven': { queue: string; moved: number; left: number }
  /** A queue is full. Told again once it had room. `limit` is the option that says so. */
  'queue.limit-reached': { queue: string; limit: 'maxLength' | 'maxBytes'; overflow: 'reject' | 'drop-oldest' }
  /** The last message left the queue. */
  'queue.emptied': { queue: string }
  /** A client consumes from the queue. */
  'queue.consumer-added': { queue: string; consumer: string; qos: QoS }
  /** A client no longer consumes from the queue. */
  'queue.consumer-removed': { queue: string; consumer: string }

  /** A client proved who it is. */
  'access.authenticated': { clientId: string; username: string | null; address: string; by: string }
  /** A client was not let in, or not allowed something. */
  'access.denied': {
    clientId: string
    username: string | null
    address: string
    action: 'connect' | 'publish' | 'subscribe'
    topic: string | null
  }
  /** Too many wrong passwords came from an address: nobody unknown is heard from there for so long. */
  'access.slowed': { address: string; forMs: number }

  /** The store is open. */
  'store.opened': { kind: string; sessions: number; retained: number }
  /** The store writes again, after so long; all that waited is safe, and acknowledged. */
  'store.recovered': { durationMs: number }
  /** Nothing can be written, and is acknowledged, until store.recovered (STORE_FAILED); or something is damaged (STORE_CORRUPT). */
  'store.failed': { code: string; message: string }

  /** Files were read again that had changed, and are in force; `what`: the group of options that names them. */
  'config.reloaded': { what: string }
  /** A file that has changed is not right; what was read before stays in force. */
  'config.rejected': { what: string; message: string }
}

export type EventType = keyof EventMap

export type EventListener = <T extends EventType>(type: T, data: EventMap[T]) => void

export interface Events {
  /** Whether anyone listens to `type`: ask before building the data of an event on the path of a message. */
  wants(type: EventType): boolean
  /** Tell every listener. Never throws. */
  emit<T extends EventType>(type: T, data: EventMap[T]): void
  /** Listen to some types. Returns the function that stops it. */
  listen(types: readonly EventType[], listener: EventListener): () => void
}

export class EventBus implements Events {
  readonly #listeners = new Map<EventType, EventListener[]>()
  readonly #onFault: (error: unknown) => void

  /** @param onFault told what a listener threw; the other listeners are called all the same */
  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault
  }

  wants(type: EventType): boolean {
    return this.#listeners.has(type)
  }

  emit<T extends EventType>(type: T, data: EventMap[T]): void {
    const listeners = this.#listeners.get(type)
    if (listeners === undefined) return
    for (const listener of listeners) {
      try {
        listener(type, data)
      } catch (error) {
        this.#onFault(error)
      }
    }
  }

  listen(types: readonly EventType[], listener: EventListener): () => void {
    // Lists are replaced, never changed: an emit under way goes on over the list that it began with.
    for (const type of types) this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener])
    return () => {
      for (const type of types) {
        const left = (this.#listeners.get(type) ?? []).filter((other) => other !== listener)
        if (left.length > 0) this.#listeners.set(type, left)
        else this.#listeners.delete(type)
      }
    }
  }
}

/** Every event type there is, for the documents' test and for those who listen to all. Checked complete by the compiler. */
export const EVENT_TYPES = Object.keys({
  'broker.started': 0,
  'broker.stopping': 0,
  'broker.stopped': 0,
  'broker.error': 0,
  'listener.listening': 0,
  'listener.closed': 0,
  'listener.failed': 0,
  'client.connecting-refused': 0,
  'client.connected': 0,
  'client.disconnected': 0,
  'client.error': 0,
  'session.created': 0,
  'session.resumed': 0,
  'session.expired': 0,
  'session.taken-over': 0,
  'subscription.added': 0,
  'subscription.removed': 0,
  'subscription.refused': 0,
  'message.published': 0,
  'message.refused': 0,
  'message.delivered': 0,
  'message.acknowledged': 0,
  'message.dropped': 0,
  'message.expired': 0,
  'message.will-published': 0,
  'message.retained': 0,
  'message.retained-cleared': 0,
  'queue.created': 0,
  'queue.deleted': 0,
  'queue.enqueued': 0,
  'queue.delayed': 0,
  'queue.delivered': 0,
  'queue.acknowledged': 0,
  'queue.redelivered': 0,
  'queue.dead-lettered': 0,
  'queue.expired': 0,
  'queue.dropped': 0,
  'queue.paused': 0,
  'queue.resumed': 0,
  'queue.purged': 0,
  'queue.redriven': 0,
  'queue.limit-reached': 0,
  'queue.emptied': 0,
  'queue.consumer-added': 0,
  'queue.consumer-removed': 0,
  'access.authenticated': 0,
  'access.denied': 0,
  'access.slowed': 0,
  'store.opened': 0,
  'store.recovered': 0,
  'store.failed': 0,
  'config.reloaded': 0,
  'config.rejected': 0,
} satisfies Record<EventType, 0>) as EventType[]
