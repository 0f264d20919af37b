/** What a process has used, from /proc: Linux only, and only where its id is known. */

import { readFileSync } from 'node:fs'
import { BenchError } from '../errors.ts'

/** Linux tells processor time to user space in these, on every architecture that Node.js runs on. */
const TICKS_PER_SECOND = 100

/** Seconds of processor time of all threads, in user space and in the kernel. */
export function processorSeconds(pid: number): number {
  const stat = read(pid, 'stat')
  // The name, in parentheses, may hold anything: fields count from what follows it. utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Bytes in memory now (VmRSS). */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(read(pid, 'status'))
  return Number(line?.[1] ?? 0) * 1_024
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch (error) {
    throw new BenchError(`cannot read /proc/${pid}/${file}: expected the broker's process id, on Linux`, {
      cause: error,
    })
  }
}
