import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { openStore } from '../../src/store/open.ts'

const ROUNDS = 3
const CHILD = new URL('./store-child.ts', import.meta.url).pathname

/** What the child says: which ids it is about to remove; which are durable, and which are durably gone. */
type Report = { removing: number[] } | { ids: number[]; removed: number[] }

interface Known {
  durable: Set<number>
  perhapsGone: Set<number>
  gone: Set<number>
}

const path = mkdtempSync(join(tmpdir(), 'eventflow-crash-'))
let child: ChildProcess | null = null

afterEach(() => {
  child?.kill('SIGKILL')
  rmSync(path, { recursive: true, force: true })
})

test('a store whose process was killed holds all that was durable, in whole batches', async () => {
  const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`CRASH_SEED=${seed}`)
  const known: Known = { durable: new Set(), perhapsGone: new Set(), gone: new Set() }
  for (let round = 0; round < ROUNDS; round++) {
    const reports = await runAndKill(seed + round, 50 + ((seed >>> (round * 4)) % 200))
    expect(reports.length).toBeGreaterThan(0)
    for (const report of reports) {
      if ('removing' in report) {
        for (const id of report.removing) known.perhapsGone.add(id)
      } else {
        for (const id of report.ids) known.durable.add(id)
        for (const id of report.removed) known.gone.add(id)
      }
    }
    await check(known)
  }
}, 30_000)

/** Kill it after so many reports. Returns all that it reported. */
async function runAndKill(seed: number, reportsBeforeKill: number): Promise<Report[]> {
  const process_ = spawn(process.execPath, ['--import', 'tsx', CHILD, path, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child = process_
  const reports: Report[] = []
  for await (const line of createInterface({ input: process_.stdout })) {
    // The last line may be cut short by the kill.
    if (line.endsWith('}')) reports.push(JSON.parse(line) as Report)
    if (reports.length === reportsBeforeKill) process_.kill('SIGKILL')
  }
  return reports
}

/** Opens without repair, holds what it must and nothing that is gone, and every batch whole. */
async function check({ durable, perhapsGone, gone }: Known): Promise<void> {
  const store = await openStore({
    kind: 'level',
    path,
    onFault: (error) => {
      throw error
    },
  })
  const entries = await store.queues.read('crash', 0, Number.MAX_SAFE_INTEGER)
  await store.close()
  const found = new Set(entries.map(({ id }) => id))
  expect(found.size).toBe(entries.length)
  expect([...durable].filter((id) => !found.has(id) && !perhapsGone.has(id))).toEqual([])
  expect([...gone].filter((id) => found.has(id))).toEqual([])
  const turns = new Map<string, { found: number; size: number }>()
  for (const { message } of entries) {
    const { turn, size } = JSON.parse(message.payload.toString()) as { turn: string; size: number }
    const seen = turns.get(turn) ?? { found: 0, size }
    turns.set(turn, { found: seen.found + 1, size })
  }
  expect([...turns.values()].filter(({ found, size }) => found !== size)).toEqual([])
}
