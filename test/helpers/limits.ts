/** What waits for a client, or is in flight to it, at the most: for tests that do not mind. */

export const LIMITS = { maxInflight: 100, maxQueued: 1_000, maxQueuedBytes: 1_000_000 }
