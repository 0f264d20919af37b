/** Time, the broker's processor time and our own, from the moment it is made. */

import { nowUs } from './load/link.ts'
import type { Figures } from './run.ts'
import { processorSeconds } from './system/process-usage.ts'

export class Meter {
  readonly #pid: number | null
  readonly #startedAt = nowUs()
  readonly #own = process.cpuUsage()
  readonly #broker: number

  /** @param pid the broker's process; null: not known */
  constructor(pid: number | null) {
    this.#pid = pid
    this.#broker = pid === null ? 0 : processorSeconds(pid)
  }

  /** Rate of `messages`, from the start to the last time that one of these has noted; processor time for each. */
  figures(messages: number, noted: ReadonlyArray<{ readonly lastAt: number }>): Figures {
    const elapsedUs = (nowUs() - this.#startedAt) >>> 0
    const lasts = noted.map(({ lastAt }) => (lastAt - this.#startedAt) >>> 0).filter((us) => us <= elapsedUs)
    const { user, system } = process.cpuUsage(this.#own)
    const own = (user + system) / elapsedUs
    if (messages === 0) return { own }
    const rate = messages / (Math.max(1, ...lasts) / 1e6)
    if (this.#pid === null) return { rate, own }
    return { rate, own, cpu: ((processorSeconds(this.#pid) - this.#broker) * 1e6) / messages }
  }
}
