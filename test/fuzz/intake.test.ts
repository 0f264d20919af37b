/**
 * Whatever bytes come, in whatever pieces: the broker stays up, those beside it never notice, and what was refused reaches
 * nobody. Longer than in CI: `EVENTFLOW_FUZZ_RUNS=10000 npx vitest run test/fuzz`.
 */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { temporaryFolder } from '../helpers/broker.ts'
import { heldBytes } from '../helpers/heap.ts'
import { Attacker, FORBIDDEN, openArena, play } from './arena.ts'
import { CORPUS } from './corpus.ts'
import { connectPacket, refused } from './refused.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './run.ts'
import { stream } from './streams.ts'

const STREAMS = 5
const MEGABYTE = 1024 * 1024

it(
  'mutated streams of packets disturb nobody',
  async () => {
    const arena = await openArena({ session: { maxQueued: 50 } })
    let before = 0
    let runs = 0
    const property = fc.asyncProperty(fc.array(stream, { minLength: STREAMS, maxLength: STREAMS }), async (streams) => {
      const exchanging = arena.exchange()
      await Promise.all(streams.map((one) => play(arena, one)))
      await exchanging
      await arena.exchange()
      expect(arena.faults).toEqual([])
      if (++runs === 50) before = heldBytes()
    })
    await fuzz(property, 400, 12_000)
    expect(arena.seen()).toBeGreaterThan(0)
    // Sessions, retained messages and the queue of the attackers are few and bounded.
    if (before > 0) expect(heldBytes() - before).toBeLessThan(20 * MEGABYTE)
  },
  FUZZ_TIMEOUT_MS,
)

it(
  'packets that MQTT forbids end their connection and reach no subscriber, no session and no store',
  async () => {
    const path = await temporaryFolder()
    const arena = await openArena({ store: { kind: 'level', path } })
    const property = fc.asyncProperty(fc.array(refused, { minLength: 10, maxLength: 10 }), async (all) => {
      await Promise.all(
        all.map(async ({ version, bytes, after, clean, cut }, i) => {
          const attacker = new Attacker(arena.port, true, arena.faults)
          // What follows would be fine, but comes too late.
          const sent = Buffer.concat([connectPacket(version, `refused-${i}`, clean), bytes, after])
          await attacker.send(sent, [Math.floor(cut * sent.length)])
          await attacker.closed
        }),
      )
      await arena.exchange()
      expect(arena.faults).toEqual([])
    })
    await fuzz(property, 300, 8_000)
    await arena.stop()
    const store = await openStore({ kind: 'level', path, onFault: (error) => arena.faults.push(error) })
    for await (const { topic } of store.retained.load()) expect(topic).not.toContain(FORBIDDEN)
    for (const { subscriptions } of await store.sessions.load()) expect(subscriptions).toEqual([])
    expect([store.queues.list(), store.sessions.outgoing.list()]).toEqual([[], []])
    await store.close()
  },
  FUZZ_TIMEOUT_MS,
)

it.each(CORPUS)('$name disturbs nobody', async ({ bytes }) => {
  const arena = await openArena()
  for (const places of [[], Array.from(bytes.subarray(0, 300), (_, i) => i)]) {
    for (const ending of ['end', 'destroy', 'reset'] as const) {
      const attacker = new Attacker(arena.port, true, arena.faults)
      await attacker.send(bytes, places)
      attacker.end(ending)
      await attacker.closed
    }
  }
  await arena.exchange()
  expect(arena.faults).toEqual([])
})
