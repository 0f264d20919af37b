/** Time as a part that is handed in, so that tests own it. */

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since the epoch, UTC. */
  now(): number
  /** Run `callback` once, `delayMs` from now (0 to any length: longer than setTimeout's 24.8 days too). */
  after(delayMs: number, callback: () => void): Timer
}

/** The longest delay that setTimeout keeps; a longer one it would run at once. */
const MAX_TIMEOUT_MS = 2_147_483_647

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    let timeout: NodeJS.Timeout
    const arm = (remainingMs: number): void => {
      const stepMs = Math.min(Math.max(remainingMs, 0), MAX_TIMEOUT_MS)
      timeout = setTimeout(() => (remainingMs > stepMs ? arm(remainingMs - stepMs) : callback()), stepMs)
      timeout.unref()
    }
    arm(delayMs)
    return { cancel: () => clearTimeout(timeout) }
  },
}
