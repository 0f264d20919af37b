/**
 * The options that say how much of the broker one client, one address or all of them may take. The defaults are for a broker
 * that anybody can reach: what no honest client misses, and what keeps a hostile one from taking it all.
 */

import * as z from 'zod'
import { group, integer, oneOf, size } from './kinds.ts'

const MOST = 100_000_000

const count = z.union([integer(1, MOST), z.null()], { error: `a whole number from 1 to ${MOST}, or null` })
const bytes = z.union([size(1_024), z.null()], { error: 'a size of at least 1KB (such as 64KB, 10MB, 1GB), or null' })

export const limits = group({
  maxConnections: count.prefault(100_000).describe('Connections at once on all listeners together; null: any number.'),
  // What one address has ports for by default on Linux is not much more.
  maxConnectionsPerAddress: count
    .prefault(20_000)
    .describe('Connections at once from one address, or from one /64 of IPv6; null: any number.'),
  connectRate: count
    .prefault(null)
    .describe('New connections a second on all listeners together, on average over ten; null: any number.'),
  connectRatePerAddress: count
    .prefault(2_000)
    .describe('New connections a second from one address, on average over ten; null: any number.'),
  maxHalfOpen: integer(1, MOST)
    .prefault(10_000)
    .describe('Connections at once that were not let in yet; then the oldest of them gives way.'),
  maxUnfinishedBytes: bytes
    .prefault('256MB')
    .describe(
      'Bytes of packets that are not whole yet, of all clients; null: any. Beyond it the largest of them is given up.',
    ),
  messageRate: count.prefault(null).describe('Messages a second that one client may publish; null: any number.'),
  byteRate: bytes.prefault(null).describe('Bytes a second that one client may send; null: any number.'),
  overRate: oneOf(['pause', 'close'])
    .prefault('pause')
    .describe('What becomes of a client that sends faster: it is read more slowly (pause), or sent away (close).'),
  maxSubscriptions: count
    .prefault(20_000)
    .describe('Subscriptions of one client, long filters (over 256 bytes) counting for several; null: any number.'),
  maxSessions: count.prefault(500_000).describe('Sessions, those of clients that are away included; null: any number.'),
  maxRetained: count.prefault(1_000_000).describe('Retained messages; null: any number.'),
  maxRetainedBytes: bytes
    .prefault('1GB')
    .describe('Memory for retained messages, estimated: payloads, topics and their levels; null: any.'),
})
