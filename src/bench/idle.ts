/**
 * What a connection that does nothing costs: the growth of the broker's resident memory over many of them, once it has
 * come to rest. A process keeps most of what it once had, so only the first measurement after its start means anything.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { BenchError } from './errors.ts'
import { connect, connectAll } from './load/handshake.ts'
import type { Link } from './load/link.ts'
import { DISCONNECT } from './load/packets.ts'
import { ReadBuffer } from './load/read-buffer.ts'
import type { Run, Side } from './run.ts'
import { residentBytes } from './system/process-usage.ts'

/** Connections opened at the same time: fewer than any backlog of a listening socket. */
const AT_ONCE = 100
const LOOK_EVERY_MS = 250
/** At rest: no growth from one look to the next by more than this, or so many looks taken. */
const REST_BYTES = 65_536
const MOST_LOOKS = 20

export async function measureIdle(side: Side, connections: number): Promise<Run> {
  if (side.pid === null) throw new BenchError("expected the broker's process id, by --pid (--vs-pid)")
  const input = new ReadBuffer(1_024)
  const tag = process.hrtime.bigint().toString(36)
  const links: Link[] = []
  try {
    const before = await residentAtRest(side.pid)
    for (let from = 0; from < connections; from += AT_ONCE) {
      const batch = Array.from({ length: Math.min(AT_ONCE, connections - from) }, (_, n) =>
        connect(`connection ${from + n}`, side, 4, `bench-${tag}-i${from + n}`, input),
      )
      for (const { link } of await connectAll(batch)) links.push(link)
    }
    const after = await residentAtRest(side.pid)
    const broken = links.find((link) => link.broken !== null)
    if (broken?.broken) throw broken.broken
    const memory = (after - before) / connections
    return { figures: { memory }, messages: 0, lost: 0, duplicates: 0, strays: 0, problems: [] }
  } finally {
    for (const link of links) link.end(DISCONNECT)
  }
}

async function residentAtRest(pid: number): Promise<number> {
  let bytes = residentBytes(pid)
  for (let look = 0; look < MOST_LOOKS; look++) {
    await delay(LOOK_EVERY_MS)
    const now = residentBytes(pid)
    if (Math.abs(now - bytes) <= REST_BYTES) return now
    bytes = now
  }
  return bytes
}
