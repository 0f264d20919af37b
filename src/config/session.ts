/** The options of sessions: what is sent to one client at once, what waits for it, and how long it is waited for. */

import { durationOr, group, integer, size } from './kinds.ts'

/** A session expiry of 2^32 - 1 seconds means never, so the longest that ends is a second less. */
const LONGEST_EXPIRY = '4294967294s'

export const session = group({
  maxInflight: integer(1, 65_535)
    .prefault(100)
    .describe('Unacknowledged QoS 1 and 2 messages sent to a client at once; never more than its Receive Maximum.'),
  maxQueued: integer(1, 1_000_000_000)
    .prefault(10_000)
    .describe('Messages that may wait for one session, beyond those in flight.'),
  maxQueuedBytes: size(1).prefault('64MB').describe('Bytes of messages that may wait for one session.'),
  maxSocketBuffer: size(1)
    .prefault('1MB')
    .describe("Bytes waiting in a client's socket before its QoS 0 messages are dropped."),
  maxExpiry: durationOr('never', '0s', LONGEST_EXPIRY)
    .prefault('never')
    .describe('Longest time that a session outlives its connection.'),
})
