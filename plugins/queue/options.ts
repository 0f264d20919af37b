/** Options of the queues: `queue` in the configuration. */

export interface QueueOptions {
  /** How many messages a consumer may hold unacknowledged, for each of its subscriptions. At least 1. */
  prefetch: number
  /** After so many milliseconds without an acknowledgement a message is delivered again. */
  ackTimeout: number
  /** After so many deliveries a message goes to the dead letter queue. At least 1. */
  maxDeliveries: number
  /** How long a message rests that a consumer refused for now; doubles with each delivery. Milliseconds. */
  backoff: { initial: number; max: number }
}
