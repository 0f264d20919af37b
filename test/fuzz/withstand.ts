/** An attack that others must not notice, and of which nothing may stay. */

import { expect } from 'vitest'
import { heldBytesWithBuffers as held } from '../helpers/heap.ts'
import { until } from '../helpers/until.ts'
import type { Arena } from './arena.ts'

const MEGABYTE = 1024 * 1024

/** How often the others have exchanged messages. */
let rounds = 0

/** Resolves when they have done so some times more. */
export function more(times: number): Promise<void> {
  const enough = rounds + times
  return until('others are served', () => rounds >= enough)
}

/** The others exchange messages while `attack` goes on; when it is over, no more is held than before, or little more. */
export async function withstand(arena: Arena, attack: () => Promise<void>, mayStay = 8 * MEGABYTE): Promise<void> {
  await arena.exchange()
  const before = held()
  let over = false
  const attacking = attack().finally(() => {
    over = true
  })
  while (!over) {
    await arena.exchange()
    rounds++
    await new Promise((resolve) => setImmediate(resolve))
  }
  await attacking
  await arena.exchange()
  expect(arena.faults).toEqual([])
  await until('what the attack took is released', () => held() - before < mayStay)
}
