/**
 * What the broker counts: plain numbers, added to where things happen and read by whoever shows them (`$SYS`, a plugin).
 *
 * One object a broker, handed to each part by reference; to count is one addition on the path of a message, no more.
 * Packets and bytes are those of connections: what a program that embeds the broker exchanges is in none of them.
 */

export class Counters {
  // Since the start; they only grow.

  /** Bytes read from sockets. */
  bytesReceived = 0
  /** Bytes that sockets have taken. */
  bytesSent = 0
  /** Whole MQTT packets of any kind that were taken up. */
  packetsReceived = 0
  /** MQTT packets of any kind that were written. */
  packetsSent = 0
  /** PUBLISH packets among them: well-formed ones, also those that were refused or sent twice. */
  publishReceived = 0
  publishSent = 0
  /** Bytes of payload in these. */
  publishBytesReceived = 0
  publishBytesSent = 0
  /** Messages lost to a subscriber: the events `message.dropped`. */
  publishDropped = 0
  /** Connections that were opened. */
  sockets = 0
  /** CONNECT packets. */
  connects = 0
  /** Sessions that ended because their client was away for too long. */
  sessionsExpired = 0
  /** The most clients that were connected at once. */
  clientsMaximum = 0

  // Now; they grow and shrink.

  /** Clients that are connected. */
  clientsConnected = 0
  /** Retained messages, and bytes of their payloads. */
  retainedMessages = 0
  retainedBytes = 0
  /** Messages that are kept for persistent sessions (one for three of them: three), and bytes of their payloads. */
  queuedMessages = 0
  queuedBytes = 0
}

/** What there is now and is not counted as it changes: asked of every session, so for every few seconds at most. */
export interface Gauges {
  /** Sessions, connected or not. */
  sessions: number
  /** Their subscriptions, without the shared ones. */
  subscriptions: number
  sharedSubscriptions: number
  /** QoS 1 and 2 messages that were sent to clients and are not settled. */
  inflight: number
}
