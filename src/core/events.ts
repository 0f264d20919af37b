/**
 * Every event in the broker: its data and one line of meaning. docs/events.md is checked against this table, and
 * test/integration/catalogue.test.ts has every one of them happen.
 *
 * An event costs nothing when nobody listens: on the path of a message ask `wants()` before building the data. Data that was
 * emitted is never changed: it may be read much later.
 */

import type { QoS } from './message.ts'

/** Why a connection ended. The list is closed. */
export type DisconnectReason =
  | 'client' // it sent DISCONNECT, with the reason code that is told
  | 'keep-alive' // silent for longer than one and a half keep alive intervals
  | 'takeover' // another connection with the same client identifier
  | 'protocol-error' // what it sent is not MQTT
  | 'not-authorized' // it published what it may not (MQTT 3.1.1 has no other answer)
  | 'quota' // it went beyond a limit: sent too fast, or a message for which there is no room (MQTT 3.1.1 has no other answer)
  | 'credentials-expired' // what it was let in with is valid no longer
  | 'kicked' // by an operator or a plugin
  | 'slow' // it does not read
  | 'network' // the connection ended without DISCONNECT, or broke
  | 'shutdown' // the broker stops
  | 'error' // the broker could not do its part

/** Why a connection was turned away before it had a session. The list is closed. */
export type RefusalReason =
  | 'handshake' // TLS, WebSocket or the PROXY header failed
  | 'timeout' // it took too long over its handshake, or never sent CONNECT
  | 'protocol-error' // what it sent is not MQTT, or is no CONNECT that can be served
  | 'unsupported-version' // a version of MQTT that is not spoken
  | 'client-identifier' // an identifier that cannot be taken
  | 'credentials' // the user name or password is not right, or they are given in a way that is not known
  | 'not-authorized' // it has none, or may not connect
  | 'limit' // too many connections: it, or those that were to be let in, so that the oldest gave way; or too fast
  | 'redirected' // it was sent to another server
  | 'shutdown' // the broker stops
  | 'unavailable' // the broker could not do its part

export interface EventMap {
  /** The broker is up and its listeners are open. */
  'broker.started': { version: string; node: string }
  /** The broker was told to stop and accepts no more connections. */
  'broker.stopping': Record<string, never>
  /** Everything is settled and flushed. */
  'broker.stopped': Record<string, never>
  /** For so long (option `overload.period`) the broker has been late by more than `limitMs`: all that clients send waits. */
  'broker.overloaded': { lagMs: number; limitMs: number }
  /** The broker is in time again. `durationMs`: since `broker.overloaded`; `maxLagMs`: the most that it was late. */
  'broker.relieved': { durationMs: number; maxLagMs: number }
  /** There is no room for more of what clients make the broker keep (`limits.maxMemory`). Told once a minute, as long as it is so. */
  'broker.memory-short': { usedBytes: number; maxBytes: number }
  /** A fault inside the broker that no client caused. */
  'broker.error': { code: string; message: string }

  /** A listener accepts connections. */
  'listener.listening': { listener: string; host: string; port: number }
  /** A listener was closed. */
  'listener.closed': { listener: string; host: string; port: number }
  /** A listener could not be opened, or broke. */
  'listener.failed': { listener: string; host: string; port: number; message: string }

  /** A connection was turned away before it had a session. */
  'client.connecting-refused': {
    clientId: string
    address: string
    reason: RefusalReason
    reasonCode: number
    message: string
  }
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
  /** A client's connection ended. `reasonCode` is what was sent or received, 0 when nothing was; `message` says more. */
  'client.disconnected': {
    clientId: string
    reason: DisconnectReason
    reasonCode: number
    address: string
    message: string
  }
  /** A client sent what it must not; `reasonCode` says what. Its connection ends. */
  'client.error': { clientId: string; address: string; message: string; reasonCode: number }
  /** A client sends faster than `limit` allows, and is read more slowly: told once a minute, as long as it does. */
  'client.throttled': { clientId: string; address: string; limit: 'messageRate' | 'byteRate' }

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
    reason: 'slow' | 'session-full' | 'no-room' | 'packet-too-large' | 'session-ended' | 'not-authorized'
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

  /** A backup is in the directory `path`, whole and on disk. */
  'backup.finished': { path: string; records: number; bytes: number; damaged: number; durationMs: number }
  /** A backup could not be written, and nothing is left of it. */
  'backup.failed': { path: string; code: string; message: string }

  /** The configuration is in force; `file` is the one that it was read from, null: none. */
  'config.loaded': { file: string | null }
  /**
   * The configuration was read again, or files that it names, and is in force. Options by their paths, `queue.policies`; `files`:
   * the groups of options, `listeners.tls`, whose files were read.
   */
  'config.reloaded': { changed: readonly string[]; needRestart: readonly string[]; files: readonly string[] }
  /** The configuration, or a file that it names, is not right: nothing of it was taken, and what was in force stays. */
  'config.rejected': { problems: readonly string[] }

  /** A plugin is in operation. */
  'plugin.started': { plugin: string }
  /** A plugin has ended its work. */
  'plugin.stopped': { plugin: string }
  /** A plugin could not be set up, started or stopped, or can no longer do its work. */
  'plugin.failed': { plugin: string; message: string }

  /**
   * A reader of status was too slow for so many status messages, and takes them again. What it missed has sequence numbers
   * from the first of these to the last.
   */
  'status.dropped': { clientId: string; messages: number; firstSequence: number; lastSequence: number }
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
