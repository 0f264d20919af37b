/**
 * What the broker counts: plain numbers, added to where things happen and read by whoever shows them (`$SYS`, a plugin).
 *
 * One object a broker, handed to each part by reference; to count is one addition on the path of a message, no more.
 * Packets and bytes are those of connections: what a program that embeds the broker exchanges is in none of them.
 */

/** What became of the messages of queues: of one queue, or of all of them. Each of these is an event, too. They only grow. */
export class QueueCounters {
  /** Put into the queue and safe; not before their delay is over. */
  enqueued = 0
  /** Safe, to be put into the queue when their delay is over. */
  delayed = 0
  /** Handed to a consumer, for the first time or again. */
  delivered = 0
  acknowledged = 0
  /** Came back from a consumer, to be delivered again. */
  redelivered = 0
  deadLettered = 0
  /** Thrown away because their time was up. */
  expired = 0
  /** Thrown away: could not be stored, or would have been dead letters where there are none. */
  dropped = 0
  /** Removed by an operator, with others or with the queue. */
  purged = 0
  /** Dead letters that an operator sent back to where they came from. */
  redriven = 0
  /** Not taken on: the queue was full, another client was its producer, or the disk failed. */
  refused = 0
}

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
  /** Of all queues, those included that are no more. Counted by the owner of `queue/`. */
  readonly queues = new QueueCounters()

  // Now; they grow and shrink.

  /** Clients that are connected. */
  clientsConnected = 0
  /** Retained messages, and bytes of their payloads. */
  retainedMessages = 0
  retainedBytes = 0
  /** Messages that are kept for persistent sessions (one for three of them: three), and bytes of their payloads. */
  queuedMessages = 0
  queuedBytes = 0
  /** Subscriptions of all sessions, without the shared ones; and these. */
  subscriptions = 0
  sharedSubscriptions = 0
  /** QoS 1 and 2 messages that were sent to clients and are not settled. */
  inflight = 0
}

/** Those that are one number. */
export type Counter = Exclude<keyof Counters, 'queues'>

/** What sessions there are now, and what of theirs. */
export interface Gauges {
  /** Sessions, connected or not. */
  sessions: number
  /** Their subscriptions, without the shared ones. */
  subscriptions: number
  sharedSubscriptions: number
  /** QoS 1 and 2 messages that were sent to clients and are not settled. */
  inflight: number
  /** Bytes of memory that clients have the broker keep, estimated: what `limits.maxMemory` is about. */
  clientMemory: number
}
