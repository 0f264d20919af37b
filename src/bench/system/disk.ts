/** How long this disk takes to have a block safe: what an acknowledgement of a durable queue cannot be faster than. */

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BenchError } from '../errors.ts'
import { Histogram } from '../histogram.ts'

const BLOCK = Buffer.alloc(4_096, 'eventflow')
const TIMES = 200

/** The median of appending 4 KiB and `fdatasync`, in microseconds, on the disk of this folder. */
export function syncTimeUs(folder: string): number {
  const times = new Histogram()
  const own = temporaryIn(folder)
  const file = openSync(join(own, 'sync'), 'w')
  try {
    for (let time = 0; time < TIMES; time++) {
      const startedAt = performance.now()
      writeSync(file, BLOCK)
      fdatasyncSync(file)
      times.record(Math.round((performance.now() - startedAt) * 1_000))
    }
  } finally {
    closeSync(file)
    rmSync(own, { recursive: true })
  }
  return times.percentile(0.5)
}

function temporaryIn(folder: string): string {
  try {
    return mkdtempSync(join(folder, 'eventflow-bench-'))
  } catch (error) {
    throw new BenchError(`cannot write to ${folder}: expected a folder on the disk to be measured`, { cause: error })
  }
}
