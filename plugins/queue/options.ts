/**
 * Options of the queues, `queue` in the configuration: a policy for all of them, and policies for some over it. What each
 * option means, and what it may be, stands in src/config/schema.ts.
 */

/** What may be set for each queue. */
export interface QueuePolicy {
  /** How many messages a consumer may hold unacknowledged, for each of its subscriptions. At least 1. */
  prefetch: number
  /** After so many milliseconds without an acknowledgement a message is delivered again. */
  ackTimeout: number
  /** After so many deliveries a message goes to the dead letter queue. At least 1. */
  maxDeliveries: number
  /** How long a message rests that a consumer refused for now; doubles with each delivery. Milliseconds. */
  backoff: { initial: number; max: number }
  /** What becomes of a message whose time is up before it could be delivered. */
  expired: 'drop' | 'dead-letter'
  /** The queue for dead letters, with `%q` for the name of the queue they come from; null: they are dropped. */
  deadLetter: string | null
  /** How many messages a queue may hold, those in consumers' hands included; null: any number. */
  maxLength: number | null
  /** How many bytes of payload a queue may hold, likewise; null: any number. */
  maxBytes: number | null
  /** What gives way when there is no room: the new message, which is refused (0x97), or the oldest that waits. */
  overflow: 'reject' | 'drop-oldest'
  /** Who must be alone: one consumer is served at a time, one producer at a time may publish. */
  exclusive: 'none' | 'consumer' | 'producer' | 'both'
  /** For so many milliseconds a queue knows the `dedup-id` of a message that it took on. */
  dedupWindow: number
}

/** A policy for the queues whose names `match` matches: what it does not say is as for all. */
export type PolicyEntry = {
  /** A filter over names of queues: `payments/#`. */
  match: string
  backoff?: { initial?: number | undefined; max?: number | undefined } | undefined
} & { [option in Exclude<keyof QueuePolicy, 'backoff'>]?: QueuePolicy[option] | undefined }

export interface QueueOptions extends QueuePolicy {
  /** How many queues clients can make: `limits.maxQueues`. Null, or left out: any number. */
  maxQueues?: number | null
  /** How many messages all queues together may have whose delay is not over: `limits.maxDelayed`. Likewise. */
  maxDelayed?: number | null
  policies: readonly PolicyEntry[]
}
