/** The machine that a benchmark ran on, as far as it matters to who compares figures. */

import { cpus, release, totalmem, type } from 'node:os'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly node: string
  /** Operating system and kernel. */
  readonly system: string
}

export function thisMachine(): Machine {
  const cores = cpus()
  return {
    processor: cores[0]?.model.trim() ?? 'unknown processor',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    system: `${type()} ${release()}`,
  }
}
